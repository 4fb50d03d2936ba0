package check

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/routing"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// diverted judges a statement of the sender for packets of its pods to a range.
func (v *view) diverted(e *graph.Edge, plan *routing.Plan, d *evidence.Diversion, n *graph.Node,
	to netip.Prefix) concern {
	if !leaving(d, n, v.rightLinks(e)) {
		return concern{status: verdict.Pass}
	}
	return v.touched(e, plan, d, n, to)
}

// leaving reports whether a pod's packet can meet a statement before it is in
// the tunnel, or in the overlay above it. What is attached to the way out of a link
// that leaves the host meets ciphertext there.
func leaving(d *evidence.Diversion, n *graph.Node, right []string) bool {
	isRight := func(link string) bool { return slices.Contains(right, link) }
	switch {
	case d.Hook == "output", d.Hook == "input" && d.Family != "bridge":
		return false
	case d.Hook == "egress" && d.Link != "":
		return slices.ContainsFunc(strings.Fields(d.Link), isRight)
	case d.Link != "":
		return onInside(d, n)
	}
	return slices.ContainsFunc(right, func(link string) bool { return reaches(d, link) })
}

// reaches reports whether a statement can apply to what leaves by a link.
func reaches(d *evidence.Diversion, link string) bool {
	if len(d.Selector.Out) > 0 && !matchesLink(d.Selector.Out, link) {
		return false
	}
	return !matchesLink(d.Selector.NotOut, link)
}

// arriving is the same for a packet that has left the tunnel on its way to a pod.
func arriving(d *evidence.Diversion, n *graph.Node, from []string) bool {
	switch {
	case d.Hook == "output", d.Hook == "input", d.Effect == evidence.EffectEncrypt, d.Effect == evidence.EffectMark:
		return false
	case d.Hook == "ingress" && d.Link != "":
		return slices.ContainsFunc(strings.Fields(d.Link),
			func(link string) bool { return slices.Contains(from, link) })
	case d.Link != "":
		return onInside(d, n)
	}
	return toPods(&d.Selector, n) && slices.ContainsFunc(from, func(link string) bool {
		return (len(d.Selector.In) == 0 || matchesLink(d.Selector.In, link)) && !matchesLink(d.Selector.NotIn, link)
	})
}

// arriveOn are the links that packets of pods come in by from other nodes: the tunnel,
// and overlays above it.
func (v *view) arriveOn(n *graph.Node, tunnel string) []string {
	links := []string{tunnel}
	for _, l := range n.Links {
		if v.above(l) && l.Name != tunnel {
			links = append(links, l.Name)
		}
	}
	return links
}

// toPods reports whether a selector lets a packet leave by a link of the node's
// pods. One that names no link which was listed may name theirs.
func toPods(s *evidence.Selector, n *graph.Node) bool {
	listed := slices.ContainsFunc(n.Links, func(l *evidence.Link) bool { return matchesLink(s.Out, l.Name) })
	return len(s.NotOut) == 0 && !listed || slices.ContainsFunc(n.Links, func(l *evidence.Link) bool {
		ofPods := l.Role == evidence.RoleInside || leadsToPods(n, l.Name)
		return ofPods && (len(s.Out) == 0 || matchesLink(s.Out, l.Name)) && !matchesLink(s.NotOut, l.Name)
	})
}

// onInside reports whether a statement is attached to a link of pods.
func onInside(d *evidence.Diversion, n *graph.Node) bool {
	return slices.ContainsFunc(strings.Fields(d.Link), func(name string) bool {
		link := n.Link(name)
		return link == nil || link.Role == evidence.RoleInside || leadsToPods(n, name) ||
			slices.Contains(podPipes, link.Kind) && link.PeerNS && link.Master != "" && leadsToPods(n, link.Master)
	})
}

// leadsToPods reports whether an entry leads to pods of the node itself through a
// link: theirs, though it may count as leaving the host for want of a proof.
func leadsToPods(n *graph.Node, link string) bool {
	return slices.ContainsFunc(n.Table, func(e *evidence.Route) bool {
		to := e.Destination
		return e.Link == link && to.IsValid() && slices.ContainsFunc(podRanges(n, family(to.Addr())),
			func(own netip.Prefix) bool {
				return own.Bits() <= to.Bits() && own.Contains(to.Addr())
			})
	})
}

