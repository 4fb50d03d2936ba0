package check

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/routing"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// concern is what can be wrong with one way.
type concern struct {
	status verdict.Status
	reason string // of an inconclusive one
	way    *routing.Way
	by     *evidence.Diversion // nil if it is a way of the tables
	at     *graph.Node         // the receiver, if it is a way behind the tunnel
	part   netip.Prefix
}

func (v *view) paths(e *graph.Edge) verdict.Outcome {
	from, to, device := e.From, e.To, e.FromLink()
	ip, answer := to.PodIP(e.Family), e.Route
	switch {
	case v.clear(e) != "":
		return skip("%s", v.clear(e))
	case device == "":
		return skip("%s does not route pod traffic into a tunnel of its own", v.Title)
	case !ip.IsValid():
		return unknown("the test pod on %s has no IPv%d address", to.Name, e.Family)
	case answer == nil:
		return unknown("the kernel of %s was not asked for its route to %s", from.Name, ip)
	case v.Redirects && answer.Link != device:
		return v.redirectedWays(e)
	case v.programmed(e):
		return v.byPrograms(e)
	}
	paths := v.pathsOf(from, e.Family)
	switch {
	case paths.unread != "":
		return unknown("%s", paths.unread)
	case unwatchedRanges(e) != "":
		return unknown("%s", unwatchedRanges(e))
	case answer.Link != "" && !paths.plan.Has(answer.Table, answer.Destination, ip):
		return unknown("%s answers that %s is reached through %s, and no entry of its tables that was read says so",
			from.Name, ip, answer.Link)
	}
	if text := switched(from); text != "" {
		if worst, _ := v.worstPath(e, paths); worst.status == verdict.Pass {
			return warn("%s", text)
		}
	}
	if v.plainly(e, paths) {
		return pass("%s", verdict.Late(func() string {
			_, met := v.worstPath(e, paths)
			return v.onlyWay(e, paths, met)
		}))
	}
	worst, met := v.worstPath(e, paths)
	if worst.status == verdict.Pass {
		return pass("%s", verdict.Late(func() string { return v.onlyWay(e, paths, met) }))
	}
	return v.otherWay(e, &worst)
}

// switched reports that a node's pods are behind Open vSwitch, empty if none is known to
// be: its flows decide before the routing tables, and are not read.
func switched(n *graph.Node) string {
	for _, l := range n.Links {
		master := n.Link(l.Master)
		if master != nil && master.Kind == "openvswitch" && slices.Contains(podPipes, l.Kind) && l.PeerNS {
			return fmt.Sprintf("%s of %s is a port of Open vSwitch, whose flows decide before the routes and were not "+
				"read: what they do was seen on the test packets only", l.Name, n.Name)
		}
	}
	return ""
}

