package check

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// inputHooks are those that a datagram for the host passes, in order.
var inputHooks = []string{"ingress", "prerouting", "input"}

// unaccepted are datagrams of a tunnel that arrive at a node's card and that its
// WireGuard does not accept.
type unaccepted struct {
	*graph.Edge
	passing
	links []string // that they arrive on, as routing knows them
	found dropped
}

// toReceiver is the way of the sender's messages into the receiver, between two
// addresses of the nodes.
func toReceiver(e *graph.Edge, from, to netip.Addr) *unaccepted {
	u := &unaccepted{Edge: e, links: routedLinks(e.To, e.InLinks)}
	u.passing = passing{
		family: family(to), from: from, to: ownAddress(e.To, to), toHost: true,
		in: e.InLinks, bridged: bridged(e.To, e.InLinks),
		protocol: protocolUDP, port: e.ToCarrier.Device.Port,
	}
	u.found = u.meets(e.To, inputHooks...)
	return u
}

// notAccepted explains why, what is certain first.
func notAccepted(e *graph.Edge) verdict.Outcome {
	u := toReceiver(e, e.Received.Endpoint.Addr(), e.Sent.Endpoint.Addr())
	for _, cause := range []func() (verdict.Outcome, bool){
		u.rule, u.onePreshared, u.clock, u.translation, u.reversePath, u.checksum, u.untracked, u.preshared,
		u.doubtful,
	} {
		if out, found := cause(); found {
			return out
		}
	}
	out := fail("WireGuard messages of %s reach %s of %s, and %s there accepts none of them: what drops them was "+
		"not found",
		e.From.Name, u.arrivesOn(), e.To.Name, e.ToLink())
	out.Variant = "dropped"
	out.Facts = u.facts()
	for _, count := range e.To.StackCounts {
		out.Readings = append(out.Readings, counterReading(e.To, count))
	}
	return out
}

// drops begins the sentence of what was found.
func (u *unaccepted) drops(because string, args ...any) verdict.Outcome {
	out := fail("WireGuard messages of %s reach %s of %s, and its kernel drops them before %s: ", u.From.Name,
		u.arrivesOn(),
		u.To.Name, u.ToLink())
	out.Add(because, args...)
	out.Facts = u.facts()
	return out
}

func (u *unaccepted) arrivesOn() string {
	if len(u.links) == 0 {
		return "the network card"
	}
	return list(u.links)
}

func (u *unaccepted) facts() map[string]string {
	facts := map[string]string{
		"node": u.To.Name, "peer": u.From.Name, "port": fmt.Sprint(u.port), "device": u.ToLink(),
		"end": "saddr", "side": "source", "version": fmt.Sprint(u.family),
	}
	if len(u.links) > 0 {
		facts["link"] = u.links[0]
	}
	addAddress(facts, u.passing.from)
	return facts
}

// addAddress adds the address that an accept is narrowed to.
func addAddress(facts map[string]string, addr netip.Addr) {
	facts["ip"] = "ip"
	if addr.Is6() {
		facts["ip"] = "ip6"
	}
	if addr.IsValid() {
		facts["address"] = addr.String()
	}
}

// rule is a rule or a policy that drops all of them.
func (u *unaccepted) rule() (verdict.Outcome, bool) {
	f := u.found.certain
	if f == nil {
		return verdict.Outcome{}, false
	}
	out := u.drops("%s", whatDrops(f, u.port))
	if u.In.Messages() == 0 {
		out.Reword("%s drops WireGuard messages of %s before %s: %s", u.To.Name, u.From.Name, u.ToLink(),
			whatDrops(f, u.port))
	}
	addRule(&out, u.To, f)
	out.After = ofTheRun
	return out, true
}

// ofTheRun are the checks without which nothing was measured: what a finding that
// names its own cause can be due to.
var ofTheRun = []string{"WG0103", "WG0107"}

// whatDrops names a rule that drops the port.
func whatDrops(f *evidence.Firewall, port uint16) string {
	switch {
	case f.Tool == "tc":
		return fmt.Sprintf("a filter of traffic control (tc) on %s drops UDP port %d", f.Link, port)
	case isDefault(f) || unconditional(f):
		return fmt.Sprintf("the firewall drops what it does not accept (chain %s), and accepts no UDP port %d",
			whereIs(f), port)
	}
	return fmt.Sprintf("a firewall rule (chain %s) drops UDP port %d", whereIs(f), port)
}

