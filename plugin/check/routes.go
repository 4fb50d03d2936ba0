package check

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// withoutCarrier is what explains a route past the tunnel: nothing was read, there is
// no tunnel, or another backend.
var withoutCarrier = []string{"WG0103", "WG0107", "WG0101", "WG0104", "WG0201"}

// route judges the route to the other node's pods. That a key is missing explains it
// only where the network plugin itself keeps the pods out of the tunnel.
func (v *view) route(e *graph.Edge) verdict.Outcome {
	out := v.routed(e)
	if out.After == nil {
		out.After = withoutCarrier
	}
	return out
}

func (v *view) routed(e *graph.Edge) verdict.Outcome {
	if v.Below != nil {
		return v.routeBelow(e)
	}
	from, to, device := e.From, e.To, e.FromLink()
	ip, answer := to.PodIP(e.Family), e.Route
	switch {
	case v.clear(e) != "":
		return skip("%s", v.clear(e))
	case !v.Encrypts && device == "":
		return skip("%s does not route pod traffic into a WireGuard tunnel of its own", v.Title)
	case !ip.IsValid():
		return unknown("the test pod on %s has no IPv%d address", to.Name, e.Family)
	case answer == nil:
		return unknown("the kernel of %s was not asked for its route to %s", from.Name, ip)
	case answer.Link == device:
		return v.wholeRange(e)
	case v.Redirects && answer.Link != "":
		return v.redirected(e, ip)
	case to.Sampled && ofTheHost(e, ip):
		return unknown("the kernel of %s was asked as the host itself, whose own packets to %s a rule with \"iif lo\" "+
			"sends via %s; those of pods were not sent", from.Name, ip, answer.Link)
	case v.lent(e):
		return unknown("%s can be a pod's on another node than %s", ip, to.Name)
	case ofTheHost(e, ip) && e.Into.Total() > 0 && len(e.Leaks) == 0:
		return skip("the kernel of %s was asked as the host itself, whose own packets to %s a rule with \"iif lo\" "+
			"sends via %s; those of pods were seen entering %s", from.Name, ip, answer.Link, device)
	case !v.foreseen(e.From, e.Family) && e.Into.Total() > 0:
		return skip("no route leads from %s to %s via %s, which saw the traffic: something else, such as a BPF "+
			"program, leads it there", from.Name, ip, device)
	case !v.intended() && answer.Link != "" && len(e.Leaks) == 0:
		return unknown("%s routes traffic for %s via %s; whether it should use %s is not known",
			from.Name, podsAt{to, ip}, answer.Link, device)
	}
	facts := map[string]string{"node": from.Name, "peer": to.Name, "device": device, "link": answer.Link,
		"ip": fmt.Sprint(e.Family)}
	if answer.Link == "" {
		return noRoute(e, ip, facts)
	}
	return v.anotherLink(e, ip, facts)
}

// withoutTunnel is what an entry that takes precedence can be due to: another
// backend left it or needs it, a tunnel that is missing did not add it.
var withoutTunnel = []string{"WG0103", "WG0107", "WG0101", "WG0104"}

// ofNoBackend is what an entry or a rule can be due to that none of the nodes'
// backends adds.
var ofNoBackend = []string{"WG0103", "WG0107", "WG0104"}

// dueTo returns the checks that can explain an entry that takes precedence: mixed
// backends explain one that the other node's backend adds, see Profile.Backends.
func (v *view) dueTo(e *graph.Edge, winner *evidence.Route) []string {
	link := e.From.Link(winner.Link)
	switch backend := v.Backends[e.To.Name]; {
	case link == nil, backend == "", backend == v.Backend:
	case backend == "host-gw" && link.Role != evidence.RoleOutside, backend == "vxlan" && link.Kind != "vxlan":
		return ofNoBackend
	}
	return withoutTunnel
}

