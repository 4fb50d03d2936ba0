package check

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// preflight are checks of what a tunnel needs before there is one. Package
// preflight judges them; no verification has them in its table.
var preflight = []verdict.Check{
	{
		Code: "WG0203", Title: "the node's kernel makes WireGuard links",
		Failed: "a node's kernel cannot make WireGuard links",
		Why: "Network plugins make the tunnel's device with the kernel's own WireGuard and do not start without it. " +
			"The kernel's version says little: some distributions ported the module back, others leave it out.",
		Reads: "a WireGuard link that a pod makes in its own network and removes at once; whether the module was loaded " +
			"before, kernel.modules_disabled, lockdown and Secure Boot where they can be read",
		Needs: needProbe,
		After: []string{"WG0102"},
	},
	{
		Code: "WG0204", Title: "the tunnel's UDP port is free on the node",
		Failed: "another program has the tunnel's UDP port on a node",
		Why: "WireGuard binds its port on all addresses of the node. Where another socket has it, the tunnel's " +
			"device does not come up.",
		Reads: "a socket that the probe binds to the port for some seconds, the ports of the node's WireGuard devices",
		Needs: needProbe,
	},
}

// Documented returns the checks of verifications and those of what is tried before
// there is a tunnel.
func Documented() []verdict.Check { return append(Checks(), preflight...) }

// Level returns what of a recorded cluster speaks for a WireGuard between the
// machines, one phrase each: none if the network plugin's own suits it as well.
func Level(recording graph.Recorded) []string {
	g := graph.New(recording)
	v := newView(g, profile.Decide(g))
	return slices.Concat(v.publicly(), v.sites(), v.acrossNAT(), v.meshed())
}

// TooOld reports whether the kernel of a node is known to have no WireGuard.
func TooOld(n *evidence.Node) bool { return tooOld(n) }

// Obstacle returns what on two hosts keeps UDP datagrams of one from a port of the
// other: filters of the receiver and of the sender, a translation, rp_filter. It
// returns false if nothing was found, and judges rules alone: whether anything is
// lost is for the caller to know.
func Obstacle(from, to *graph.Node, source netip.Addr, target netip.AddrPort) (verdict.Outcome, bool) {
	o := newObstacle(from, to, source, target)
	for _, cause := range []func() (verdict.Outcome, bool){
		o.input, o.output, o.translation, o.reversePath, o.doubtful,
	} {
		if out, found := cause(); found {
			out.Facts["node"], out.Facts["peer"] = o.at.Name, o.other.Name
			out.Facts["port"] = fmt.Sprint(target.Port())
			out.Facts["version"] = fmt.Sprint(family(target.Addr()))
			return out, true
		}
	}
	return verdict.Outcome{}, false
}

// obstacle is what the datagrams meet on their way.
type obstacle struct {
	from, to  *graph.Node
	at, other *graph.Node // where the last cause was found, and the other node
	source    netip.Addr
	target    netip.AddrPort
	links     []string        // of the receiver that they may arrive on
	back      *evidence.Route // the receiver's way to the source
	arriving  passing
	leaving   passing
	received  dropped
	sent      dropped
}

func newObstacle(from, to *graph.Node, source netip.Addr, target netip.AddrPort) *obstacle {
	o := &obstacle{from: from, to: to, source: source, target: target, back: to.RouteTo(source)}
	for _, link := range to.Outside() {
		o.links = append(o.links, link.Name)
	}
	if owner := cardOf(to, target.Addr()); owner != "" {
		o.links = []string{owner}
	}
	addr := target.Addr()
	o.arriving = passing{
		family: family(addr), from: source, to: ownAddress(to, addr), toHost: true,
		in: o.links, bridged: bridged(to, o.links), protocol: protocolUDP, port: target.Port(),
	}
	o.leaving = passing{
		family: family(addr), from: ownAddress(from, source), to: addr, protocol: protocolUDP, port: target.Port(),
	}
	if way := from.RouteTo(addr); way != nil && way.Link != "" {
		o.leaving.out = []string{way.Link}
		o.leaving.bridged = bridged(from, o.leaving.out)
	}
	o.received = o.arriving.meets(to, inputHooks...)
	o.sent = o.leaving.meets(from, outputHooks...)
	return o
}

// found is a finding on one of the two nodes, with what its remedy narrows an accept to.
func (o *obstacle) found(at *graph.Node, format string, args ...any) verdict.Outcome {
	out := fail(format, args...)
	o.at, o.other = o.to, o.from
	out.Facts = map[string]string{"end": "saddr", "side": "source"}
	if len(o.links) > 0 {
		out.Facts["link"] = o.links[0]
	}
	narrowed := o.source
	if at == o.from {
		o.at, o.other = o.from, o.to
		out.Facts = map[string]string{"end": "daddr", "side": "destination"}
		narrowed = o.target.Addr()
	}
	addAddress(out.Facts, narrowed)
	return out
}

func (o *obstacle) input() (verdict.Outcome, bool) {
	f := o.received.certain
	if f == nil {
		return verdict.Outcome{}, false
	}
	out := o.found(o.to, "%s drops what arrives from %s: %s", o.to.Name, o.from.Name, whatDrops(f, o.target.Port()))
	addRule(&out, o.to, f)
	return out, true
}

func (o *obstacle) output() (verdict.Outcome, bool) {
	f := o.sent.certain
	if f == nil {
		return verdict.Outcome{}, false
	}
	out := o.found(o.from, "%s drops what it sends to %s: %s", o.from.Name, o.to.Name, whatDrops(f, o.target.Port()))
	addRule(&out, o.from, f)
	if f.Tool != "tc" && out.Variant != "policies" {
		out.Variant = "output-" + out.Variant
	}
	return out, true
}

func (o *obstacle) translation() (verdict.Outcome, bool) {
	f := o.arriving.translated(o.to)
	if f == nil {
		return verdict.Outcome{}, false
	}
	out := o.found(o.to, "a rule of %s (chain %s) translates the target of UDP port %d", o.to.Name, whereIs(f),
		o.target.Port())
	out.Variant = "dnat"
	out.Readings = ruleReadings(o.to, f)
	return out, true
}

// reversePath: with rp_filter 1 the kernel drops what arrives by another link than
// the route back to its source leaves by.
func (o *obstacle) reversePath() (verdict.Outcome, bool) {
	const strict = 1
	if len(o.links) != 1 || o.back == nil || o.back.Link == "" || o.back.Link == o.links[0] || !o.source.Is4() {
		return verdict.Outcome{}, false
	}
	name := o.links[0]
	link := o.to.Link(name)
	if link == nil || link.ReversePath != strict {
		return verdict.Outcome{}, false
	}
	out := o.found(o.to, "rp_filter of %s on %s is strict (1), and the route back to %s leaves by %s", name, o.to.Name,
		o.source, o.back.Link)
	out.Variant = "reverse-path"
	out.Facts["link"], out.Facts["back"] = name, o.back.Link
	return out, true
}

// doubtful: a rule whose conditions were not all understood may drop them.
func (o *obstacle) doubtful() (verdict.Outcome, bool) {
	at, rules := o.to, o.received.doubtful
	if len(rules) == 0 {
		at, rules = o.from, o.sent.doubtful
	}
	if len(rules) == 0 {
		return verdict.Outcome{}, false
	}
	out := o.found(at, "a rule on %s whose conditions were not all understood may drop it (chain %s)", at.Name,
		whereIs(rules[0]))
	out.Variant = "doubtful"
	out.Readings = ruleReadings(at, rules...)
	return out, true
}