// isDefault reports whether it is the policy of a base chain.
func isDefault(f *evidence.Firewall) bool { return f.Rule == "policy drop" }

// unconditional reports whether a rule drops all that the rules before it left.
func unconditional(f *evidence.Firewall) bool {
	return f.When != nil && reflect.DeepEqual(*f.When, evidence.Selector{})
}

// addRule adds a rule to the readings, and what a remedy needs to set another
// directly before it.
func addRule(out *verdict.Outcome, n *graph.Node, f *evidence.Firewall) {
	out.Variant = variantOf(f)
	out.Readings = ruleReadings(n, f)
	for name, value := range map[string]string{
		"family": f.Family, "table": f.Table, "chain": f.Chain, "link": f.Link, "iptables": iptables(f),
	} {
		if value != "" {
			out.Facts[name] = value
		}
	}
	if f.Handle > 0 {
		out.Facts["handle"] = fmt.Sprint(f.Handle)
	}
	if f.Number > 0 {
		out.Facts["number"] = fmt.Sprint(f.Number)
	}
}

// variantOf is the tool that a rule is changed by, and whether it is a rule or a policy.
func variantOf(f *evidence.Firewall) string {
	kind := "rule"
	if isDefault(f) {
		kind = "policy"
	}
	switch {
	case f.Tool == "tc":
		return "tc"
	case evidence.OfPolicies(f.Table, f.Chain):
		return "policies"
	case f.Tool == "firewalld": // owns its table: nft may not change it
		return "firewalld-" + kind
	case iptables(f) != "" && f.When != nil:
		return "iptables-" + kind
	}
	return "nft-" + kind
}

// iptables names the program that manages the table of a rule, empty if none
// does: iptables-nft names tables and base chains as the old iptables.
func iptables(f *evidence.Firewall) string {
	name := ""
	switch f.Family {
	case "ip":
		name = "iptables"
	case "ip6":
		name = "ip6tables"
	}
	base := f.Base != "" && f.Base == strings.ToUpper(f.Hook)
	known := slices.Contains([]string{"raw", "mangle", "filter", "security"}, f.Table)
	switch {
	case name == "" || !base || !known:
		return ""
	case f.Tool == "iptables-legacy":
		return name + "-legacy"
	}
	return name + "-nft"
}

// onePreshared: only one of the two ends has a preshared key for the other.
func (u *unaccepted) onePreshared() (verdict.Outcome, bool) {
	there, here := u.Back().Peer, u.Peer
	if there == nil || here == nil || there.Preshared == here.Preshared {
		return verdict.Outcome{}, false
	}
	with, without := u.From.Name, u.To.Name
	if there.Preshared {
		with, without = without, with
	}
	out := fail("WireGuard on %s does not accept what %s sends: %s has a preshared key for %s, which has none for it",
		u.To.Name, u.From.Name, with, without)
	out.Variant = "handshake"
	out.Facts = u.facts()
	out.Readings = u.keyReadings()
	out.After = ofTheRun
	return out, true
}

// preshared: both have a preshared key, and the one message that it goes into, a
// responder's answer, is not accepted.
func (u *unaccepted) preshared() (verdict.Outcome, bool) {
	there, here := u.Back().Peer, u.Peer
	if there == nil || here == nil || !there.Preshared || !here.Preshared || u.In.Responses == 0 {
		return verdict.Outcome{}, false
	}
	out := fail("WireGuard on %s does not accept what %s sends, handshake answers among it, and nothing was found "+
		"that drops it: the preshared keys of the two may differ", u.To.Name, u.From.Name)
	out.Variant = "handshake"
	out.Facts = u.facts()
	out.Readings = u.keyReadings()
	return out, true
}

func (u *unaccepted) keyReadings() []verdict.Reading {
	reading := func(n, other *graph.Node, p *graph.Peer) verdict.Reading {
		text := "none"
		if p.Preshared {
			text = "set"
		}
		return verdict.Reading{Node: n.Name, What: "preshared key for " + other.Name, Text: text}
	}
	return []verdict.Reading{reading(u.From, u.To, u.Peer), reading(u.To, u.From, u.Back().Peer)}
}