// noRoute reports that the kernel sends what is for a pod nowhere.
func noRoute(e *graph.Edge, ip netip.Addr, facts map[string]string) verdict.Outcome {
	from, to, answer := e.From, e.To, e.Route
	out := fail("%s has no route to %s: %s%s", from.Name, podsAt{to, ip}, answer.Error, answer.Type)
	out.Variant = "none"
	refuses := closest(from.Table, ip, func(*evidence.Route) bool { return true })
	if refuses != nil && slices.Contains(refusals, refuses.Type) {
		out = fail("%s refuses traffic for %s: the route %s takes precedence",
			from.Name, podsAt{to, ip}, describe(refuses))
		out.Variant = "refused"
		out.After = withoutTunnel
		facts["type"] = refuses.Type
		facts["route"] = refuses.Destination.String()
		facts["table"] = fmt.Sprint(refuses.Table)
	}
	if refuses != nil && refuses.Table == mainTable && refuses.Link != "" && unruled(from, e.Family) {
		out.Add("; none of its policy rules leads to the table main, in which the route via %s is", refuses.Link)
		out.Variant = "unruled"
	}
	out.Facts = facts
	out.Kind = verdict.Blocked
	return out
}

// unruled reports whether the rules of a family were read and none leads to the
// table main, as every network namespace has one from the start.
func unruled(n *graph.Node, family int) bool {
	known := false
	for _, r := range n.Rules {
		if r.Family == family && r.Table == mainTable {
			return false
		}
		known = known || r.Family == family
	}
	return known
}

// anotherLink reports that the kernel sends what is for a pod through another link
// than the tunnel, and which rule or route is why.
func (v *view) anotherLink(e *graph.Edge, ip netip.Addr, facts map[string]string) verdict.Outcome {
	from, to, device, answer := e.From, e.To, e.FromLink(), e.Route
	out := fail("%s routes traffic for %s via %s instead of %s",
		from.Name, podsAt{to, ip}, answer.Link, device)
	out.Facts = facts
	into := closest(from.Table, ip, func(r *evidence.Route) bool { return r.Link == device })
	winner := moreSpecific(e, ip, into)
	if winner != nil {
		out.After = v.dueTo(e, winner)
		facts["route"] = winner.Destination.String()
		if podRange := rangeOf(to, ip); podRange.IsValid() && podRange.Bits() <= winner.Destination.Bits() {
			facts["range"] = podRange.String()
		}
		if into != nil && into.Destination == winner.Destination {
			out.Add(": for the same range %s the route via %s takes precedence", winner.Destination, winner.Link)
		} else {
			out.Add(": the more specific route %s via %s takes precedence", winner.Destination, winner.Link)
		}
	}
	if link := from.Link(answer.Link); link != nil {
		facts["kind"] = kind(link)
		out.Variant = v.overlayKind(link)
	}
	switch rule, entry := ruleFor(from, answer, ip), thrown(from, ip, answer); {
	case entry != nil:
		out.Reword("%s sends traffic for %s via %s instead of %s: the route %s keeps it out of the tunnel",
			from.Name, podsAt{to, ip}, answer.Link, device, describe(entry))
		out.Variant = "thrown"
		out.After = slices.Concat(withoutTunnel, withoutKey)
		facts["route"] = entry.Destination.String()
		facts["table"] = fmt.Sprint(entry.Table)
	case answer.Table != mainTable && answer.Table != 0 && rule != nil:
		out.Reword("%s routes traffic for %s via %s instead of %s: the rule of priority %d looks "+
			"it up in table %d", from.Name, podsAt{to, ip}, answer.Link, device, rule.Priority, answer.Table)
		out.Variant = "rule"
		out.After = ofNoBackend
		facts["table"] = fmt.Sprint(answer.Table)
		there, here := rangeOf(to, ip), rangeOf(from, from.PodIP(e.Family))
		if len(tunnelTables(from, device)) == 0 && there.IsValid() && here.IsValid() && rule.Priority > 0 {
			facts["there"] = there.String()
			facts["here"] = here.String()
			facts["before"] = fmt.Sprint(rule.Priority - 1)
		}
	case winner == nil && into == nil:
		out.Add(": it has no route into %s", device)
		out.Variant = "none"
		if entry := v.inItsPlace(e, ip); entry != nil {
			out.Add(", since the route %s via %s is there in its place", entry.Destination, entry.Link)
			out.Variant = "taken"
			out.After = withoutTunnel
			facts["route"] = entry.Destination.String()
		}
	}
	out.Readings = routeReadings(e, ip)
	return out
}

