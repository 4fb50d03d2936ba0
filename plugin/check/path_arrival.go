package check

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/routing"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// arrivalPlan is what a node's routing does to what comes out of the tunnel from
// pods in some ranges.
func (v *view) arrivalPlan(n *graph.Node, family int, from []netip.Prefix, pod netip.Addr) *routing.Plan {
	host := v.pathsOf(n, family).host
	host.In = v.arriveOn(n, n.Carrier(family).Name)
	host.Pods = from
	host.Pod = pod
	host.Entries = slices.Clone(host.Entries)
	for _, a := range n.Addresses { // entries of the local table for a node's own ranges are not reported
		addr := a.Prefix.Addr()
		host.Entries = append(host.Entries, &evidence.Route{
			Destination: netip.PrefixFrom(addr, addr.BitLen()), Table: routing.TableLocal, Type: "local",
		})
	}
	return routing.Compile(host)
}

// arrivesPlainly reports whether whatever comes out of a node's tunnel stays on
// it, from whichever of the others it is: so it is of most nodes.
func (v *view) arrivesPlainly(n *graph.Node, family int) bool {
	var others []netip.Prefix
	for _, other := range v.Nodes {
		if other != n {
			others = append(others, podRanges(other, family)...)
		}
	}
	plain := true
	plan := v.arrivalPlan(n, family, others, netip.Addr{})
	for _, own := range v.rangesAt(n, family) {
		v.walkArrival(n, plan, own, nil, func(concern) { plain = false })
	}
	return plain
}

// rangesAt are the ranges of a node's pods. Of a network that is not known only
// the test pod's address is surely one of them.
func (v *view) rangesAt(n *graph.Node, family int) []netip.Prefix {
	if v.foreseen(n, family) {
		return podRanges(n, family)
	}
	ip := n.PodIP(family)
	return []netip.Prefix{netip.PrefixFrom(ip, ip.BitLen())}
}

// forwarded judges where the receiver's rules and routes lead what comes out of
// the tunnel for its pods: not out of the host again, in clear.
func (v *view) forwarded(e *graph.Edge, note func(concern)) {
	if e.ToLink() == "" || v.plain[e.To.Place()][slot(e.Family)] {
		return
	}
	plan := v.arrivalPlan(e.To, e.Family, podRanges(e.From, e.Family), e.From.PodIP(e.Family))
	for _, own := range v.rangesAt(e.To, e.Family) {
		v.walkArrival(e.To, plan, own, e, note)
	}
}

// walkArrival judges each way from the tunnel to a range of a node's pods, of an
// edge or, if it is nil, of all of them.
func (v *view) walkArrival(n *graph.Node, plan *routing.Plan, own netip.Prefix, e *graph.Edge, note func(concern)) {
	if entry := plan.Single(own.Masked()); entry != nil && !leadsAway(n, entry.Link) {
		return
	}
	ways, whole := plan.Ways(own)
	if !whole {
		every, all := plan.Any(own)
		if all && !slices.ContainsFunc(every, func(way routing.Way) bool { return escapes(n, &way, own) }) {
			return
		}
		note(concern{status: verdict.Inconclusive, at: n, part: own,
			reason: "there are more rules and routes than can be followed"})
	}
	for i := range ways {
		way := &ways[i]
		if !escapes(n, way, own) {
			continue
		}
		c := concern{status: verdict.Inconclusive, at: n, way: way, part: own,
			reason: "whether it applies to packets of pods is not known"}
		switch way.Certainty {
		case routing.Certain:
			c.status = verdict.Fail
			c.reason = ""
		case routing.Selective:
			if e != nil {
				c.status, c.reason = triedArrival(e, plan, way)
			}
		}
		note(c)
	}
}

// escapes reports whether a way leads what is for pods of the receiver off it. An
// address that no route is for can be one that no pod has.
func escapes(n *graph.Node, way *routing.Way, own netip.Prefix) bool {
	switch {
	case way.Answer != routing.Out || !leadsAway(n, way.Link):
		return false
	case way.Rule == nil && way.Entry.Destination.Bits() < own.Bits():
		return false
	}
	return true
}

