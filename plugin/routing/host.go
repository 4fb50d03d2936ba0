package routing

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Host is what was read of one node for one address family, and which of its
// packets are asked about: those of its pods, which it forwards, or its own.
type Host struct {
	Family     int
	Rules      []*evidence.Rule
	Entries    []*evidence.Route // of routing tables
	Diversions []*evidence.Diversion
	Links      []*evidence.Link
	// Pods are the ranges that the packets come from, Pod is one address in
	// them that packets certainly come from.
	Pods []netip.Prefix
	Pod  netip.Addr
	// In are the links that the packets arrive on, where that is known and they
	// are not of pods of this host; nil to find them out.
	In []string
	// Own: the packets are the host's own and not forwarded. Of an overlay's,
	// Datagrams are the UDP ports that it can send to; nil for packets of any kind.
	Own       bool
	Datagrams []uint16
	// MarksRead: all that can set a packet's mark was read. Otherwise every bit
	// of a mark can be set but those in Reserved.
	MarksRead bool
	Reserved  uint32
}

// Bounds of what is followed. Beyond them a walk is not whole.
const (
	maxRules  = 2048    // that can apply to a packet of a pod
	maxGroups = 4       // of statements that set a mark which a rule looks at
	maxWays   = 1024    // to one range
	maxSteps  = 1 << 14 // of one walk
	maxTrials = 1 << 11 // packets that are tried to find one for a way

	maxConditions = 1 << 15 // of packets that are tried in one walk
)

// Plan is a host's policy routing, ready to be walked. It is not changed by
// walking: several goroutines may use it.
type Plan struct {
	host   Host
	rules  []step
	tables map[int]*table
	// Links that packets of pods arrive on, and others that they may arrive on.
	certain, doubtful []string
	groups            []group
	premarked         []*evidence.Diversion // those of groups that look at a mark which another one can have set
	cuts              []netip.Prefix        // targets that statements distinguish
	usual             trial                 // packets like any other
	vrf               truth                 // whether packets of pods belong to a VRF
	listed            int                   // rules, the kernel's own included
	tooMany           bool
	single            bool // see Single
}

// step is a rule that can apply to a packet of a pod.
type step struct {
	*evidence.Rule
	own  bool  // one that every namespace begins with
	base truth // for a packet to its range with its mark; maybe stands for: by its other conditions
	jump int   // of goto: the place of its target; len of the rules if there is none
}

// own are the rules that every namespace begins with.
func kernelRules(family int) []*evidence.Rule {
	rules := []*evidence.Rule{{Family: family, Table: TableLocal}, {Family: family, Priority: 32766, Table: TableMain}}
	if family == 4 {
		rules = append(rules, &evidence.Rule{Family: family, Priority: 32767, Table: TableDefault})
	}
	return rules
}

func isKernels(r *evidence.Rule) bool {
	return slices.ContainsFunc(kernelRules(r.Family), func(own *evidence.Rule) bool {
		return own.Priority == r.Priority && own.Table == r.Table && plain(r)
	})
}

// plain reports whether a rule applies to every packet.
func plain(r *evidence.Rule) bool {
	return !r.Not && maskOf(r) == 0 && !r.From.IsValid() && !r.To.IsValid() && !narrowed(r) && r.SuppressLength == nil
}

// Compile prepares a host for walks.
func Compile(h Host) *Plan {
	p := &Plan{host: h, tables: newTables(h.Entries, h.Family)}
	p.arrivals()
	listed := slices.DeleteFunc(slices.Clone(h.Rules), func(r *evidence.Rule) bool { return r.Family != h.Family })
	own := []*evidence.Rule{}
	if !slices.ContainsFunc(listed, isKernels) {
		own = kernelRules(h.Family)
	}
	all := append(slices.Clone(own), listed...)
	slices.SortStableFunc(all, func(a, b *evidence.Rule) int { return cmp.Compare(a.Priority, b.Priority) })
	p.listed = len(all)
	for _, r := range p.perDomain(all) {
		if s := p.step(r, isKernels(r)); s.matters(p) {
			p.rules = append(p.rules, s)
		}
	}
	if len(p.rules) > maxRules {
		p.rules = p.rules[:maxRules]
		p.tooMany = true
	}
	for i := range p.rules {
		p.rules[i].jump = p.target(i)
	}
	p.marks()
	p.usual, p.single = p.usually(), p.treatsAllAlike()
	return p
}

