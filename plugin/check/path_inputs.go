package check

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/routing"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// nodePaths is what was read of one node's paths in one family.
type nodePaths struct {
	plan *routing.Plan
	own  [2]*routing.Plan // of the host's own packets by family, below an overlay only
	host routing.Host
	// diverting are the statements that do more than to mark for rules, statements
	// how many of all kinds there are.
	diverting  []*evidence.Diversion
	statements int
	// leaves are those that the host's own packets meet, of an overlay's among them.
	leaves []*evidence.Diversion
	// lands are those that what an overlay gets from other hosts can meet.
	lands []*evidence.Diversion
	// remotes are hosts that overlays send to, and that the kernel was not asked for.
	remotes []*evidence.Diversion
	// servers take packets for the host's own addresses and send them to other hosts.
	servers []*evidence.Diversion
	unread  string // why what was read is not enough, empty if it is
}

// slot is the place of a family in what is kept by family.
func slot(family int) int {
	if family == 4 {
		return 0
	}
	return 1
}

func (v *view) pathsOf(n *graph.Node, family int) *nodePaths { return v.nodes[n.Place()][slot(family)] }

func (v *view) readPaths(n *graph.Node, family int, pods *podSpace) *nodePaths {
	run := &v.Run
	paths := &nodePaths{unread: unreadPaths(run, n, family)}
	if why, whole := inventory(n, evidence.InventoryIPVS); !whole && why != "" {
		paths.unread = cmp.Or(paths.unread, "the virtual servers of "+n.Name+" were not read: "+why)
	}
	if why, whole := inventory(n, evidence.InventoryFDB); v.Below != nil && !whole && why != "" {
		paths.unread = cmp.Or(paths.unread, "where the overlay of "+n.Name+" sends packets was not read: "+why)
	}
	services := map[[2]uint32]bool{}
	for _, d := range n.Diversions {
		if d.Effect == evidence.EffectBPF && profile.OwnProgram(n, d) {
			continue
		}
		if v.Below != nil && landing(d) {
			paths.lands = append(paths.lands, d)
		}
		if routing.Never(&d.Selector) {
			continue
		}
		switch d.By {
		case "fdb":
			paths.remotes = append(paths.remotes, d)
			continue
		case "ipvs":
			paths.servers = append(paths.servers, d)
			continue
		}
		if ofOwn(d) && (v.Below != nil || v.Wraps != nil) {
			paths.leaves = append(paths.leaves, v.asMarked(d))
		}
		if d.Hook == "output" {
			continue
		}
		paths.statements++
		bears := len(d.Selector.To) == 0 || slices.ContainsFunc(d.Selector.To, pods.overlaps)
		switch {
		case d.Effect != evidence.EffectMark:
			if !bears && toService(d) {
				if d = beforeService(d, podRanges(n, family)); d != nil {
					paths.diverting = append(paths.diverting, d)
				}
				continue
			}
			if bears && !followsRoutes(d) {
				paths.diverting = append(paths.diverting, d)
			}
		case !bears:
			if d = beforeService(d, podRanges(n, family)); d == nil || services[[2]uint32{d.Mark, d.Mask}] {
				continue
			}
			services[[2]uint32{d.Mark, d.Mask}] = true
		}
		if v.misleads(d) {
			paths.diverting = append(paths.diverting, d)
		}
		if bears || d.Effect == evidence.EffectMark {
			paths.host.Diversions = append(paths.host.Diversions, d)
		}
	}
	h := &paths.host
	h.Family = family
	h.Rules = n.Rules
	h.Entries = n.Table
	h.Links = n.Links
	h.Pod = n.PodIP(family)
	h.Pods = podRanges(n, family)
	h.MarksRead = run.Minor >= 1 && paths.unread == ""
	if device := n.Carrier(family).Device; device != nil && run.Minor < 1 {
		h.Reserved = device.Mark // which its own packets have; that others have it was not recorded
	}
	paths.plan = routing.Compile(*h)
	if v.Below != nil {
		for i, own := range []int{4, 6} {
			host := *h
			host.Family = own
			host.Own = true
			host.Datagrams = v.Below.Ports
			host.Pods = nil
			host.Pod = netip.Addr{}
			host.Diversions = paths.leaves
			from := v.Endpoint(n, own)
			if slices.ContainsFunc(n.Addresses, func(a *evidence.Address) bool { return a.Prefix.Addr() == from }) {
				host.Pods = []netip.Prefix{netip.PrefixFrom(from, from.BitLen())}
				host.Pod = from
			}
			paths.own[i] = routing.Compile(host)
		}
	}
	return paths
}

