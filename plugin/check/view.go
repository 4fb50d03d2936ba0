package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// view looks at a graph through the eyes of a profile.
type view struct {
	*graph.Graph
	profile.Profile
	// What the checks of edges need to know of a node, by its place.
	tunnels []tunnels       // besides WireGuard's
	nodes   [][2]*nodePaths // by family
	plain   [][2]bool       // by family, see arrivesPlainly
	servers servers
	cards   cards
	// ranged: the allowed IPs of some peer have a whole pod range, see allowsRanges.
	ranged bool
}

// newView resolves the graph for a profile's eyes.
func newView(g *graph.Graph, p profile.Profile) *view {
	g.DropRanges(p.Assigned)
	g.Resolve(func(n *graph.Node, family int) graph.Carrier {
		return graph.Carrier{
			Name: p.Device(n, family), Endpoint: p.Endpoint(n, family),
			Assigned: p.Encrypts && p.Assigned(n), Borrows: p.Borrows,
		}
	})
	v := &view{Graph: g, Profile: p, tunnels: make([]tunnels, len(g.Nodes)), nodes: make([][2]*nodePaths, len(g.Nodes))}
	v.servers = v.serverConfiguration()
	v.cards = cardsOf(g)
	v.ranged = !v.AllowsPods || v.allowsRanges()
	pods := newPodSpace(g)
	homes := homesOf(g)
	graph.Parallel(len(g.Nodes), func(i int) {
		n := g.Nodes[i]
		n.Unverified = cmp.Or(unverified(n), inconsistent(n), displaced(n, homes))
		if n.Unverified == "" {
			n.Uncontrolled = uncontrolled(g.Run.Minor, n)
		}
		v.tunnels[i] = tunnelsOf(n)
		for _, family := range g.Run.Families {
			v.nodes[i][slot(family)] = v.readPaths(n, family, pods)
		}
	})
	v.plain = make([][2]bool, len(g.Nodes))
	graph.Parallel(len(g.Nodes), func(i int) {
		for _, family := range g.Run.Families {
			v.plain[i][slot(family)] = v.arrivesPlainly(g.Nodes[i], family)
		}
	})
	return v
}

// explained are the collectors whose failure cannot hide a leak: what they did
// not read is missing where it is needed, or it only explains. Any other
// problem of a probe could.
var explained = map[string]bool{"device": true, "route": true, "rule": true, "firewall": true, "socket": true,
	"module": true, "diversion": true, "answer": true}

// noCarrier judges a pair whose traffic no WireGuard link is known to carry;
// none reports whether it is one. Where the network is known to have a tunnel,
// or the traffic was seen in clear, that is a failure. Otherwise it arrived in a
// way that is not known: no proof, and no leak.
func (v *view) noCarrier(e *graph.Edge) (out verdict.Outcome, none bool) {
	known := e.FromLink() != "" && e.ToLink() != "" && v.clear(e) == ""
	switch {
	case known && (v.intended() || e.Into.Total()+e.OutOf.Total() > 0):
		return out, false
	case v.clear(e) != "":
		return fail("no WireGuard link carries the traffic from %s to %s, by design", e.From.Name, e.To.Name), true
	case v.intended(), len(e.Leaks) > 0 && decrypted(e, e.Leaks) == "":
		return fail("no WireGuard link carries the traffic from %s to %s", e.From.Name, e.To.Name), true
	}
	if tun := v.tunOf(e); tun != "" {
		return unknown("%s; no plaintext was seen", intoTUN(e, tun)), true
	}
	if len(e.Leaks) > 0 {
		return unknown("%s", decrypted(e, e.Leaks)), true
	}
	out = unknown("no WireGuard link of %s and %s saw the traffic between them, and no plaintext was seen: "+
		"what carries it is not known%s",
		e.From.Name, e.To.Name, v.byOther())
	return out, true
}

// intended reports whether the profile says which WireGuard should carry the
// traffic, so that it can be missed.
func (v *view) intended() bool { return v.Encrypts || v.Below != nil }

// classes of problems that are known: another one could be of any gravity.
var classes = []evidence.ProblemClass{
	evidence.ProblemPermission, evidence.ProblemMissing, evidence.ProblemUnsupported, evidence.ProblemTimeout,
	evidence.ProblemDamaged, evidence.ProblemScheduling, evidence.ProblemImage, evidence.ProblemAdmission,
	evidence.ProblemLost, evidence.ProblemUnreachable, evidence.ProblemWebhook, evidence.ProblemStarved,
	evidence.ProblemInternal,
}

// unverified explains why what the captures of a node did not see may have been
// there all the same, empty if it cannot.
func unverified(n *graph.Node) string {
	if n.ProbeGap != "" {
		return "the evidence of the probe on " + n.Name + " is incomplete: " + n.ProbeGap
	}
	for _, p := range n.Problems {
		known := slices.Contains(classes, p.Class)
		if known && (explained[p.What] || p.What == "capture" && ended(n, p.On)) {
			continue
		}
		on := n.Name
		if p.On != "" {
			on = p.On + " of " + n.Name
		}
		return fmt.Sprintf("%s on %s: %s", p.What, on, p.Text)
	}
	watched := map[string]bool{}
	for _, c := range n.Captures {
		if c.Role == evidence.RoleInside { // another tunnel's, see unwatched
			continue
		}
		watched[c.Link] = true
		if ended(n, c.Link) {
			continue
		}
		switch {
		case c.Error != "":
			return fmt.Sprintf("the capture on %s of %s ended early: %s", c.Link, n.Name, c.Error)
		case !c.Started || !c.Alive:
			return fmt.Sprintf("the capture on %s of %s did not run all the time", c.Link, n.Name)
		case c.Drops > 0:
			return fmt.Sprintf("the capture on %s of %s dropped %d of %d frames", c.Link, n.Name, c.Drops,
				c.Drops+c.Frames)
		case c.Truncated > 0:
			return fmt.Sprintf("the capture on %s of %s truncated %d frames", c.Link, n.Name, c.Truncated)
		}
	}
	outside := n.Outside()
	if len(outside) == 0 {
		return "no link that leaves the host was found on " + n.Name
	}
	for _, l := range outside {
		if !watched[l.Name] && !goneBefore(n, l) {
			return fmt.Sprintf("%s of %s is an external interface and could not be captured", l.Name, n.Name)
		}
	}
	return ""
}

func short(key string) string {
	if len(key) > 12 {
		return key[:12] + "…"
	}
	if key == "" {
		return "none"
	}
	return key
}

func plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func list(items []string) string { return strings.Join(items, ", ") }

func pass(format string, args ...any) verdict.Outcome {
	return verdict.Say(verdict.Pass, format, args...)
}

func fail(format string, args ...any) verdict.Outcome {
	return verdict.Say(verdict.Fail, format, args...)
}

func unknown(format string, args ...any) verdict.Outcome {
	return verdict.Say(verdict.Inconclusive, format, args...)
}

func skip(format string, args ...any) verdict.Outcome {
	return verdict.Say(verdict.NotApplicable, format, args...)
}

func warn(format string, args ...any) verdict.Outcome {
	return verdict.Say(verdict.Warn, format, args...)
}