// perDomain puts, in the place of a rule for routing domains (VRF), one for each
// link of pods in a domain, with the table of the domain (l3mdev_fib_rule_match).
// The rule itself stays for links whose domain has a table that was not recorded.
func (p *Plan) perDomain(rules []*evidence.Rule) (all []*evidence.Rule) {
	tables := map[string]int{}
	for _, l := range p.host.Links {
		if l.Kind == "vrf" {
			tables[l.Name] = l.Table
		}
	}
	for _, r := range rules {
		if !r.L3MDev || r.Not || r.Table != 0 {
			all = append(all, r)
			continue
		}
		known := len(p.host.Links) > 0
		for _, l := range p.host.Links {
			table, inDomain := tables[l.Master]
			switch {
			case !inDomain || p.arrives(l.Name) == no:
			case table == 0:
				known = false
			default:
				one := *r
				one.In = l.Name
				one.Table = table
				all = append(all, &one)
			}
		}
		if !known {
			all = append(all, r)
		}
	}
	return all
}

// target is where a goto leads. The kernel refuses one that leads back, and
// passes over one whose target is not there (fib_rules_lookup, FIB_RULE_UNRESOLVED).
func (p *Plan) target(i int) int {
	r := p.rules[i]
	if r.Action != "goto" {
		return 0
	}
	for j := i + 1; j < len(p.rules); j++ {
		if p.rules[j].Priority == r.Goto {
			return j
		}
	}
	return i + 1
}

// matters reports whether a rule can change anything. What a goto may lead to
// is kept.
func (s *step) matters(p *Plan) bool {
	if s.Action == "goto" || slices.ContainsFunc(p.host.Rules,
		func(r *evidence.Rule) bool { return r.Action == "goto" && r.Goto == s.Priority }) {
		return true
	}
	never := s.base == no
	if s.Not {
		never = s.base == yes && !s.To.IsValid() && maskOf(s.Rule) == 0
	}
	lookup := s.Action == "" || s.Action == "lookup"
	return !never && s.Action != "nop" && !(lookup && s.Table != 0 && p.tables[s.Table] == nil)
}

// maskOf returns the bits of a mark that a rule looks at. The kernel takes a
// mark without a mask for one of all bits (fib_nl2rule).
func maskOf(r *evidence.Rule) uint32 {
	if r.Mark != 0 && r.Mask == 0 {
		return 1<<32 - 1
	}
	return r.Mask
}

// overlays are kinds of links that no packet of a pod comes in by: what arrives
// on them comes from other hosts, or nothing does.
var overlays = []string{"vxlan", "geneve", "gre", "gretap", "ip6gre", "ipip", "sit", "ip6tnl", "dummy", "ifb",
	"wireguard"}

// arrivals finds the links that packets of pods come in by: certainly those that
// lead to pods of this node, perhaps any other that is inside.
func (p *Plan) arrivals() {
	if p.host.Own {
		p.certain = []string{"lo"} // flowi_iif of what a host sends is LOOPBACK_IFINDEX
		return
	}
	if p.host.In != nil {
		p.certain = p.host.In
		return
	}
	leads := map[string]bool{}
	for _, t := range p.tables {
		for to, entries := range t.at {
			for _, e := range entries {
				leads[e.Link] = leads[e.Link] || p.ofPods(to)
			}
		}
	}
	vrfs, foreign := map[string]bool{}, p.foreign(leads)
	for _, l := range p.host.Links {
		vrfs[l.Name] = l.Kind == "vrf"
	}
	for _, l := range p.host.Links {
		if l.Role == evidence.RoleWireGuard || l.Name == "lo" || l.Type == "loopback" ||
			slices.Contains(overlays, l.Kind) {
			continue
		}
		// A link of a pod for which that was not proven leads to it nevertheless.
		switch {
		case leads[l.Name]:
			p.certain = append(p.certain, l.Name)
		case foreign[l.Name] || foreign[l.Master]:
			continue
		case l.Role == evidence.RoleInside, l.PeerNS && l.Master != "" && leads[l.Master]: // a port of the pods' bridge
			p.doubtful = append(p.doubtful, l.Name)
		default:
			continue
		}
		if vrfs[l.Master] {
			p.vrf = maybe
		}
	}
	if len(p.host.Links) == 0 {
		p.vrf = maybe
	}
	for _, r := range p.host.Rules { // a link that was not reported may be there
		if r.In != "" && p.enters(r) == maybe {
			p.doubtful = append(p.doubtful, r.In)
		}
	}
	slices.Sort(p.certain)
	slices.Sort(p.doubtful)
	p.doubtful = slices.Compact(p.doubtful)
}

