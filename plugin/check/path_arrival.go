package check

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/routing"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// arrival is a node's end of tunnels, in one family.
type arrival struct {
	nodeFamily
	link string
}

// arrivalPlan is what the receiver's routing does to what comes out of the tunnel
// from pods in some ranges.
func (v *view) arrivalPlan(f *verdict.Focus, from []netip.Prefix, pod netip.Addr) *routing.Plan {
	host := v.pathsOf(f, f.Peer).host
	host.In, host.Pods, host.Pod = []string{f.Tunnel.ToLink}, from, pod
	host.Entries = slices.Clone(host.Entries)
	for _, a := range f.Peer.Addresses { // entries of the local table for a node's own ranges are not reported
		addr := a.Prefix.Addr()
		host.Entries = append(host.Entries, &evidence.Route{Destination: netip.PrefixFrom(addr, addr.BitLen()), Table: routing.TableLocal, Type: "local"})
	}
	for _, l := range f.Peer.Links { // of an overlay above the tunnel they come out there
		if v.above(f.Peer, l.Name) {
			host.In = append(host.In, l.Name)
		}
	}
	return routing.Compile(host)
}

// arrivesPlainly reports whether whatever comes out of a node's tunnel stays on
// it: so it is of most nodes, for whichever of the others it is asked.
func (v *view) arrivesPlainly(f *verdict.Focus) bool {
	return v.arrivals.of(arrival{nodeFamily{f.Peer, f.Family}, f.Tunnel.ToLink}, func(arrival) bool {
		var others []netip.Prefix
		for _, n := range f.Case.Nodes {
			if n != f.Peer {
				others = append(others, podRanges(n, f.Family)...)
			}
		}
		clean := true
		plan := v.arrivalPlan(f, others, netip.Addr{})
		for _, own := range v.rangesAt(f) {
			v.walkArrival(f, plan, own, func(concern) { clean = false })
		}
		return clean
	})
}

// rangesAt are the ranges of the receiver's pods. Of a network that is not known
// only the test pod's address is surely one of them.
func (v *view) rangesAt(f *verdict.Focus) []netip.Prefix {
	ip := f.Peer.PodIP(f.Family)
	if v.foreseen(f) {
		return podRanges(f.Peer, f.Family)
	}
	return []netip.Prefix{netip.PrefixFrom(ip, ip.BitLen())}
}

// forwarded judges where the receiver's rules and routes lead what comes out of
// the tunnel for its pods: not out of the host again, in clear.
func (v *view) forwarded(f *verdict.Focus, note func(concern)) {
	if f.Tunnel.ToLink == "" || v.arrivesPlainly(f) {
		return
	}
	plan := v.arrivalPlan(f, podRanges(f.Node, f.Family), f.Node.PodIP(f.Family))
	for _, own := range v.rangesAt(f) {
		v.walkArrival(f, plan, own, note)
	}
}

// walkArrival judges each way from the tunnel to a range of the receiver's pods.
func (v *view) walkArrival(f *verdict.Focus, plan *routing.Plan, own netip.Prefix, note func(concern)) {
	if entry := plan.Single(own.Masked()); entry != nil && !leadsAway(f.Peer, entry.Link) {
		return
	}
	ways, whole := plan.Ways(own)
	if !whole {
		every, all := plan.Any(own)
		if all && !slices.ContainsFunc(every, func(way routing.Way) bool { return v.escapes(f, &way, own) }) {
			return
		}
		note(concern{status: verdict.Inconclusive, at: f.Peer, part: own, reason: "there are more rules and routes than can be followed"})
	}
	for i := range ways {
		way := &ways[i]
		if !v.escapes(f, way, own) {
			continue
		}
		c := concern{status: verdict.Inconclusive, at: f.Peer, way: way, part: own, reason: "whether it applies to packets of pods cannot be told"}
		switch way.Certainty {
		case routing.Certain:
			c.status, c.reason = verdict.Fail, ""
		case routing.Selective:
			c.status, c.reason = triedArrival(f, plan, way)
		}
		note(c)
	}
}

// escapes reports whether a way leads what is for pods of the receiver off it. An
// address that no route is for can be one that no pod has.
func (v *view) escapes(f *verdict.Focus, way *routing.Way, own netip.Prefix) bool {
	switch {
	case way.Answer != routing.Out || !leadsAway(f.Peer, way.Link):
		return false
	case way.Rule == nil && way.Entry.Destination.Bits() < own.Bits():
		return false
	}
	return true
}