func matchesLink(patterns []string, link string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		stem, any := strings.CutSuffix(pattern, "*")
		return pattern == link || any && strings.HasPrefix(link, stem)
	})
}

// atArrival judges the receiver's statements for what comes out of the tunnel.
func (v *view) atArrival(e *graph.Edge, note func(concern)) {
	paths := v.pathsOf(e.To, e.Family)
	if len(paths.diverting) == 0 {
		return
	}
	from := v.arriveOn(e.To, e.ToLink())
	host := routing.Host{
		Family: e.Family, Pods: podRanges(e.From, e.Family), Pod: e.From.PodIP(e.Family), In: from,
		MarksRead: true, Diversions: paths.host.Diversions,
	}
	plan := routing.Compile(host)
	for _, d := range paths.diverting {
		if !arriving(d, e.To, from) {
			continue
		}
		for _, podRange := range podRanges(e.To, e.Family) {
			note(v.touched(e, plan, d, e.To, podRange))
		}
	}
}

// touched judges what a statement does to packets that can meet it.
func (v *view) touched(e *graph.Edge, plan *routing.Plan, d *evidence.Diversion, n *graph.Node,
	to netip.Prefix) concern {
	way, touches := plan.Touch(d, to)
	if !touches {
		return concern{status: verdict.Pass}
	}
	c := concern{status: verdict.Inconclusive, by: d, part: to, reason: effects[d.Effect]}
	if text := intoOwnTunnel(e, d, n); text != "" {
		c.status = verdict.Warn
		c.reason = text
		return c
	}
	if d.Effect != evidence.EffectCopy && d.Effect != evidence.EffectForward {
		return c
	}
	switch link := n.Link(d.To); {
	case link == nil:
		c.reason += ", and where to is not known"
	case link.Role == evidence.RoleWireGuard:
		if link.Name == e.FromLink() && n == e.From || link.Name == e.ToLink() && n == e.To {
			c.status = verdict.Pass // it is encrypted
		} else {
			c.reason += ", into another tunnel"
		}
	case staysInside(n, link.Name):
		c.status = verdict.Pass
	case link.Role == evidence.RoleInside && !evidence.OtherTunnel(link):
		c.reason += ", and where they go from there is not known"
	case way.Certainty == routing.Certain:
		c.status = verdict.Fail
	case way.Certainty == routing.Selective && n == e.From:
		c.status, c.reason = tried(e, plan, &way)
	}
	return c
}

// VariantOwnTunnel is that of a warning of WG0402 about a statement that translates the
// tunnel's own datagrams.
const VariantOwnTunnel = "own-tunnel"

// intoOwnTunnel reports of a statement that translates the tunnel's own datagrams what it
// does to pods' UDP packets that meet it, empty if it is not known to be one. Those that
// it gives an address of the node reach the socket of the carrier's device, which drops
// what is not of a peer: they go nowhere. Those that only get another port have the same
// way as before. A test packet would show no more: none arrives, and none is seen.
func intoOwnTunnel(e *graph.Edge, d *evidence.Diversion, n *graph.Node) string {
	device := e.FromCarrier.Device
	if n == e.To {
		device = e.ToCarrier.Device
	}
	onlyUDP := len(d.Selector.Protocol) == 1 && d.Selector.Protocol[0] == protocolUDP
	if device == nil || d.Port == 0 || d.Port != device.Port || d.Hook != "prerouting" || !onlyUDP {
		return ""
	}
	const same = "pods' UDP packets that it applies to go %s: none of them leaves in clear, and none arrives as it " +
		"was sent"
	toNode := func(addr netip.Addr) bool { return slices.ContainsFunc(n.Addresses, hasAddress(addr)) }
	to, err := netip.ParseAddr(d.To)
	switch {
	case d.Effect == evidence.EffectDNAT && d.To == "":
		return fmt.Sprintf(same, fmt.Sprintf("their way with UDP port %d as their target", d.Port))
	case d.Effect == evidence.EffectProxy && d.To == "", d.Effect == evidence.EffectDNAT && err == nil && toNode(to):
		return fmt.Sprintf(same, "to "+device.Name+" of "+n.Name+", which drops them")
	}
	return ""
}