// foreign are bridges and TUN devices that no pod is behind, as Docker's, those of
// virtual machines, and VPNs: the ranges of this node's pods lead elsewhere, or each
// pod has a route of its own, so that nothing would come back to one there.
func (p *Plan) foreign(leads map[string]bool) map[string]bool {
	whole := true
	for _, own := range p.host.Pods {
		exact, single := p.routed(own, leads)
		if !exact && !single {
			return nil
		}
		whole = whole && exact
	}
	links := map[string]bool{}
	for _, l := range p.host.Links {
		other := (l.Kind == "bridge" || l.Kind == "tun") && !leads[l.Name]
		links[l.Name] = other && (whole || !p.reachesPods(l.Name))
	}
	return links
}

// routed reports whether an entry for a range of pods leads to them, and whether one
// for a part of it does.
func (p *Plan) routed(own netip.Prefix, leads map[string]bool) (exact, single bool) {
	for _, t := range p.tables {
		for to, entries := range t.at {
			found := own.Bits() <= to.Bits() && own.Contains(to.Addr()) &&
				slices.ContainsFunc(entries, func(e *evidence.Route) bool { return leads[e.Link] && !refuses(e) })
			single = single || found
			exact = exact || found && to == own.Masked()
		}
	}
	return exact, single
}

// reachesPods reports whether an entry that is for pods of this node and others
// leads out of a link; one for half of all addresses is a VPN's.
func (p *Plan) reachesPods(link string) bool {
	for _, t := range p.tables {
		for to, entries := range t.at {
			if to.Bits() > 1 && slices.ContainsFunc(p.host.Pods, to.Overlaps) &&
				slices.ContainsFunc(entries, func(e *evidence.Route) bool { return e.Link == link }) {
				return true
			}
		}
	}
	return false
}

// ofPods reports whether a destination is of pods of this node.
func (p *Plan) ofPods(to netip.Prefix) bool {
	return slices.ContainsFunc(p.host.Pods, func(own netip.Prefix) bool {
		return own.Bits() <= to.Bits() &&
			own.Contains(to.Addr())
	})
}

// arrives reports whether packets of pods come in by a link. One that was not
// reported is not known: a rule may name it.
func (p *Plan) arrives(link string) truth {
	known := slices.ContainsFunc(p.host.Links, func(l *evidence.Link) bool { return l.Name == link })
	switch {
	case slices.Contains(p.certain, link):
		return yes
	case p.host.Own, p.host.In != nil, link == "lo":
		return no
	case slices.Contains(p.doubtful, link), !known:
		return maybe
	}
	return no
}

// enters is arrives for the link of a rule: there is none if the kernel says so,
// and none of that name was listed.
func (p *Plan) enters(r *evidence.Rule) truth {
	listed := slices.ContainsFunc(p.host.Links, func(l *evidence.Link) bool { return l.Name == r.In })
	if r.Detached && !listed && len(p.host.Links) > 0 {
		return no
	}
	return p.arrives(r.In)
}