// asMarked is a statement without the condition that no earlier rule of its chain
// applies, if the chain is one of those that lead packets into the WireGuard below, see
// profile.Overlay.Chains.
func (v *view) asMarked(d *evidence.Diversion) *evidence.Diversion {
	if v.Below == nil || v.Below.Chains == "" || !strings.HasPrefix(d.Chain, v.Below.Chains) {
		return d
	}
	earlier := fmt.Sprintf("no earlier rule of %s applies", d.Chain)
	known := *d
	known.Selector.Other = slices.DeleteFunc(slices.Clone(d.Selector.Other),
		func(other string) bool { return other == earlier })
	return &known
}

// ofOwn reports whether a statement can apply to what the host sends itself.
func ofOwn(d *evidence.Diversion) bool { return d.Hook == "output" || d.Hook == "postrouting" }

// landing reports whether a statement can give another way to what is sent to the host
// itself: it meets that before it is delivered.
func landing(d *evidence.Diversion) bool {
	return d.Effect != evidence.EffectMark && d.Effect != evidence.EffectEncrypt && d.By != "fdb" && d.By != "ipvs" &&
		(d.Hook == "prerouting" || d.Hook == "ingress" || d.Hook == "input")
}

// beforeService is a statement that marks what is for other addresses than pods'.
// Such a packet can be for a pod in the end: the address of a Service is replaced
// before it is routed. Nil if it is not of pods of this node.
func beforeService(d *evidence.Diversion, own []netip.Prefix) *evidence.Diversion {
	outside := func(p netip.Prefix) bool {
		covers := func(not netip.Prefix) bool { return not.Bits() <= p.Bits() && not.Contains(p.Addr()) }
		return slices.ContainsFunc(d.Selector.NotFrom, covers) || len(d.Selector.From) > 0 &&
			!slices.ContainsFunc(d.Selector.From, p.Overlaps)
	}
	if !slices.ContainsFunc(own, func(p netip.Prefix) bool { return !outside(p) }) {
		return nil
	}
	changed := *d
	changed.Selector = evidence.Selector{Other: []string{"to an address that is replaced later"}}
	return &changed
}

// toService reports whether a statement copies or forwards what may be for a
// Service, whose addresses are private ones: it sees a pod's packet before its
// target is replaced by another pod's.
func toService(d *evidence.Diversion) bool {
	sends := d.Effect == evidence.EffectCopy || d.Effect == evidence.EffectForward
	return sends && slices.ContainsFunc(d.Selector.To, func(p netip.Prefix) bool { return p.Addr().IsPrivate() })
}

// podSpace are the pod ranges of all nodes, in order, none inside another.
type podSpace struct{ ranges []netip.Prefix }

