package check

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/routing"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// pathCheck is P8: every way that a node gives to its pods' packets.
func (v *view) pathCheck() verdict.Check {
	return verdict.Check{
		Code: "WG0402", Title: "no rule, route or filter gives a pod's packet another way", Proof: verdict.P8NoOtherPath,
		Why:   "A test pod's packets stand for those of all pods only if nothing on the node treats others otherwise: a rule for one port or one part of the pod range, a second next hop, a mark, a statement that copies packets.",
		Reads: "policy routing rules, all routing tables that overlap the pod ranges, statements of filters that mark, copy or divert, and a canary of its own for each way that needs one",
		Scope: verdict.PerPair, Needs: []verdict.Need{verdict.NeedProbe},
		After: []string{"WG0103", "WG0107", "WG0101", "WG0104", "WG0201", "WG0401"}, Judge: v.paths,
	}
}

// concern is what can be wrong with one way.
type concern struct {
	status verdict.Status
	reason string // of an inconclusive one
	way    *routing.Way
	by     *evidence.Diversion // nil if it is a way of the tables
	at     *verdict.Node       // the receiver, if it is a way behind the tunnel
	part   netip.Prefix
}

func (v *view) paths(f *verdict.Focus) verdict.Outcome {
	from, to, device := f.Node, f.Peer, f.Tunnel.FromLink
	ip, answer := to.PodIP(f.Family), f.Route()
	switch {
	case device == "":
		return f.Say(verdict.NotApplicable, func() string { return v.Title + " does not route pod traffic into a tunnel of its own" })
	case !ip.IsValid():
		return unknown("the test pod on %s has no IPv%d address", to.Name, f.Family)
	case answer == nil:
		return unknown("the kernel of %s was not asked for its route to %s", from.Name, ip)
	case v.programmed(f):
		return v.byPrograms(f)
	}
	paths := v.pathsOf(f, from)
	switch {
	case paths.unread != "":
		return unknown("%s", paths.unread)
	case answer.Link != "" && !paths.plan.Has(answer.Table, answer.Destination, ip):
		return unknown("%s answers that %s is reached through %s, and no entry of its tables that was read says so", from.Name, ip, answer.Link)
	}
	if f.Quiet && v.plainly(f, paths) {
		return verdict.Outcome{Status: verdict.Pass}
	}
	worst, met := v.worstPath(f, paths)
	switch {
	case worst.status == verdict.Pass:
		return f.Say(verdict.Pass, func() string { return v.onlyWay(f, paths, met) })
	case f.Quiet:
		return verdict.Outcome{Status: worst.status}
	}
	return v.otherWay(f, &worst)
}

// plainly reports whether one entry leads all pods of the other node into the
// tunnel, and nothing else bears on them: so it is of most of millions of pairs.
func (v *view) plainly(f *verdict.Focus, paths *nodePaths) bool {
	if f.Route().Link != f.Tunnel.FromLink || v.Below != nil || !v.foreseen(f) || len(paths.diverting) > 0 || len(v.pathsOf(f, f.Peer).diverting) > 0 ||
		!v.arrivesPlainly(f) {
		return false
	}
	covered, ip := false, f.Peer.PodIP(f.Family)
	for _, podRange := range f.Peer.PodCIDRs {
		if podRange.Addr().Is4() != (f.Family == 4) {
			continue
		}
		entry := paths.plan.Single(podRange.Masked())
		if entry == nil || entry.Link != f.Tunnel.FromLink {
			return false
		}
		covered = covered || podRange.Contains(ip)
	}
	return covered
}

// met is what pods' packets meet, for a reader.
type met struct {
	routes  map[*evidence.Route]bool
	refused bool // some of them go nowhere
	answers bool // one of the ways is what the kernel says of the test pod
	tried   int  // ways that a canary of their own has shown to be harmless
}

