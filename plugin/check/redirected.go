package check

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Where programs of the network plugin lead the pods' packets into the tunnel, see
// profile.Profile.Redirects, they do so when a packet leaves by a link. What the
// routes have to do is to lead to a link that has such a program.

// gates are the links of an edge's sender at whose exit a program of the network is.
// Where programs could not be read, the one is known that test packets left by and
// were in the tunnel.
func gates(e *graph.Edge) (links []string) {
	for _, d := range e.From.Diversions {
		if d.Effect == evidence.EffectBPF && d.Hook == "egress" && profile.OwnProgram(e.From, d) {
			links = append(links, strings.Fields(d.Link)...)
		}
	}
	if !programsRead(e.From) && e.Into.Total() > 0 {
		links = append(links, e.Route.Link)
	}
	return links
}

// programsRead reports whether all programs of traffic control were read: those that
// tcx attached are not where a container's seccomp profile refuses it.
func programsRead(n *graph.Node) bool {
	return !slices.ContainsFunc(n.Inventories, func(i *evidence.Inventory) bool {
		return i.What == evidence.InventoryTC && (!i.Complete || i.Text != "")
	})
}

// redirected judges the route to a pod that does not lead into the tunnel itself.
func (v *view) redirected(e *graph.Edge, ip netip.Addr) verdict.Outcome {
	from, link, device := e.From, e.Route.Link, e.FromLink()
	l := from.Link(link)
	switch {
	case e.Into.Total() > 0:
		return pass("%s reaches %s via %s, and a program of the network leads it into %s", from.Name, ip, link, device)
	case l == nil, l.Role != evidence.RoleOutside, slices.Contains(gates(e), link):
		return skip("%s reaches %s via %s, where a program of the network decides; %s saw none of the test packets",
			from.Name, ip, link, device)
	case !v.ungated(e):
		return skip("programs of the network lead packets into %s, and those of %s were not read", device, from.Name)
	}
	out := v.anotherLink(e, ip, map[string]string{"node": from.Name, "peer": e.To.Name, "device": device,
		"link": link, "ip": fmt.Sprint(e.Family)})
	out.Reword("%s routes traffic for %s via %s, where no program of the network leads it into %s",
		from.Name, podsAt{e.To, ip}, link, device)
	switch route := out.Facts["route"]; {
	case leadsInto(e.EndpointRoute, link): // ciphertext takes it too: the network uses this link
		out.Variant = "program"
	case route != "":
		out.Add(": the more specific route %s takes precedence", route)
	}
	return out
}

// ungated reports whether no program of the network is at the exit of the link that
// an edge's packets are routed to: none was read, or they were seen in clear on a
// link that the network's own ciphertext does not take.
func (v *view) ungated(e *graph.Edge) bool {
	if v.Run.Minor >= 1 && programsRead(e.From) {
		return len(gates(e)) > 0
	}
	return e.EndpointRoute != nil && e.EndpointRoute.Link != e.Route.Link && slices.ContainsFunc(leaks(e),
		func(leak graph.Leak) bool { return leak.On == e.From.Name && leak.Link == e.Route.Link })
}

// redirectedWays judges all ways of pods' packets: each must lead to a link with a
// program of the network. What that decides is known of the test packets alone.
func (v *view) redirectedWays(e *graph.Edge) verdict.Outcome {
	from, device := e.From, e.FromLink()
	paths := v.pathsOf(from, e.Family)
	switch {
	case e.Into.Total() == 0:
		return unknown("the routes of %s lead to %s, and no test packet was seen in %s",
			from.Name, e.Route.Link, device)
	case v.Run.Minor < 1:
		return pass("the routes of %s lead to %s, the test packets were in %s; programs were not recorded by "+
			"this version", from.Name, e.Route.Link, device)
	case paths.unread != "":
		return unknown("%s", paths.unread)
	case len(gates(e)) == 0:
		return unknown("the routes of %s lead to %s, and the test packets were in %s: what sends them there was "+
			"not read", from.Name, e.Route.Link, device)
	}
	worst, all := v.worstPath(e, paths)
	if worst.status == verdict.Fail && worst.way != nil && worst.at == nil && !programsRead(from) {
		worst.status = verdict.Inconclusive
		worst.reason = "whether a program of the network is there was not read"
	}
	if worst.status != verdict.Pass {
		return v.otherWay(e, &worst)
	}
	return pass("%s: all of it leads to %s, where a program of the network decides after routing; "+
		"its decision was seen on the test packets", v.wereRead(paths, all), list(outOf(all)))
}

// misleads reports whether a statement changes what programs of the network do with
// the packets that it applies to.
func (v *view) misleads(d *evidence.Diversion) bool { return v.Misleads != nil && v.Misleads(d) }

// misled judges the sender's statements for what the network's own overlay sends:
// UDP to the other node, whatever the ports.
func (v *view) misled(e *graph.Edge, paths *nodePaths, note func(concern)) {
	end := e.To.Carrier(e.Family).Endpoint
	for _, d := range paths.leaves {
		s := &d.Selector
		udp := len(s.Protocol) == 0 || slices.Contains(s.Protocol, protocolUDP)
		there := len(s.To) == 0 || slices.ContainsFunc(s.To, func(p netip.Prefix) bool { return p.Contains(end) })
		if v.misleads(d) && udp && there {
			note(concern{status: verdict.Inconclusive, by: d, part: netip.PrefixFrom(end, end.BitLen()),
				reason: effects[d.Effect]})
		}
	}
}

// outOf are the links that the routes which pods' packets meet lead to.
func outOf(all met) (links []string) {
	for route := range all.routes {
		if route.Link != "" && !slices.Contains(links, route.Link) {
			links = append(links, route.Link)
		}
	}
	slices.Sort(links)
	return links
}

// ledBy reports how an edge's packets came into the tunnel if no route leads there,
// empty if one does.
func (v *view) ledBy(e *graph.Edge) string {
	if !v.Redirects || e.Route == nil || e.Route.Link == e.FromLink() {
		return ""
	}
	text := "; programs of the network led them there, the route of " + e.From.Name + " leads to " + e.Route.Link
	if v.Wraps != nil {
		text += "; they were inside of the network's own overlay"
	}
	return text
}

// markedControl explains why an edge's control was not encrypted where programs decide,
// empty where routes do.
func (v *view) markedControl(e *graph.Edge) string {
	if !v.Redirects || e.Sent == nil {
		return ""
	}
	return fmt.Sprintf(" (sent to %s with the mark of %s, which programs of the network leave as it is)",
		e.Sent.Endpoint, e.FromLink())
}
