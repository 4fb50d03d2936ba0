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

// outputHooks are those that a datagram of the host passes before a capture sees
// it leave, in order.
var outputHooks = []string{"output", "postrouting", "egress"}

// unsent are datagrams of a tunnel that do not leave the node.
type unsent struct {
	*graph.Edge
	endpoint netip.Addr
	port     uint16
	found    dropped // what filters do with them
}

// toSend is the way of the sender's messages out of it, from one of its addresses
// to an endpoint.
func toSend(e *graph.Edge, from netip.Addr, endpoint netip.AddrPort) *unsent {
	u := &unsent{Edge: e, endpoint: endpoint.Addr(), port: endpoint.Port()}
	p := passing{
		family: family(u.endpoint), from: ownAddress(e.From, from), to: u.endpoint,
		protocol: protocolUDP, port: u.port,
	}
	if e.EndpointRoute != nil && e.EndpointRoute.Link != "" {
		p.out = []string{e.EndpointRoute.Link}
		p.bridged = bridged(e.From, p.out)
	}
	u.found = p.meets(e.From, outputHooks...)
	return u
}

// notSent explains why packets enter the tunnel and no message leaves the host: the
// route to the endpoint first, then filters, then the neighbour.
func notSent(e *graph.Edge) verdict.Outcome {
	u := toSend(e, e.Received.Endpoint.Addr(), e.Sent.Endpoint)
	found := u.found
	for _, cause := range []func() (verdict.Outcome, bool){
		u.rewritten, u.refused, u.own, u.overlap, u.loop,
		func() (verdict.Outcome, bool) { return u.rule(found.certain) },
		u.untracked, u.neighbour, u.otherTunnel,
	} {
		if out, found := cause(); found {
			return out
		}
	}
	out := fail("packets for %s enter %s of %s, and no WireGuard message leaves the host: what drops its UDP to %s "+
		"was not found",
		e.To.Name, e.FromLink(), e.From.Name, e.Sent.Endpoint)
	out.Variant = "output"
	out.Facts = u.facts()
	if len(found.doubtful) > 0 {
		out.Add(", a rule whose conditions were not all understood may (chain %s)", whereIs(found.doubtful[0]))
		out.Readings = ruleReadings(e.From, found.doubtful...)
	}
	out.Readings = append(out.Readings, u.routeReading()...)
	return out
}

func (u *unsent) facts() map[string]string {
	facts := map[string]string{
		"node": u.From.Name, "peer": u.To.Name, "port": fmt.Sprint(u.port), "device": u.FromLink(),
		"end": "daddr", "side": "destination", "version": fmt.Sprint(family(u.endpoint)),
	}
	addAddress(facts, u.endpoint)
	return facts
}

// routeReading is the kernel's answer for the endpoint, and the entry that it is from.
func (u *unsent) routeReading() (readings []verdict.Reading) {
	answer := u.EndpointRoute
	if answer == nil {
		return nil
	}
	text := answer.Error
	if text == "" {
		text = describeTo(u.endpoint, answer)
	}
	readings = append(readings, verdict.Reading{Node: u.From.Name, What: "ip route get " + u.endpoint.String(),
		Text: text})
	if entry := u.entry(); entry != nil && entry.Destination.Bits() > 0 {
		readings = append(readings, verdict.Reading{Node: u.From.Name, What: "routing table", Text: describe(entry)})
	}
	return readings
}

// entry is the most specific entry for the endpoint that was reported, of the
// answer's table where that is known.
func (u *unsent) entry() *evidence.Route {
	answer := u.EndpointRoute
	return closest(u.From.Table, u.endpoint, func(r *evidence.Route) bool {
		return answer.Table == 0 || answer.Link == "" || r.Table == answer.Table && r.Link == answer.Link
	})
}

// onlyFor reports whether an entry is for the endpoint alone and the only one of
// its kind, so that a command can name it for certain.
func (u *unsent) onlyFor(entry *evidence.Route) bool {
	if entry == nil || !entry.Destination.IsSingleIP() || entry.Table == 0 {
		return false
	}
	same := 0
	for _, r := range u.From.Table {
		if r.Destination == entry.Destination {
			same++
		}
	}
	return same == 1
}