// leadsAway reports whether a link leads off a node, and not to its pods or into
// WireGuard. A pair that counts as leaving for want of a proof may be a pod's.
func leadsAway(n *graph.Node, name string) bool {
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
func addressed(n *graph.Node, link string) bool {
	return slices.ContainsFunc(n.Addresses, func(a *evidence.Address) bool {
		addr := a.Prefix.Addr()
		return a.Link == link && !addr.IsLinkLocalUnicast() && !slices.ContainsFunc(podRanges(n, family(addr)),
			func(own netip.Prefix) bool { return own.Contains(addr) })
	})
}

// triedArrival judges a way behind the tunnel that only some packets take: a canary
// made for it came to the pod, or was seen in clear.
func triedArrival(e *graph.Edge, plan *routing.Plan, way *routing.Way) (verdict.Status, string) {
	marked := func(l graph.Leak) bool { return l.By == evidence.LeakedByMark }
	if slices.ContainsFunc(leaks(e), marked) {
		return verdict.Fail, ""
	}
	like := tryFor(e, plan, way)
	if like == nil {
		return verdict.Inconclusive, "the test pods can send no test packet that takes this way"
	}
	try := findTry(e.Graph().Run.Tries, like)
	if try == nil {
		return verdict.Inconclusive, "no test packet was sent for it"
	}
	for _, t := range e.To.Tried {
		if t.ID == try.ID && t.Received > 0 {
			return verdict.Pass, ""
		}
	}
	return verdict.Inconclusive, "a test packet made for it did not arrive"
}

// forwardedAway reports which entry of the receiver leads packets off it again.
func (v *view) forwardedAway(e *graph.Edge, c *concern) verdict.Outcome {
	n, way := c.at, c.way
	facts := map[string]string{"node": n.Name, "peer": e.From.Name, "ip": fmt.Sprint(e.Family)}
	out := verdict.Outcome{Status: c.status, Facts: facts}
	if way == nil {
		out.Reword("on %s %s", n.Name, c.reason)
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
	out.Reword("%s %s %s, pods of its own, that came out of %s from pods on %s, through %s in clear", n.Name, verb,
		packets, e.ToLink(), e.From.Name, way.Link)
	rule, entry := way.Rule, way.Entry
	if rule != nil {
		facts["rule"] = routing.DescribeRule(rule)
		out.Add(", by the rule %q", facts["rule"])
		out.Readings = append(out.Readings, verdict.Reading{Node: n.Name, What: "ip rule", Text: facts["rule"]})
	}
	facts["route"] = entry.Destination.String()
	facts["table"] = fmt.Sprint(entry.Table)
	out.Add(", by the route %q", describe(entry))
	out.Readings = append(out.Readings, verdict.Reading{Node: n.Name, What: "routing table", Text: describe(entry)})
	switch {
	case way.Hop:
		out.Add("%s", ", one of several next hops: some flows take it")
	case c.part.Bits() <= entry.Destination.Bits() && entry.Destination.Bits() > 0:
		out.Variant = "route"
	case rule != nil && slices.Contains(tunnelTables(n, n.Carrier(e.Family).Name), rule.Table):
	case rule != nil && routing.Selectors(rule) != "" && entry.Table != mainTable && alone(n, rule):
		out.Variant = "rule"
		facts["priority"] = fmt.Sprint(rule.Priority)
	}
	for i, d := range way.Marked {
		if i < 3 {
			out.Readings = append(out.Readings, verdict.Reading{Node: n.Name, What: "statement that marks",
				Text: routing.DescribeStatement(d)})
		}
	}
	if c.reason != "" {
		out.Add("%s", "; "+c.reason)
	}
	return out
}

// alone reports whether no other rule has a rule's priority and table, by which a
// command names it.
func alone(n *graph.Node, rule *evidence.Rule) bool {
	found := 0
	for _, r := range n.Rules {
		if r.Family == rule.Family && r.Priority == rule.Priority && r.Table == rule.Table {
			found++
		}
	}
	return found == 1
}