// effects say of a statement what it does.
var effects = map[string]string{
	evidence.EffectCopy: "it sends copies elsewhere", evidence.EffectForward: "it sends packets out of another link",
	evidence.EffectProxy:   "it hands packets to a program on the node, which can send them anywhere",
	evidence.EffectDNAT:    "it sends packets to another address",
	evidence.EffectBPF:     "what the program does cannot be read",
	evidence.EffectTunnel:  "the overlay sends them to a host that is not reached through the tunnel",
	evidence.EffectMark:    "programs of the network recognise by this mark what they have to encrypt",
	evidence.EffectEncrypt: "another encryption takes packets before the tunnel does",
}

// otherWay reports which entry gives packets another way.
func (v *view) otherWay(e *graph.Edge, c *concern) verdict.Outcome {
	if c.at != nil {
		return v.forwardedAway(e, c)
	}
	device := e.FromLink()
	out := verdict.Outcome{Status: c.status, Facts: map[string]string{
		"node": e.From.Name, "peer": e.To.Name, "device": device, "ip": fmt.Sprint(e.Family), "range": c.part.String(),
	}}
	switch {
	case c.by != nil:
		v.describeStatement(e, c, &out)
		return out
	case c.way == nil:
		out.Reword("on %s %s", e.From.Name, c.reason)
		return out
	}
	way := c.way
	if way.Entry != nil && way.Entry.Encap != "" && way.Answer == routing.Unclear {
		v.reencapsulated(e, c, &out)
		return out
	}
	out.Reword("%s into %s", v.sends(e, c), device)
	v.describeWay(e, c, &out)
	if c.reason != "" {
		out.Add("; %s", c.reason)
	}
	return out
}

// sends reports what a node sends through which link, where it should not.
func (v *view) sends(e *graph.Edge, c *concern) string {
	verb := "sends"
	if c.status != verdict.Fail {
		verb = "may send"
	}
	packets := "what is for " + c.way.To.String()
	if condition := c.way.Condition(); condition != "" {
		packets += " (" + condition + ")"
	}
	whose := "pods on " + e.To.Name
	if v.Below != nil && c.part.IsSingleIP() && c.part.Addr() == e.ToCarrier.Endpoint {
		whose = "where its overlay reaches " + e.To.Name
	}
	link := cmp.Or(c.way.Link, "a link that is not known")
	return fmt.Sprintf("%s %s %s, %s, through %s and not", e.From.Name, verb, packets, whose, link)
}

// describeWay adds what makes a way: its rule, its route, what marks packets for it.
func (v *view) describeWay(e *graph.Edge, c *concern, out *verdict.Outcome) {
	from, way, facts := e.From, c.way, out.Facts
	facts["link"] = way.Link
	if l := from.Link(way.Link); l != nil {
		facts["kind"] = kind(l)
	}
	if way.Rule != nil {
		facts["priority"] = fmt.Sprint(way.Rule.Priority)
		facts["selectors"] = routing.Selectors(way.Rule)
		facts["rule"] = routing.DescribeRule(way.Rule)
		out.Add(", by the rule %q", facts["rule"])
		out.Readings = append(out.Readings, verdict.Reading{Node: from.Name, What: "ip rule", Text: facts["rule"]})
	}
	if way.Entry != nil {
		facts["route"] = way.Entry.Destination.String()
		facts["table"] = fmt.Sprint(way.Entry.Table)
		out.Add(", by the route %q", describe(way.Entry))
		out.Readings = append(out.Readings, verdict.Reading{Node: from.Name, What: "routing table",
			Text: describe(way.Entry)})
	}
	out.Variant = v.atFault(e, c, facts)
	if way.Hop {
		facts["hop"] = fmt.Sprint(way.Entry.Hop)
		out.Add("%s", ", one of several next hops: some flows take it")
	}
	for i, d := range way.Marked {
		if out.Variant = "mark"; i < 3 {
			out.Readings = append(out.Readings, verdict.Reading{Node: from.Name, What: "statement that marks",
				Text: routing.DescribeStatement(d)})
		}
		facts["statement"] = routing.DescribeStatement(way.Marked[0])
	}
	if way.Unread {
		out.Variant = "mark"
	}
}