// byRoute is a fault of the route to the endpoint.
func (u *unsent) byRoute(variant string, out verdict.Outcome) (verdict.Outcome, bool) {
	out.Variant = variant
	out.Facts = u.facts()
	out.Readings = u.routeReading()
	if entry := u.entry(); u.onlyFor(entry) {
		out.Facts["route"] = entry.Destination.String()
		out.Facts["table"] = fmt.Sprint(entry.Table)
		out.Facts["type"] = entry.Type
		if entry.Link != "" {
			out.Facts["link"] = entry.Link
		}
	}
	return out, true
}

// rewritten: they do leave, from another port than the tunnel's own.
func (u *unsent) rewritten() (verdict.Outcome, bool) {
	own := u.FromCarrier.Device.Port
	port := u.RewrittenPort
	if port == 0 {
		return verdict.Outcome{}, false
	}
	out := fail("WireGuard messages of %s to %s leave it from UDP port %d and not from %d: a translation on it "+
		"rewrites the source port, and none is accepted", u.From.Name, u.To.Name, port, own)
	out.Variant = "source-port"
	out.Facts = u.facts()
	out.Facts["own"] = fmt.Sprint(own)
	answers := passing{family: family(u.endpoint), protocol: protocolUDP, port: own, toHost: true}
	if f := answers.translated(u.From); f != nil {
		out.Readings = ruleReadings(u.From, f)
	}
	return out, true
}

// refused: the kernel has no route to the endpoint, or one that refuses.
func (u *unsent) refused() (verdict.Outcome, bool) {
	answer := u.EndpointRoute
	if answer == nil || answer.Link != "" && !slices.Contains(refusals, answer.Type) {
		return verdict.Outcome{}, false
	}
	entry := u.entry()
	if entry != nil && slices.Contains(refusals, entry.Type) {
		return u.byRoute("unreachable", fail("%s cannot send to the endpoint of %s, %s: the route %s refuses it",
			u.From.Name, u.To.Name, u.endpoint, describe(entry)))
	}
	if rule := u.refusingRule(); rule != nil {
		return u.byRoute("no-route", fail("%s cannot send to the endpoint of %s, %s: the policy rule of priority %d "+
			"refuses it (%s)", u.From.Name, u.To.Name, u.endpoint, rule.Priority, rule.Action))
	}
	why := answer.Error
	if why == "" {
		why = answer.Type
	}
	return u.byRoute("no-route", fail("%s has no route to the endpoint of %s, %s: %s", u.From.Name, u.To.Name,
		u.endpoint, why))
}

// refusingRule is a policy rule that refuses what is for the endpoint, nil if none
// is known to.
func (u *unsent) refusingRule() *evidence.Rule {
	for _, r := range u.From.Rules {
		forIt := !r.To.IsValid() || r.To.Contains(u.endpoint)
		if r.Family == family(u.endpoint) && slices.Contains(refusals, r.Action) && forIt && !r.Not {
			return r
		}
	}
	return nil
}

// own: the node takes the endpoint's address for its own, so that nothing for it
// leaves.
func (u *unsent) own() (verdict.Outcome, bool) {
	if !toItself(u.Edge) {
		return verdict.Outcome{}, false
	}
	link := u.EndpointRoute.Link
	for _, a := range u.From.Addresses {
		if a.Prefix.Addr() == u.endpoint {
			link = a.Link // the kernel's answer names the loopback link
		}
	}
	out, found := u.byRoute("own-address", fail("%s takes the endpoint of %s, %s, for an address of its own (on %s), "+
		"so nothing for it leaves", u.From.Name, u.To.Name, u.endpoint, link))
	out.Facts["link"] = link
	return out, found
}

// toItself reports whether the sender's own routes take the receiver's endpoint for an
// address of the sender.
func toItself(e *graph.Edge) bool { return e.EndpointRoute != nil && e.EndpointRoute.Type == "local" }