// clock: WireGuard takes no handshake that is older than the last one.
func (u *unaccepted) clock() (verdict.Outcome, bool) {
	if u.In.Initiations == 0 || !u.Received.Handshake || u.Received.Age >= 0 {
		return verdict.Outcome{}, false
	}
	out := fail("%s rejects handshakes of %s: the last accepted one lies %s in the future of its own clock, which was "+
		"set back, and WireGuard rejects older ones",
		u.To.Name, u.From.Name, (-time.Duration(u.Received.Age)).Round(time.Second))
	out.Variant = "clock"
	out.Facts = u.facts()
	out.After = ofTheRun
	return out, true
}

// translation: a rule gives them another target than the host.
func (u *unaccepted) translation() (verdict.Outcome, bool) {
	f := u.translated(u.To)
	if f == nil {
		return verdict.Outcome{}, false
	}
	out := fail("WireGuard messages of %s reach %s of %s, and its kernel sends them elsewhere before they reach "+
		"%s: a rule (chain %s) translates the target of UDP port "+
		"%d", u.From.Name, u.arrivesOn(), u.To.Name, u.ToLink(), whereIs(f), u.port)
	out.Variant = "dnat"
	out.Facts = u.facts()
	out.Readings = ruleReadings(u.To, f)
	out.After = ofTheRun
	return out, true
}

// reversePath: the kernel drops what arrives by another link than the route back
// to its sender leaves by (rp_filter). IPv6 has no such filter of the kernel's own.
func (u *unaccepted) reversePath() (verdict.Outcome, bool) {
	back := u.Back().EndpointRoute
	const strict = 1
	for _, name := range u.links {
		link := u.To.Link(name)
		elsewhere := back != nil && back.Link != "" && back.Link != name
		if u.family != 4 || !elsewhere || link == nil || link.ReversePath != strict {
			continue
		}
		u.links = []string{name}
		out := u.drops("rp_filter of %s is strict (1), and the route back to %s leaves by %s", name, u.passing.from,
			back.Link)
		out.Variant = "reverse-path"
		out.Facts["link"] = name
		out.Facts["back"] = back.Link
		out.Readings = []verdict.Reading{
			{Node: u.To.Name, What: "net.ipv4.conf." + name + ".rp_filter", Text: "1, the larger of its own and " +
				"that of all"},
			{Node: u.To.Name, What: "ip route get " + u.passing.from.String(), Text: describeTo(u.passing.from, back)},
		}
		out.Readings = append(out.Readings, u.counters("IPReversePathFilter")...)
		return out, true
	}
	for _, f := range u.found.doubtful {
		// iptables' match rpfilter does what rp_filter does.
		matches := f.When != nil && slices.Contains(f.When.Other, "rpfilter")
		if !matches || back == nil || back.Link == "" || slices.Contains(u.links, back.Link) {
			continue
		}
		out := u.drops("a rule (chain %s) drops what arrives by another link than the route back to its sender takes, "+
			"and that to %s leaves by %s", whereIs(f), u.passing.from, back.Link)
		out.Variant = "reverse-path"
		out.Readings = ruleReadings(u.To, f)
		return out, true
	}
	readings := u.counters("IPReversePathFilter")
	if u.family != 4 || len(readings) == 0 {
		return verdict.Outcome{}, false
	}
	out := u.drops("it dropped datagrams that arrived by another link than the route back to their sender takes " +
		"(rp_filter)")
	out.Variant = "reverse-path"
	out.Readings = readings
	return out, true
}

// checksum: datagrams arrived damaged, or a card's offload computes wrongly.
func (u *unaccepted) checksum() (verdict.Outcome, bool) {
	name := "UdpInCsumErrors"
	if u.family == 6 {
		name = "Udp6InCsumErrors"
	}
	readings := u.counters(name)
	if len(readings) == 0 {
		return verdict.Outcome{}, false
	}
	out := u.drops("UDP datagrams arrived with wrong checksums")
	out.Variant = "checksum"
	out.Readings = readings
	return out, true
}

// untracked: the node cannot track one more connection.
func (u *unaccepted) untracked() (verdict.Outcome, bool) {
	full := tableFull(u.To)
	if full == nil {
		return verdict.Outcome{}, false
	}
	out := u.drops("its %s", noRoom(full))
	out.Variant = "conntrack"
	out.Readings = []verdict.Reading{counterReading(u.To, full)}
	return out, true
}