func newPodSpace(c *graph.Graph) *podSpace {
	var all []netip.Prefix
	for _, n := range c.Nodes {
		all = append(append(all, podRanges(n, 4)...), podRanges(n, 6)...)
	}
	for i := range all {
		all[i] = all[i].Masked()
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	s := &podSpace{}
	for _, p := range all {
		if last := len(s.ranges) - 1; last < 0 || !s.ranges[last].Overlaps(p) {
			s.ranges = append(s.ranges, p)
		}
	}
	return s
}

func (s *podSpace) overlaps(p netip.Prefix) bool {
	at, _ := slices.BinarySearchFunc(s.ranges, p.Masked().Addr(), func(q netip.Prefix,
		addr netip.Addr) int {
		return q.Addr().Compare(addr)
	})
	return at < len(s.ranges) && s.ranges[at].Overlaps(p) || at > 0 && s.ranges[at-1].Overlaps(p)
}

// podRanges are where a node's pods are, its test pod included.
func podRanges(n *graph.Node, family int) (ranges []netip.Prefix) {
	for _, podRange := range n.PodCIDRs {
		if podRange.Addr().Is4() == (family == 4) {
			ranges = append(ranges, podRange)
		}
	}
	if ip := n.PodIP(family); ip.IsValid() && !slices.ContainsFunc(ranges,
		func(p netip.Prefix) bool { return p.Contains(ip) }) {
		ranges = append(ranges, netip.PrefixFrom(ip, ip.BitLen()))
	}
	return ranges
}

// inventories are what must have been read whole.
var inventories = []struct{ what, name string }{
	{evidence.InventoryRules, "policy routing rules"}, {evidence.InventoryRoutes, "routing tables"},
	{evidence.InventoryNftables, "statements of nftables"}, {evidence.InventoryIptables, "statements of iptables"},
	{evidence.InventoryTC, "filters of traffic control"}, {evidence.InventoryXFRM, "IPsec policies"},
}

// unreadPaths reports what of a node's paths was not read, empty if all was. Runs of
// minor version 0 made no inventories.
func unreadPaths(run *evidence.Run, n *graph.Node, family int) string {
	for _, p := range n.Problems {
		if p.What == "route" || p.What == "rule" {
			return fmt.Sprintf("not all %ss of %s were read: %s", p.What, n.Name, p.Text)
		}
	}
	if run.Minor < 1 {
		return ""
	}
	for _, needed := range inventories {
		found := false
		for _, i := range n.Inventories {
			if i.What != needed.what || i.Family != 0 && i.Family != family {
				continue
			}
			if why := lostRules(n, i); why != "" {
				return why
			}
			if found = true; !i.Complete {
				return strings.TrimSuffix(fmt.Sprintf("not all %s of %s were read: %s", needed.name, n.Name, i.Text),
					": ")
			}
		}
		if !found {
			return fmt.Sprintf("the %s of %s were not read", needed.name, n.Name)
		}
	}
	return ""
}

// lostRules reports that a node listed more rules than it reported. All of them are
// reported, so that what is missing was lost.
func lostRules(n *graph.Node, i *evidence.Inventory) string {
	if i.What != evidence.InventoryRules || !i.Complete {
		return ""
	}
	reported := 0
	for _, r := range n.Rules {
		if r.Family == i.Family {
			reported++
		}
	}
	if reported >= i.Count && i.Count >= 0 {
		return ""
	}
	return fmt.Sprintf("%s has %s of IPv%d and reported %d",
		n.Name, plural(uint64(max(i.Count, 0)), "rule"), i.Family, reported)
}

// followsRoutes reports whether a statement forwards by what routing decided for
// the first packet of a flow: a flowtable.
func followsRoutes(d *evidence.Diversion) bool {
	return d.Effect == evidence.EffectForward && d.To == "" && (strings.Contains(d.Rule, "flow add") ||
		strings.Contains(d.Rule, "flow offload"))
}

// without returns the link that packets to a range would leave by if no entry
// led into a WireGuard link; empty if none, or if it is not known.
func (p *nodePaths) without(podRange string) string {
	h := p.host
	encrypts := map[string]bool{}
	outside := map[string]bool{}
	for _, l := range h.Links {
		encrypts[l.Name] = l.Role == evidence.RoleWireGuard
		outside[l.Name] = l.Role == evidence.RoleOutside
	}
	h.Entries = slices.DeleteFunc(slices.Clone(h.Entries), func(e *evidence.Route) bool { return encrypts[e.Link] })
	ways, _ := routing.Compile(h).Ways(netip.MustParsePrefix(podRange))
	for _, way := range ways {
		if way.Answer == routing.Out && outside[way.Link] {
			return way.Link
		}
	}
	return ""
}