// overlap: the endpoint lies in the range of the node's own pods, so that it is
// looked for among them.
func (u *unsent) overlap() (verdict.Outcome, bool) {
	answer, podRange := u.EndpointRoute, rangeOf(u.From, u.endpoint)
	if answer == nil || !podRange.IsValid() || !podRange.Contains(answer.Destination.Addr()) {
		return verdict.Outcome{}, false
	}
	out := fail("%s looks for the endpoint of %s, %s, among its own pods (on %s): the address lies in their range %s, "+
		"which overlaps the nodes' own network", u.From.Name, u.To.Name, u.endpoint, answer.Link, podRange)
	out, found := u.byRoute("overlap", out)
	out.Facts["range"] = podRange.String()
	return out, found
}

// loop: the way to the endpoint leads into the tunnel itself.
func (u *unsent) loop() (verdict.Outcome, bool) {
	answer := u.EndpointRoute
	if answer == nil || answer.Link != u.FromLink() {
		return verdict.Outcome{}, false
	}
	out := fail("the route of %s to the endpoint of %s, %s, leads into %s itself: a loop, and nothing of it leaves "+
		"the host",
		u.From.Name, u.To.Name, u.endpoint, answer.Link)
	if covers := answer.Destination; covers.IsValid() && !covers.IsSingleIP() {
		out.Add(" (the route %s covers the nodes' own network)", covers)
	}
	return u.byRoute("loop", out)
}

// otherTunnel: the way to the endpoint leads into another tunnel, and nothing of
// it arrives.
func (u *unsent) otherTunnel() (verdict.Outcome, bool) {
	answer := u.EndpointRoute
	if answer == nil {
		return verdict.Outcome{}, false
	}
	link := u.From.Link(answer.Link)
	if link == nil || link.Role == evidence.RoleOutside {
		return verdict.Outcome{}, false
	}
	return u.byRoute("vpn", fail("the route of %s to the endpoint of %s, %s, leads into %s (%s), and nothing of it "+
		"arrives",
		u.From.Name, u.To.Name, u.endpoint, link.Name, kind(link)))
}

// rule: a rule of the host's own firewall drops what it sends.
func (u *unsent) rule(f *evidence.Firewall) (verdict.Outcome, bool) {
	if f == nil {
		return verdict.Outcome{}, false
	}
	out := fail("packets for %s enter %s of %s, and its kernel drops the WireGuard messages before they leave: %s",
		u.To.Name, u.FromLink(), u.From.Name, whatDrops(f, u.port))
	if u.Into.Total() == 0 {
		out.Reword("%s drops WireGuard messages for %s before they leave: %s", u.From.Name, u.To.Name,
			whatDrops(f, u.port))
	}
	out.Facts = u.facts()
	addRule(&out, u.From, f)
	if strings.Contains(out.Variant, "-") {
		out.Variant = "output-" + out.Variant
	}
	out.After = ofTheRun
	return out, true
}

// untracked: the node cannot track one more connection.
func (u *unsent) untracked() (verdict.Outcome, bool) {
	full := tableFull(u.From)
	if full == nil {
		return verdict.Outcome{}, false
	}
	out := fail("packets for %s enter %s of %s, and no WireGuard message leaves the host: its "+
		"%s", u.To.Name, u.FromLink(), u.From.Name, noRoom(full))
	out.Variant = "conntrack"
	out.Facts = u.facts()
	out.Readings = []verdict.Reading{counterReading(u.From, full)}
	return out, true
}

// neighbour: the next hop to the endpoint does not answer.
func (u *unsent) neighbour() (verdict.Outcome, bool) {
	answer := u.EndpointRoute
	if answer == nil {
		return verdict.Outcome{}, false
	}
	hop := answer.Gateway
	if !hop.IsValid() {
		hop = u.endpoint
	}
	for _, n := range u.From.Neighbours {
		if n.Address != hop || n.Link != answer.Link {
			continue
		}
		asks := "ARP"
		if hop.Is6() {
			asks = "neighbour discovery"
		}
		out := fail("%s gets no answer to %s for %s on %s, so nothing for %s leaves it", u.From.Name, asks, hop,
			n.Link, u.To.Name)
		out.Variant = "neighbour"
		out.Facts = u.facts()
		out.Facts["link"] = n.Link
		out.Facts["hop"] = hop.String()
		out.Readings = append(u.routeReading(), verdict.Reading{
			Node: u.From.Name, What: "ip neighbour show dev " + n.Link, Text: hop.String() + " " + n.State,
		})
		return out, true
	}
	return verdict.Outcome{}, false
}