// worstPath returns the gravest concern, the first of equal ones, and what the
// pods' packets meet.
func (v *view) worstPath(f *verdict.Focus, paths *nodePaths) (worst concern, all met) {
	worst = concern{status: verdict.Pass}
	note := func(c concern) {
		if c.status > worst.status {
			worst = c
		}
		if c.status == verdict.Pass && c.way != nil {
			all.tried++
		}
	}
	if !f.Quiet {
		all.routes = map[*evidence.Route]bool{}
	}
	right := v.rightLinks(f)
	for _, podRange := range v.rangesTo(f) {
		v.walkTo(f, paths.plan, podRange, right, &all, note)
		for _, d := range paths.diverting {
			note(v.diverted(f, paths.plan, d, f.Node, podRange))
		}
	}
	if v.Below != nil {
		v.walkBelow(f, paths, note)
	}
	if link := f.Route().Link; !all.answers && link != "" && f.Run.Minor >= 1 {
		note(concern{status: verdict.Inconclusive, reason: fmt.Sprintf(
			"the kernel says that %s is reached through %s, and by the rules and tables that were read it is not", f.Peer.PodIP(f.Family), link)})
	}
	v.atArrival(f, note)
	v.forwarded(f, note)
	return worst, all
}

// walkTo judges each way to a range.
func (v *view) walkTo(f *verdict.Focus, plan *routing.Plan, to netip.Prefix, right []string, all *met, note func(concern)) {
	ways, whole := plan.Ways(to)
	if !whole {
		if every, all := plan.Any(to); all && !slices.ContainsFunc(every, func(way routing.Way) bool { return !harmless(&way, right) }) {
			ways, whole = every, true
		}
	}
	if !whole {
		note(concern{status: verdict.Inconclusive, reason: "there are more rules and routes than can be followed", part: to})
	}
	for i := range ways {
		way := &ways[i]
		if all.routes != nil && way.Entry != nil {
			all.routes[way.Entry] = true
		}
		all.refused = all.refused || way.Harmless()
		all.answers = all.answers || way.Link == f.Route().Link && way.To.Has(f.Peer.PodIP(f.Family))
		if harmless(way, right) {
			continue
		}
		c := concern{status: verdict.Inconclusive, way: way, part: to}
		switch {
		case way.Answer == routing.Unclear:
			c.reason = "what it means was not understood"
		case way.Certainty == routing.Certain:
			c.status = verdict.Fail
		case way.Certainty == routing.Selective:
			c.status, c.reason = tried(f, plan, way)
		case way.Unread:
			c.reason = "what sets marks on packets was not read"
		default:
			c.reason = "whether it applies to packets of pods cannot be told"
		}
		note(c)
	}
}

// harmless reports whether a way leads out of one of the right links, or nowhere.
func harmless(way *routing.Way, right []string) bool {
	return way.Harmless() || way.Answer == routing.Out && slices.Contains(right, way.Link)
}

// walkBelow judges the ways of the overlay's own packets into a WireGuard below it.
func (v *view) walkBelow(f *verdict.Focus, paths *nodePaths, note func(concern)) {
	if end := f.Peer.Carrier(f.Family).Endpoint; len(v.Below.Overhead) > 0 && end.IsValid() && paths.own[slotOf(end)] != nil {
		to := netip.PrefixFrom(end, end.BitLen())
		v.walkTo(f, paths.own[slotOf(end)], to, []string{f.Tunnel.FromLink}, &met{}, func(c concern) {
			if c.way == nil || c.way.Certainty != routing.Doubtful { // what an overlay sends has no mark
				note(c)
			}
		})
	}
}

// rightLinks are those that pods' packets may leave by: the tunnel, and above a
// WireGuard of the machines the overlay that the canaries took.
func (v *view) rightLinks(f *verdict.Focus) []string {
	right := []string{f.Tunnel.FromLink}
	if link := v.overlayAbove(f); link != "" {
		right = append(right, link)
	}
	return right
}

// overlayAbove is the overlay that the test pod's packets enter before the
// tunnel, by the profile or because the canaries were in both; empty if none is.
func (v *view) overlayAbove(f *verdict.Focus) string {
	link := f.Node.Link(f.Route().Link)
	switch {
	case link == nil || link.Role != evidence.RoleInside:
		return ""
	case v.Below != nil, v.above(f.Node, link.Name) && f.Into().Total() > 0:
		return link.Name
	}
	return ""
}