// tableFull is the counter of packets that a node dropped while its table of
// connections had little room or none, nil if it dropped none so.
func tableFull(n *graph.Node) *evidence.StackCount {
	for _, count := range n.StackCounts {
		little := count.Level >= count.Of-count.Of/20
		if count.Name == evidence.ConntrackDrop && count.Of > 0 && little {
			return count
		}
	}
	return nil
}

func noRoom(full *evidence.StackCount) string {
	return fmt.Sprintf("connection tracking (nf_conntrack) dropped %s, and its table has %d of %d entries",
		plural(full.Rise, "packet"), full.Level, full.Of)
}

// counters are the readings of counters of the network stack that rose.
func (u *unaccepted) counters(names ...string) (readings []verdict.Reading) {
	for _, count := range u.To.StackCounts {
		if slices.Contains(names, count.Name) {
			readings = append(readings, counterReading(u.To, count))
		}
	}
	return readings
}

func counterReading(n *graph.Node, count *evidence.StackCount) verdict.Reading {
	return verdict.Reading{Node: n.Name, What: "counter " + count.Name, Text: fmt.Sprintf("rose by %d during the run",
		count.Rise)}
}

// doubtful: something may drop them, of which it is not known whether it does.
func (u *unaccepted) doubtful() (verdict.Outcome, bool) {
	rules := u.found.doubtful
	programs := programsAt(u.To, u.InLinks)
	if len(rules)+len(programs) == 0 {
		return verdict.Outcome{}, false
	}
	out := fail("WireGuard messages of %s reach %s of %s, and %s there accepts none of them: what drops them is "+
		"not known",
		u.From.Name, u.arrivesOn(), u.To.Name, u.ToLink())
	out.Facts = u.facts()
	switch {
	case len(rules) > 0 && (u.names(rules[0]) || len(programs) == 0):
		out.Add(", a rule whose conditions were not all understood may (chain %s)", whereIs(rules[0]))
		out.Variant = "doubtful"
	default:
		out.Add(", a BPF program on %s can", programs[0].What)
		out.Variant = "program"
	}
	out.Readings = append(ruleReadings(u.To, rules...), programs...)
	return out, true
}

// programsAt are the programs that see what arrives on links before the host does.
func programsAt(n *graph.Node, links []string) (readings []verdict.Reading) {
	for _, name := range links {
		if link := n.Link(name); link != nil && link.XDP != nil {
			readings = append(readings, verdict.Reading{Node: n.Name, What: name,
				Text: fmt.Sprintf("XDP program %d (%s)",
					link.XDP.ID, link.XDP.Mode)})
		}
		for _, d := range n.Diversions {
			if d.Link == name && d.Effect == evidence.EffectBPF && d.Hook == "ingress" {
				readings = append(readings, verdict.Reading{Node: n.Name, What: name,
					Text: d.By + " ingress, " + d.Rule})
			}
		}
	}
	const most = 4
	return readings[:min(len(readings), most)]
}

// routedLinks are those of some links that routing knows what passes them by: not
// a port of a bridge or a bond, nor the link below a VLAN, where the upper is
// among them too.
func routedLinks(n *graph.Node, links []string) (routed []string) {
	for _, name := range links {
		link := n.Link(name)
		below := slices.ContainsFunc(links, func(other string) bool {
			upper := n.Link(other)
			return upper != nil && upper.Parent == name
		})
		if link != nil && link.Master == "" && !below {
			routed = append(routed, name)
		}
	}
	if len(routed) == 0 {
		return links
	}
	return routed
}

// bridged reports whether one of some links is a port of a bridge or a bond.
func bridged(n *graph.Node, links []string) bool {
	return slices.ContainsFunc(links, func(name string) bool {
		link := n.Link(name)
		return link != nil && link.Master != ""
	})
}

// ownAddress returns an address if it is one of a node's links, else the zero Addr:
// before a translation on the way it was another.
func ownAddress(n *graph.Node, addr netip.Addr) netip.Addr {
	if slices.ContainsFunc(n.Addresses, func(a *evidence.Address) bool { return a.Prefix.Addr() == addr }) {
		return addr
	}
	return netip.Addr{}
}