// atFault names what of a way is to be changed: its rule, its route, or a next hop
// of it. What is for more than pods must stay as it is: a rule for every packet, a
// route that is wider than the tunnel's own.
func (v *view) atFault(e *graph.Edge, c *concern, facts map[string]string) string {
	rule, entry := c.way.Rule, c.way.Entry
	narrow := entry != nil && (c.part.Bits() <= entry.Destination.Bits() && c.part.Overlaps(entry.Destination) ||
		slices.ContainsFunc(e.From.Table, func(own *evidence.Route) bool {
			return own.Link == e.FromLink() && wider(own, entry)
		}))
	own := tunnelTables(e.From, e.FromLink())
	switch {
	case rule != nil && slices.Contains(own, rule.Table): // the tunnel's own, whatever else its table has
		if narrow {
			return "route"
		}
		return ""
	case rule != nil && (facts["selectors"] != "" || rule.SuppressLength != nil || rule.SuppressGroup != nil) &&
		entry != nil && entry.Table != mainTable:
		if !alone(e.From, rule) {
			delete(facts, "priority") // it does not say which of them
		}
		return "rule"
	case narrow && c.way.Hop:
		return "hop"
	case narrow || entry == nil:
		return "route"
	case len(own) > 0: // what is put before them would be looked up in the main table
		return ""
	case rule != nil && entry.Table != mainTable:
		if here := rangeOf(e.From, e.From.PodIP(e.Family)); here.IsValid() && rule.Priority > 0 {
			facts["here"] = here.String()
			facts["before"] = fmt.Sprint(rule.Priority - 1)
		}
		return "before"
	case v.Below != nil:
		return "" // where the machines' WireGuard ends cannot be led into it
	}
	return "wide"
}

// tunnelTables are the tables besides the main one that lead into a device: a rule of
// the network plugin's own has them looked up.
func tunnelTables(n *graph.Node, device string) (tables []int) {
	for _, entry := range n.Table {
		routes := entry.Link == device && (entry.Type == "unicast" || entry.Type == "")
		if routes && entry.Table != mainTable && !slices.Contains(tables, entry.Table) {
			tables = append(tables, entry.Table)
		}
	}
	return tables
}

// wider reports whether an entry is for all addresses of another one, but not for
// all there are.
func wider(own, entry *evidence.Route) bool {
	to := own.Destination
	return to.IsValid() && to.Bits() > 0 && to.Bits() <= entry.Destination.Bits() &&
		to.Contains(entry.Destination.Addr())
}

// reencapsulated reports that an entry hands packets to a lightweight tunnel.
func (v *view) reencapsulated(e *graph.Edge, c *concern, out *verdict.Outcome) {
	entry := c.way.Entry
	route := describe(entry)
	out.Variant = "route"
	out.Facts["route"] = entry.Destination.String()
	out.Facts["table"] = fmt.Sprint(entry.Table)
	out.Facts["link"] = entry.Link
	out.Reword("%s hands what is for %s, pods on %s, to the lightweight tunnel %s of the route %q: what that makes "+
		"of it can go another way than into %s",
		e.From.Name, c.way.To.String(), e.To.Name, entry.Encap, route, e.FromLink())
	out.Readings = []verdict.Reading{{Node: e.From.Name, What: "routing table", Text: route}}
}

func (v *view) describeStatement(e *graph.Edge, c *concern, out *verdict.Outcome) {
	n := e.From
	if !slices.Contains(n.Diversions, c.by) {
		n = e.To
	}
	statement := routing.DescribeStatement(c.by)
	out.Variant = c.by.Effect
	out.Facts["node"] = n.Name
	out.Facts["statement"] = statement
	out.Reword("on %s a statement applies to packets from pods on %s to pods on %s: %s",
		n.Name, e.From.Name, e.To.Name, statement)
	if c.status == verdict.Fail {
		out.Facts["link"] = c.by.To
		through := "through"
		if c.by.Effect == evidence.EffectTunnel {
			out.Facts["link"] = c.by.Link
			through = "to"
		}
		out.Add("; %s, %s %s", effects[c.by.Effect], through, c.by.To)
	} else if c.reason != "" {
		out.Add("%s", "; "+c.reason)
	}
	if c.status == verdict.Warn {
		out.Variant = VariantOwnTunnel
	}
	out.Readings = []verdict.Reading{{Node: n.Name, What: "statement", Text: statement}}
}