// inItsPlace is an entry of the sender for the very range that other nodes route
// into their tunnels, nil if there is none: a second one for it cannot be added.
func (v *view) inItsPlace(e *graph.Edge, ip netip.Addr) *evidence.Route {
	taken := closest(e.From.Table, ip, func(r *evidence.Route) bool {
		return r.Link == e.Route.Link && r.Table == mainTable && r.Destination.Bits() > 0
	})
	if taken == nil {
		return nil
	}
	for _, n := range v.Nodes {
		tunnel := n.Carrier(e.Family).Name
		if n != e.From && slices.ContainsFunc(n.Table, func(r *evidence.Route) bool {
			return r.Link == tunnel && r.Destination == taken.Destination
		}) {
			return taken
		}
	}
	return nil
}

// overlayKind is the kind of a link, but of an overlay only if another backend of
// the network plugin made it: whose another one is is not known.
func (v *view) overlayKind(link *evidence.Link) string {
	switch {
	case link.Kind == "vxlan" && (v.OldLink == nil || !v.OldLink(link.Name)):
		return ""
	case link.Kind == "bridge" && link.Role == evidence.RoleOutside: // the host's own way out
		return ""
	}
	return kind(link)
}

// moreSpecific is the entry that wins over the tunnel's for an address, nil if
// none does: one that is for more than pods wins over no other where the tunnel's
// is missing.
func moreSpecific(e *graph.Edge, ip netip.Addr, into *evidence.Route) *evidence.Route {
	answer := e.Route
	winner := closest(e.From.Table, ip, func(r *evidence.Route) bool {
		return r.Link == answer.Link && (answer.Table == 0 || r.Table == answer.Table) && r.Destination.Bits() > 0
	})
	podRange := rangeOf(e.To, ip)
	if winner != nil && into == nil && (!podRange.IsValid() || podRange.Bits() > winner.Destination.Bits()) {
		return nil
	}
	return winner
}

// routeReadings are the kernel's answer for an address, then the entries that
// match it and the link.
func routeReadings(e *graph.Edge, ip netip.Addr) []verdict.Reading {
	from := e.From
	readings := []verdict.Reading{{
		Node: from.Name, What: "ip route get " + ip.String(), Text: describeTo(ip, e.Route),
	}}
	for _, entry := range from.Table {
		if matches(entry, ip) && entry.Destination.Bits() > 0 {
			readings = append(readings, verdict.Reading{Node: from.Name, What: "routing table", Text: describe(entry)})
		}
	}
	if link := from.Link(e.Route.Link); link != nil {
		readings = append(readings, verdict.Reading{
			Node: from.Name, What: "link " + link.Name, Text: kind(link) + ", " + string(link.Role),
		})
	}
	slices.SortStableFunc(readings[1:], func(a, b verdict.Reading) int { return strings.Compare(a.Text, b.Text) })
	return readings
}

// wholeRange passes if no entry of the main table leads a part of the other
// node's pod range past the tunnel: the test pod stands for all of them.
func (v *view) wholeRange(e *graph.Edge) verdict.Outcome {
	from, to, device := e.From, e.To, e.FromLink()
	ip := to.PodIP(e.Family)
	podRange := rangeOf(to, ip)
	for _, entry := range from.Table {
		part := podRange.IsValid() && podRange.Bits() <= entry.Destination.Bits() &&
			podRange.Contains(entry.Destination.Addr())
		if !v.Encrypts || !part || entry.Table != mainTable || entry.Link == device || !e.ToCarrier.Assigned ||
			answeredBefore(e) {
			continue
		}
		facts := map[string]string{"node": from.Name, "peer": to.Name, "device": device,
			"route": entry.Destination.String(), "ip": fmt.Sprint(e.Family)}
		var out verdict.Outcome
		switch {
		case slices.Contains(refusals, entry.Type):
			out = fail("%s refuses traffic for %s, a part of the pods on %s", from.Name, entry.Destination, to.Name)
			out.Variant = "refused"
			out.Kind = verdict.Blocked
			facts["type"] = entry.Type
			facts["table"] = fmt.Sprint(entry.Table)
		case entry.Link != "" && (entry.Type == "unicast" || entry.Type == ""):
			out = fail("%s routes traffic for %s, a part of the pods on %s, via %s instead of %s, though not "+
				"that for %s", from.Name, entry.Destination, to.Name, entry.Link, device, standIn(to, ip))
			facts["link"] = entry.Link
			facts["range"] = podRange.String()
			if link := from.Link(entry.Link); link != nil {
				out.Variant = v.overlayKind(link)
				facts["kind"] = kind(link)
			}
		default:
			continue
		}
		out.Facts = facts
		out.After = withoutTunnel
		out.Readings = []verdict.Reading{{Node: from.Name, What: "routing table", Text: describe(entry)}}
		return out
	}
	return pass("%s reaches %s via %s", from.Name, ip, device)
}