// rangesTo are where the pods of the other node are. Of a network that is not
// known only what leads to the test pod is surely of that node: its range in
// the API may not be in use.
func (v *view) rangesTo(f *verdict.Focus) []netip.Prefix {
	to, ip := f.Peer, f.Peer.PodIP(f.Family)
	var ranges []netip.Prefix
	for _, podRange := range to.PodCIDRs {
		own := podRange.Contains(ip)
		switch {
		case podRange.Addr().Is4() != (f.Family == 4):
		case v.foreseen(f):
			ranges = append(ranges, podRange)
		case own:
			if answered := f.Route().Destination; answered.IsValid() && answered.Bits() > podRange.Bits() && answered.Contains(ip) {
				podRange = answered
			}
			ranges = append(ranges, podRange)
		}
	}
	if !slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		ranges = append(ranges, netip.PrefixFrom(ip, ip.BitLen()))
	}
	return ranges
}

// foreseen reports whether the profile knows the network that carries a pair's
// traffic, a device that it names for one of the families, and with it which range
// is whose: nodes keep the annotations of a network that they had before.
func (v *view) foreseen(f *verdict.Focus) bool {
	carrier := f.Node.Carrier(f.Family).Name
	return v.intended() && (carrier == v.Device(f.Node, 4) || carrier == v.Device(f.Node, 6))
}

// programmed reports whether the tables do not decide: the pods' packets are in
// the tunnel, and no route leads there.
func (v *view) programmed(f *verdict.Focus) bool {
	return !v.foreseen(f) && !slices.Contains(v.rightLinks(f), f.Route().Link) && f.Into().Total() > 0
}

func (v *view) byPrograms(f *verdict.Focus) verdict.Outcome {
	if f.Run.Minor < 1 {
		return f.Say(verdict.Pass, func() string {
			return fmt.Sprintf("the routes of %s lead to %s, the canaries were in %s; programs were not recorded by this version",
				f.Node.Name, f.Route().Link, f.Tunnel.FromLink)
		})
	}
	for _, d := range f.Node.Diversions {
		if d.Effect == evidence.EffectBPF && v.ownProgram(f.Node, d) {
			return f.Say(verdict.Warn, func() string {
				return fmt.Sprintf("%s of %s decides after routing; its decision was seen on the canaries only", d.Program, f.Node.Name)
			})
		}
	}
	return unknown("the routes of %s lead to %s, and the canaries were in %s: what sends them there was not read",
		f.Node.Name, f.Route().Link, f.Tunnel.FromLink)
}

// onlyWay says what was read where nothing was found.
func (v *view) onlyWay(f *verdict.Focus, paths *nodePaths, all met) string {
	var ranges []string
	for _, podRange := range v.rangesTo(f) {
		ranges = append(ranges, podRange.String())
	}
	text := fmt.Sprintf("%s, %s", plural(uint64(paths.plan.Rules()), "rule"), plural(uint64(len(all.routes)), "route"))
	if f.Run.Minor < 1 {
		text += " (a version that did not record statements of filters)"
	} else {
		text += fmt.Sprintf(", %s that mark or divert", plural(uint64(paths.statements), "statement"))
	}
	right := v.rightLinks(f)
	text += fmt.Sprintf(": all of %s goes into %s", strings.Join(ranges, ", "), right[len(right)-1])
	if len(right) > 1 {
		text += ", whose own packets go into " + right[0]
	}
	if all.refused {
		text += " or nowhere"
	}
	if all.tried > 0 {
		text += fmt.Sprintf(", %s of it as canaries of their own have shown", plural(uint64(all.tried), "part"))
	}
	if link := paths.without(ranges[0]); link != "" && v.Below == nil {
		text += fmt.Sprintf("; without this route it would leave by %s in clear", link)
	}
	return text
}