// plainly reports whether one entry leads all pods of the other node into the
// tunnel, and nothing else bears on them: so it is of most of millions of pairs.
func (v *view) plainly(e *graph.Edge, paths *nodePaths) bool {
	if e.Route.Link != e.FromLink() || v.Below != nil || !v.foreseen(e.From, e.Family) ||
		len(paths.diverting) > 0 || len(paths.servers) > 0 ||
		len(v.pathsOf(e.To, e.Family).diverting) > 0 || !v.plain[e.To.Place()][slot(e.Family)] {
		return false
	}
	covered, ip := false, e.To.PodIP(e.Family)
	for _, podRange := range e.To.PodCIDRs {
		if podRange.Addr().Is4() != (e.Family == 4) {
			continue
		}
		entry := paths.plan.Single(podRange.Masked())
		if entry == nil || entry.Link != e.FromLink() {
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
func (v *view) worstPath(e *graph.Edge, paths *nodePaths) (worst concern, all met) {
	worst = concern{status: verdict.Pass}
	note := func(c concern) {
		if c.status > worst.status {
			worst = c
		}
		if c.status == verdict.Pass && c.way != nil {
			all.tried++
		}
	}
	all.routes = map[*evidence.Route]bool{}
	right := v.rightLinks(e)
	for _, podRange := range v.rangesTo(e) {
		v.walkTo(e, paths.plan, podRange, right, &all, note)
		v.served(e, paths, podRange, note)
		for _, d := range paths.diverting {
			note(v.diverted(e, paths.plan, d, e.From, podRange))
		}
	}
	if v.Below != nil {
		v.walkBelow(e, paths, note)
	}
	if v.Wraps != nil {
		v.misled(e, paths, note)
	}
	marked := v.Below != nil && v.Below.Marked // and the kernel was asked without a mark
	own := ofTheHost(e, e.To.PodIP(e.Family))
	if link := e.Route.Link; !all.answers && !marked && !own && link != "" && v.Run.Minor >= 1 {
		note(concern{status: verdict.Inconclusive, reason: fmt.Sprintf(
			"the kernel says that %s is reached through %s, and by the rules and tables that were read it is "+
				"not", e.To.PodIP(e.Family), link)})
	}
	v.atArrival(e, note)
	v.forwarded(e, note)
	return worst, all
}

// walkTo judges each way to a range.
func (v *view) walkTo(e *graph.Edge, plan *routing.Plan, to netip.Prefix, right []string, all *met,
	note func(concern)) {
	ways, whole := plan.Ways(to)
	if !whole {
		if every, all := plan.Any(to); all && !slices.ContainsFunc(every,
			func(way routing.Way) bool { return !harmless(&way, right) }) {
			ways, whole = every, true
		}
	}
	if !whole {
		note(concern{status: verdict.Inconclusive, reason: "there are more rules and routes than can be followed",
			part: to})
	}
	for i := range ways {
		way := &ways[i]
		if all.routes != nil && way.Entry != nil {
			all.routes[way.Entry] = true
		}
		all.refused = all.refused || way.Harmless()
		all.answers = all.answers || way.Link == e.Route.Link && way.To.Has(e.To.PodIP(e.Family))
		if harmless(way, right) || v.borrowed(e.From, way) {
			continue
		}
		c := concern{status: verdict.Inconclusive, way: way, part: to}
		switch {
		case way.Answer == routing.Unclear:
			c.reason = "what it means was not understood"
		case way.Certainty == routing.Certain:
			c.status = verdict.Fail
		case way.Certainty == routing.Selective:
			c.status, c.reason = tried(e, plan, way)
		case way.Unread:
			c.reason = "what sets marks on packets was not read"
		default:
			c.reason = "whether it applies to packets of pods is not known"
		}
		note(c)
	}
}

// served judges virtual servers on addresses of a range that the host has itself.
func (v *view) served(e *graph.Edge, paths *nodePaths, to netip.Prefix, note func(concern)) {
	if len(paths.servers) == 0 {
		return
	}
	ways, _ := paths.plan.Ways(to)
	for _, way := range ways {
		for _, d := range paths.servers {
			some := len(d.Selector.To) == 0 || slices.ContainsFunc(d.Selector.To, func(own netip.Prefix) bool {
				return way.To.Has(own.Addr())
			})
			if way.Answer == routing.Local && some {
				note(concern{status: verdict.Inconclusive, by: d, part: to, reason: effects[d.Effect]})
			}
		}
	}
}

// harmless reports whether a way leads out of one of the right links, or nowhere.
func harmless(way *routing.Way, right []string) bool {
	return way.Harmless() || way.Answer == routing.Out && slices.Contains(right, way.Link)
}

// borrowed reports whether a way leads to a single pod on this node, which has an
// address of the other node's range.
func (v *view) borrowed(from *graph.Node, way *routing.Way) bool {
	if !v.Borrows || way.Answer != routing.Out || way.Entry == nil || !way.Entry.Destination.IsSingleIP() {
		return false
	}
	link := from.Link(way.Link)
	return link != nil && link.Role == evidence.RoleInside && slices.Contains(podPipes, link.Kind) && link.PeerNS
}

// walkBelow judges the ways of the overlay's own packets into a WireGuard below it,
// and the statements that they meet before it.
func (v *view) walkBelow(e *graph.Edge, paths *nodePaths, note func(concern)) {
	end := e.To.Carrier(e.Family).Endpoint
	if v.Below.Bare() || !end.IsValid() || paths.own[slot(family(end))] == nil {
		return
	}
	if v.Below.Marked && e.Into.Total() > 0 && !slices.ContainsFunc(paths.leaves, marks) {
		note(concern{status: verdict.Inconclusive, reason: fmt.Sprintf(
			"a mark leads what is for %s into %s, and what sets it was not read", end, e.FromLink())})
		return
	}
	plan := paths.own[slot(family(end))]
	to := netip.PrefixFrom(end, end.BitLen())
	v.walkTo(e, plan, to, []string{e.FromLink()}, &met{}, func(c concern) {
		// What an overlay sends has no mark unless a statement sets one.
		if c.way == nil || v.Below.Marked || c.way.Certainty != routing.Doubtful || len(c.way.Marked) > 0 {
			note(c)
		}
	})
	for _, d := range paths.leaves {
		if d.Effect != evidence.EffectMark && reaches(d, e.FromLink()) {
			note(v.touched(e, plan, d, e.From, to))
		}
	}
	for _, d := range paths.remotes {
		if d.Link == e.Route.Link {
			note(v.sentTo(e, paths, d))
		}
	}
	v.landed(e, to, note)
}

// landed judges the receiver's statements for the overlay's packets, which come out of
// the WireGuard below it for an address of the receiver itself.
func (v *view) landed(e *graph.Edge, to netip.Prefix, note func(concern)) {
	lands, from := v.pathsOf(e.To, e.Family).lands, e.From.Carrier(e.Family).Endpoint
	if len(lands) == 0 || !from.IsValid() {
		return
	}
	host := routing.Host{
		Family: family(from), Pods: []netip.Prefix{netip.PrefixFrom(from, from.BitLen())}, Pod: from,
		In: []string{e.ToLink()}, Datagrams: v.Below.Ports, MarksRead: true, Diversions: e.To.Diversions,
	}
	plan := routing.Compile(host)
	for _, d := range lands {
		local := *d
		local.Selector.Other = slices.DeleteFunc(slices.Clone(d.Selector.Other),
			func(other string) bool { return other == toHost })
		onLink := d.Link == "" || slices.Contains(strings.Fields(d.Link), e.ToLink())
		in := len(d.Selector.In) == 0 || matchesLink(d.Selector.In, e.ToLink())
		if !onLink || !in || matchesLink(d.Selector.NotIn, e.ToLink()) {
			continue
		}
		if c := v.touched(e, plan, &local, e.To, to); c.status > verdict.Pass {
			c.by = d
			note(c)
		}
	}
}

func marks(d *evidence.Diversion) bool { return d.Effect == evidence.EffectMark }

// sentTo judges another host that the overlay sends to than the one where it ends
// on the other node: that is reached through the tunnel too, or no pods are behind it.
func (v *view) sentTo(e *graph.Edge, paths *nodePaths, d *evidence.Diversion) concern {
	c := concern{status: verdict.Pass, by: d, reason: effects[d.Effect]}
	for _, podRange := range v.rangesTo(e) {
		if len(d.Selector.To) == 0 || slices.ContainsFunc(d.Selector.To, podRange.Overlaps) {
			c.part = podRange
		}
	}
	if !c.part.IsValid() {
		return c
	}
	worse := func(status verdict.Status) { c.status = max(c.status, status) }
	host, err := netip.ParseAddr(d.To)
	if err != nil {
		worse(verdict.Inconclusive)
		return c
	}
	worst := verdict.Inconclusive
	// One that was there for a part of the run only is seen next to entries of other moments.
	if len(d.Selector.Other) == 0 &&
		slices.ContainsFunc(e.From.Table, func(entry *evidence.Route) bool { return uses(entry, d) }) {
		worst = verdict.Fail
	}
	v.walkTo(e, paths.own[slot(family(host))], netip.PrefixFrom(host, host.BitLen()), []string{e.FromLink()}, &met{},
		func(way concern) { worse(min(way.status, worst)) })
	return c
}

// uses reports whether an entry leads to a neighbour of which a remote says where it is.
func uses(entry *evidence.Route, d *evidence.Diversion) bool {
	next := entry.Gateway
	if !next.IsValid() && entry.Destination.IsSingleIP() {
		next = entry.Destination.Addr()
	}
	return entry.Link == d.Link && next.IsValid() &&
		slices.ContainsFunc(d.Selector.To, func(to netip.Prefix) bool { return to.Contains(next) })
}

// rightLinks are those that pods' packets may leave by: the tunnel, above a WireGuard
// of the machines the overlay that the canaries took, and where programs lead packets
// into the tunnel the links that have them.
func (v *view) rightLinks(e *graph.Edge) []string {
	right := []string{e.FromLink()}
	if link := v.overlayAbove(e); link != "" {
		right = append(right, link)
	}
	if v.Redirects {
		right = append(right, gates(e)...)
	}
	return right
}

// overlayAbove is the overlay that the test pod's packets enter before the
// tunnel, by the profile or because the test packets were in both; empty if none is.
func (v *view) overlayAbove(e *graph.Edge) string {
	link := e.From.Link(e.Route.Link)
	switch {
	case link == nil || link.Role != evidence.RoleInside:
		return ""
	case v.Below != nil, v.above(link) && e.Into.Total() > 0:
		return link.Name
	}
	return ""
}

// rangesTo are where the pods of the other node are. Of a network that is not
// known only what leads to the test pod is surely of that node: its range in
// the API may not be in use.
func (v *view) rangesTo(e *graph.Edge) []netip.Prefix {
	to, ip := e.To, e.To.PodIP(e.Family)
	var ranges []netip.Prefix
	for _, podRange := range to.PodCIDRs {
		own := podRange.Contains(ip)
		switch {
		case podRange.Addr().Is4() != (e.Family == 4):
		case v.foreseen(e.From, e.Family) && (v.Below != nil || e.ToCarrier.Assigned):
			ranges = append(ranges, podRange)
		case own:
			if answered := e.Route.Destination; answered.IsValid() && answered.Bits() > podRange.Bits() &&
				answered.Contains(ip) {
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

// foreseen reports whether the profile knows the network that carries a node's
// traffic, a device that it names for one of the families, and with it which range
// is whose: nodes keep the annotations of a network that they had before.
func (v *view) foreseen(n *graph.Node, family int) bool {
	carrier := n.Carrier(family).Name
	return v.intended() && (carrier == v.Device(n, 4) || carrier == v.Device(n, 6))
}

// programmed reports whether the tables do not decide: the pods' packets are in
// the tunnel, and no route leads there.
func (v *view) programmed(e *graph.Edge) bool {
	return !v.foreseen(e.From, e.Family) && !slices.Contains(v.rightLinks(e), e.Route.Link) && e.Into.Total() > 0
}

func (v *view) byPrograms(e *graph.Edge) verdict.Outcome {
	if v.Run.Minor < 1 {
		return pass("the routes of %s lead to %s, the test packets were in %s; programs were not recorded by "+
			"this version", e.From.Name, e.Route.Link, e.FromLink())
	}
	for _, d := range e.From.Diversions {
		if d.Effect == evidence.EffectBPF && profile.OwnProgram(e.From, d) {
			return warn("%s of %s decides after routing; its decision was seen on the test packets only",
				d.Program, e.From.Name)
		}
	}
	return unknown("the routes of %s lead to %s, and the test packets were in %s: what sends them there was not read",
		e.From.Name, e.Route.Link, e.FromLink())
}

// wereRead counts what was read of a node's paths.
func (v *view) wereRead(paths *nodePaths, all met) string {
	text := fmt.Sprintf("%s, %s", plural(uint64(paths.plan.Rules()), "rule"), plural(uint64(len(all.routes)), "route"))
	if v.Run.Minor < 1 {
		return text + " (a version that did not record statements of filters)"
	}
	return text + fmt.Sprintf(", %s that mark or divert", plural(uint64(paths.statements), "statement"))
}

// onlyWay reports what was read where nothing was found.
func (v *view) onlyWay(e *graph.Edge, paths *nodePaths, all met) string {
	var ranges []string
	for _, podRange := range v.rangesTo(e) {
		ranges = append(ranges, podRange.String())
	}
	text := v.wereRead(paths, all)
	right := v.rightLinks(e)
	text += fmt.Sprintf(": all of %s goes into %s", strings.Join(ranges, ", "), right[len(right)-1])
	if len(right) > 1 {
		text += ", whose own packets go into " + right[0]
	}
	if all.refused {
		text += " or nowhere"
	}
	if all.tried > 0 {
		text += fmt.Sprintf(", %s of it as test packets of their own have shown", plural(uint64(all.tried), "part"))
	}
	if link := paths.without(ranges[0]); link != "" && v.Below == nil {
		text += fmt.Sprintf("; without this route it would leave by %s in clear", link)
	}
	return text
}