// answeredBefore reports whether a rule has another table answer before the main
// one: what is in that then bears only on what the other does not answer.
func answeredBefore(e *graph.Edge) bool { return e.Route.Table != 0 && e.Route.Table != mainTable }

// mainTable is RT_TABLE_MAIN of linux/rtnetlink.h.
const mainTable = 254

// refusals are the types of route that answer a packet with nothing or with an error.
var refusals = []string{"blackhole", "unreachable", "prohibit"}

func matches(entry *evidence.Route, ip netip.Addr) bool {
	return entry.Destination.IsValid() && entry.Destination.Contains(ip)
}

// closest returns the most specific of the entries for an address that are
// wanted, nil if there is none.
func closest(table []*evidence.Route, ip netip.Addr, wanted func(*evidence.Route) bool) *evidence.Route {
	var best *evidence.Route
	for _, entry := range table {
		if matches(entry, ip) && wanted(entry) && (best == nil || entry.Destination.Bits() > best.Destination.Bits()) {
			best = entry
		}
	}
	return best
}

// ruleFor returns the first policy routing rule that leads to the table of the
// kernel's answer.
func ruleFor(n *graph.Node, answer *evidence.Route, ip netip.Addr) *evidence.Rule {
	var first *evidence.Rule
	for _, r := range n.Rules {
		if !kernels(r) && r.Table == answer.Table && r.Family == family(ip) && (!r.To.IsValid() || r.To.Contains(ip)) &&
			(first == nil || r.Priority < first.Priority) {
			first = r
		}
	}
	return first
}

// ofTheHost reports whether the kernel's answer comes from a rule for what the host
// sends itself: it is asked as for such a packet, and forwards those of pods.
func ofTheHost(e *graph.Edge, ip netip.Addr) bool {
	rule := ruleFor(e.From, e.Route, ip)
	return rule != nil && rule.In == loopback && !rule.Not
}

// loopback is the link that a host's own packets come from, to rules.
const loopback = "lo"

// kernels reports whether a rule is one of the three that every network
// namespace has from the start, see fib_rules_init in the kernel.
func kernels(r *evidence.Rule) bool {
	const localTable, defaultTable = 255, 253
	tables := map[int]int{0: localTable, 32766: mainTable, 32767: defaultTable}
	table, known := tables[r.Priority]
	return known && r.Table == table && !r.From.IsValid() && !r.To.IsValid() && r.Mask == 0 && r.In == "" && !r.Not
}

func family(ip netip.Addr) int {
	if ip.Is4() {
		return 4
	}
	return 6
}

// rangeOf returns the node's pod range that an address is of.
func rangeOf(n *graph.Node, ip netip.Addr) netip.Prefix {
	for _, podRange := range n.PodCIDRs {
		if podRange.Contains(ip) {
			return podRange
		}
	}
	return netip.Prefix{}
}

func describeTo(ip netip.Addr, r *evidence.Route) string {
	answer := *r
	answer.For = ip
	return describe(&answer)
}

func describe(r *evidence.Route) string {
	text := "default"
	switch {
	case r.For.IsValid():
		text = r.For.String()
	case r.Destination.IsValid() && r.Destination != netip.PrefixFrom(r.Destination.Addr(), 0):
		text = r.Destination.String()
	}
	if r.Type != "" && r.Type != "unicast" {
		text = r.Type + " " + text
	}
	if r.Encap != "" {
		text += " encap " + r.Encap
	}
	if r.Gateway.IsValid() {
		text += " via " + r.Gateway.String()
	}
	if r.Link != "" {
		text += " dev " + r.Link
	}
	if r.Table != 0 && r.Table != mainTable {
		text += fmt.Sprintf(" table %d", r.Table)
	}
	return text
}