// leadsAway reports whether a link leads off a node, and not to its pods or into
// WireGuard. A pair that counts as leaving for want of a proof may be a pod's.
func leadsAway(n *verdict.Node, name string) bool {
	l := n.Link(name)
	switch {
	case l == nil || l.Role == evidence.RoleWireGuard:
		return false
	case l.Role == evidence.RoleOutside:
		return !slices.Contains(podPipes, l.Kind) || !l.PeerNS || uplinkShown(n, name) || addressed(n, name)
	case l.Kind == "bridge":
		return slices.ContainsFunc(n.Links, func(port *evidence.Link) bool {
			return port.Master == name && port.Kind != "bridge" && leadsAway(n, port.Name)
		})
	}
	return evidence.OtherTunnel(l)
}

// addressed reports whether a link has an address that is none of the node's pods'
// and not made by itself.
func addressed(n *verdict.Node, link string) bool {
	return slices.ContainsFunc(n.Addresses, func(a *evidence.Address) bool {
		addr := a.Prefix.Addr()
		return a.Link == link && !addr.IsLinkLocalUnicast() && !slices.ContainsFunc(podRanges(n, family(addr)), func(own netip.Prefix) bool { return own.Contains(addr) })
	})
}

// triedArrival judges a way behind the tunnel that only some packets take: a canary
// made for it came to the pod, or was seen in clear.
func triedArrival(f *verdict.Focus, plan *routing.Plan, way *routing.Way) (verdict.Status, string) {
	marked := func(l verdict.Leak) bool { return l.By == evidence.BetrayedByMark }
	if slices.ContainsFunc(leaks(f), marked) {
		return verdict.Fail, ""
	}
	like := tryFor(f, plan, way)
	if like == nil {
		return verdict.Inconclusive, "the test pods can send no canary that takes this way"
	}
	try := findTry(f.Run.Tries, like)
	if try == nil {
		return verdict.Inconclusive, "no canary was sent for it"
	}
	for _, t := range f.Peer.Tried {
		if t.ID == try.ID && t.Received > 0 {
			return verdict.Pass, ""
		}
	}
	return verdict.Inconclusive, "a canary made for it did not arrive"
}

// forwardedAway says which entry of the receiver leads packets off it again.
func (v *view) forwardedAway(f *verdict.Focus, c *concern) verdict.Outcome {
	n, way := c.at, c.way
	facts := map[string]string{"node": n.Name, "peer": f.Node.Name, "ip": fmt.Sprint(f.Family)}
	out := verdict.Outcome{Status: c.status, Words: &verdict.Words{Facts: facts}}
	if way == nil {
		out.Text = fmt.Sprintf("on %s %s", n.Name, c.reason)
		return out
	}
	verb := "sends"
	if c.status != verdict.Fail {
		verb = "may send"
	}
	packets := "what is for " + way.To.String()
	if condition := way.Condition(); condition != "" {
		packets += " (" + condition + ")"
	}
	facts["link"] = way.Link
	out.Text = fmt.Sprintf("%s %s %s, pods of its own, that came out of %s from pods on %s, through %s in clear", n.Name, verb, packets, f.Tunnel.ToLink, f.Node.Name, way.Link)
	rule, entry := way.Rule, way.Entry
	if rule != nil {
		facts["rule"] = routing.DescribeRule(rule)
		out.Text += fmt.Sprintf(", by the rule %q", facts["rule"])
		out.Readings = append(out.Readings, verdict.Reading{Node: n.Name, What: "ip rule", Text: facts["rule"]})
	}
	facts["route"], facts["table"] = entry.Destination.String(), fmt.Sprint(entry.Table)
	out.Text += fmt.Sprintf(", by the route %q", describe(entry))
	out.Readings = append(out.Readings, verdict.Reading{Node: n.Name, What: "routing table", Text: describe(entry)})
	switch {
	case way.Hop:
		out.Text += ", one of several next hops: some flows take it"
	case c.part.Bits() <= entry.Destination.Bits() && entry.Destination.Bits() > 0:
		out.Variant = "route"
	case rule != nil && routing.Selectors(rule) != "" && entry.Table != mainTable && alone(n, rule):
		out.Variant, facts["priority"] = "rule", fmt.Sprint(rule.Priority)
	}
	for i, d := range way.Marked {
		if i < 3 {
			out.Readings = append(out.Readings, verdict.Reading{Node: n.Name, What: "statement that marks", Text: routing.DescribeStatement(d)})
		}
	}
	if c.reason != "" {
		out.Text += "; " + c.reason
	}
	return out
}

// alone reports whether no other rule has a rule's priority and table, by which a
// command names it.
func alone(n *verdict.Node, rule *evidence.Rule) bool {
	found := 0
	for _, r := range n.Rules {
		if r.Family == rule.Family && r.Priority == rule.Priority && r.Table == rule.Table {
			found++
		}
	}
	return found == 1
}