// step decides once what is the same for all of the host's packets.
func (p *Plan) step(r *evidence.Rule, own bool) step {
	s := step{Rule: r, own: own, base: yes}
	if r.From.IsValid() && r.From.Bits() > 0 {
		s.base = s.base.and(p.comesFrom(r.From))
	}
	if r.In != "" {
		arrives := p.enters(r)
		if arrives == yes && len(p.certain)+len(p.doubtful) > 1 {
			arrives = maybe
		}
		s.base = s.base.and(arrives)
	}
	if r.Out != "" { // flowi_oif of a forwarded packet is 0; a socket can be bound to a link
		s.base = s.base.and(is(p.host.Own).and(maybe))
	}
	if r.L3MDev && r.Table == 0 {
		s.base = s.base.and(p.vrf)
	}
	if r.Users != nil {
		s.base = s.base.and(p.owned(r.Users))
	}
	if r.TOS != 0 || r.DSCP != nil || r.Protocol != 0 || r.SourcePorts != nil || r.TargetPorts != nil ||
		len(r.Other) > 0 {
		s.base = s.base.and(maybe)
	}
	return s
}

// owned reports whether a packet is of one of some users. A forwarded packet is
// looked up as one of user 0, as what an overlay makes is, not of nobody: ip_route_input_slow sets
// flowi4_uid to that of a packet without a socket, root of the network namespace
// (sock_net_uid), and ip6_route_input leaves flowi6_uid at 0.
func (p *Plan) owned(users *[2]uint32) truth {
	if p.host.Own && p.host.Datagrams == nil {
		return maybe
	}
	return is(users[0] == 0)
}

func (p *Plan) comesFrom(from netip.Prefix) truth {
	found := no
	for i, own := range p.host.Pods {
		one := no
		switch {
		case from.Bits() <= own.Bits() && from.Contains(own.Addr()):
			one = yes
		case from.Overlaps(own):
			one = maybe
		}
		switch {
		case i == 0:
			found = one
		case one != found:
			found = maybe
		}
	}
	if len(p.host.Pods) == 0 {
		return maybe
	}
	return found
}

// narrowed reports whether a rule has conditions besides target and mark.
func narrowed(r *evidence.Rule) bool {
	return r.From.IsValid() && r.From.Bits() > 0 || r.In != "" || r.Out != "" || r.TOS != 0 || r.DSCP != nil ||
		r.Protocol != 0 ||
		r.SourcePorts != nil || r.TargetPorts != nil || r.Users != nil || r.L3MDev || len(r.Other) > 0
}

// meets reports whether a packet meets a rule's conditions but target and mark,
// its inversion left out.
func (p *Plan) meets(packet *Packet, r *evidence.Rule) truth {
	known := yes
	if r.From.IsValid() {
		known = known.and(is(r.From.Contains(packet.From)))
	}
	if r.In != "" {
		known = known.and(p.arrivedOn(packet, r.In))
		if p.enters(r) == no {
			known = no
		}
	}
	if r.Out != "" {
		known = known.and(is(p.host.Own).and(maybe))
	}
	if r.L3MDev && r.Table == 0 {
		known = known.and(p.vrf)
	}
	if r.Users != nil {
		known = known.and(p.owned(r.Users))
	}
	if r.TOS != 0 {
		known = known.and(p.hasTOS(packet, r.TOS))
	}
	if r.DSCP != nil {
		known = known.and(is(*r.DSCP == packet.DSCP))
	}
	if r.Protocol != 0 {
		known = known.and(is(r.Protocol == packet.Protocol))
	}
	if r.SourcePorts != nil {
		known = known.and(is(r.SourcePorts.From <= packet.Source && packet.Source <= r.SourcePorts.To))
	}
	if r.TargetPorts != nil {
		known = known.and(is(r.TargetPorts.From <= packet.Target && packet.Target <= r.TargetPorts.To))
	}
	if len(r.Other) > 0 {
		known = known.and(maybe)
	}
	return known
}

// hasTOS reports whether a packet has the TOS of a rule or a route. IPv4 looks at
// the lower three bits of the DSCP only (IPTOS_RT_MASK, fib_dscp_masked_match),
// IPv6 at all (fib6_rule_match).
func (p *Plan) hasTOS(packet *Packet, tos uint8) truth {
	if p.host.Family == 4 {
		return is(tos>>2 == packet.DSCP&7)
	}
	return is(tos>>2 == packet.DSCP)
}

func (p *Plan) arrivedOn(packet *Packet, link string) truth {
	if packet.In == "" {
		return p.arrives(link)
	}
	return packet.arrivesOn([]string{link})
}
