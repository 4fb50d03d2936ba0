package routing

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// simulate routes one packet as the kernel does, rule by rule and bit by bit,
// without any of the walk's means.
func simulate(h *Host, p Packet) string {
	mark := uint32(0)
	for _, d := range h.Diversions {
		unmarked := mark&d.Selector.MarkMask == d.Selector.MarkIs
		if d.Effect == evidence.EffectMark && d.Hook == "prerouting" && chosen(&d.Selector, &p) && unmarked {
			mark = mark&^d.Mask | d.Mark
		}
	}
	rules := append(slices.Clone(h.Rules), kernelRules(h.Family)...)
	slices.SortStableFunc(rules, func(a, b *evidence.Rule) int {
		own := func(r *evidence.Rule) int {
			if slices.Contains(h.Rules, r) {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(own(a), own(b)))
	})
	for i := 0; i < len(rules); i++ {
		r := rules[i]
		if matchesRule(r, &p, mark) == r.Not {
			continue
		}
		switch r.Action {
		case "nop":
			continue
		case "goto":
			at := slices.IndexFunc(rules[i+1:], func(o *evidence.Rule) bool { return o.Priority == r.Goto })
			if at >= 0 {
				i += at
			}
			continue
		case "unreachable", "blackhole", "prohibit":
			return r.Action
		}
		e := find(h.Entries, r.Table, &p)
		switch {
		case e == nil || e.Type == "throw":
		case e.Type != "" && e.Type != "unicast":
			return e.Type
		case r.SuppressLength != nil && e.Destination.Bits() <= *r.SuppressLength:
		default:
			return e.Link
		}
	}
	return "nothing"
}

func matchesRule(r *evidence.Rule, p *Packet, mark uint32) bool {
	for _, fails := range []bool{
		r.From.IsValid() && !r.From.Contains(p.From),
		r.To.IsValid() && !r.To.Contains(p.To),
		r.In != "" && r.In != p.In,
		r.Out != "",
		r.Mask != 0 && mark&r.Mask != r.Mark,
		r.TOS != 0 && r.TOS>>2 != p.DSCP&7,
		r.DSCP != nil && *r.DSCP != p.DSCP,
		r.Protocol != 0 && r.Protocol != p.Protocol,
		r.TargetPorts != nil && (p.Target < r.TargetPorts.From || p.Target > r.TargetPorts.To),
		r.Users != nil && r.Users[0] > 0,
	} {
		if fails {
			return false
		}
	}
	return true
}

func chosen(s *evidence.Selector, p *Packet) bool {
	to := len(s.To) == 0 || s.To[0].Contains(p.To)
	protocol := len(s.Protocol) == 0 || s.Protocol[0] == p.Protocol
	return to && protocol && (len(s.Target) == 0 || s.Target[0].From <= p.Target && p.Target <= s.Target[0].To)
}

// find is a table's answer by looking at every entry.
func find(entries []*evidence.Route, number int, p *Packet) (best *evidence.Route) {
	for _, e := range entries {
		if e.Table != number || !e.Destination.Contains(p.To) || e.TOS != 0 && e.TOS>>2 != p.DSCP&7 {
			continue
		}
		better := best == nil || cmp.Or(cmp.Compare(e.Destination.Bits(), best.Destination.Bits()),
			cmp.Compare(e.TOS, best.TOS), cmp.Compare(best.Metric, e.Metric)) > 0
		if better {
			best = e
		}
	}
	return best
}

var (
	pods   = netip.MustParsePrefix("10.42.0.0/30")
	remote = netip.MustParsePrefix("10.42.1.0/29")
)

// some returns one of the values.
func some[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

func somePrefix(r *rand.Rand, in netip.Prefix) netip.Prefix {
	addr := in.Addr()
	for range r.IntN(1 << (32 - in.Bits())) {
		addr = addr.Next()
	}
	return netip.PrefixFrom(addr, some(r, 32, 31, 30, 29, 24, 16)).Masked()
}

func someRule(r *rand.Rand) *evidence.Rule {
	rule := &evidence.Rule{
		Family: 4, Priority: r.IntN(40), Not: r.IntN(5) == 0, Table: some(r, 77, 78, 254, 99),
		Action: some(r, "", "", "", "lookup", "goto", "nop", "unreachable"), Goto: r.IntN(45),
	}
	for range 1 + r.IntN(2) {
		switch r.IntN(10) {
		case 0:
			rule.From = somePrefix(r, pods)
		case 1:
			rule.To = somePrefix(r, remote)
		case 2:
			rule.Protocol = some(r, uint8(protocolTCP), protocolUDP)
		case 3:
			rule.TargetPorts = some(r, &evidence.Ports{From: 5432, To: 5432}, &evidence.Ports{From: 1, To: 6000})
		case 4:
			rule.TOS = some(r, uint8(0x10), 0x8)
			if r.IntN(3) == 0 {
				rule.TOS, rule.DSCP = 0, &[]uint8{4, 12}[r.IntN(2)]
			}
		case 5:
			rule.In = some(r, "cni0", "eth0", "lo")
		case 6:
			rule.Mask = some(r, uint32(0xff), 0xf, 0xf0)
			rule.Mark = some(r, uint32(0x77), 0x7, 0x70, 0) & rule.Mask
		case 7:
			rule.SuppressLength = some(r, new(int), &[]int{30}[0])
		case 8:
			rule.Users = some(r, &[2]uint32{0, 0}, &[2]uint32{1000, 2000})
		case 9:
			rule.Out = "eth0"
		}
	}
	return rule
}

func someHost(r *rand.Rand) Host {
	h := Host{Family: 4, Pods: []netip.Prefix{pods}, MarksRead: true, Links: []*evidence.Link{
		{Name: "cni0", Kind: "bridge", Role: evidence.RoleInside}, {Name: "eth0", Role: evidence.RoleOutside},
		{Name: "flannel-wg", Kind: "wireguard", Role: evidence.RoleWireGuard},
	}}
	for range r.IntN(6) {
		h.Rules = append(h.Rules, someRule(r))
	}
	h.Entries = []*evidence.Route{{Destination: pods, Link: "cni0", Table: TableMain}}
	for i := range r.IntN(8) {
		h.Entries = append(h.Entries, &evidence.Route{
			Destination: somePrefix(r, remote), Table: some(r, 77, 78,
				254), Link: some(r, "eth0", "flannel-wg", "eth1"), Metric: i,
			Type: some(r, "", "unicast", "throw", "blackhole", "unicast"), TOS: some(r, uint8(0), 0, 0, 0x10),
		})
	}
	for range r.IntN(4) {
		d := &evidence.Diversion{By: "nftables", Effect: evidence.EffectMark,
			Hook: some(r, "prerouting", "prerouting", "forward"), Mask: some(r, uint32(0xff), 0xf)}
		d.Mark = some(r, uint32(0x77), 0x7, 0x71, 0) & d.Mask
		switch r.IntN(4) {
		case 0:
			d.Selector.To = []netip.Prefix{somePrefix(r, remote)}
		case 1:
			d.Selector.Protocol = []uint8{protocolTCP}
		case 2:
			d.Selector.Target = []evidence.Ports{{From: 5432, To: 5433}}
		}
		h.Diversions = append(h.Diversions, d)
	}
	return h
}

// Every packet is in exactly one way, and that leads where the kernel sends it.
func TestWalkIsWhatAPacketMeets(t *testing.T) {
	const seeds = 3000
	broken := 0
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 15))
		h := someHost(r)
		plan := Compile(h)
		ways, whole := plan.Ways(remote)
		if !whole {
			broken++ // too many marks, rules and routes together
			continue
		}
		for from := pods.Addr(); pods.Contains(from); from = from.Next() {
			for to := remote.Addr(); remote.Contains(to); to = to.Next() {
				for _, rest := range []Packet{
					{Protocol: protocolUDP, Source: usualSource, Target: usualTarget}, {Protocol: protocolTCP,
						Source: 40000, Target: 5432},
					{Protocol: protocolTCP, Source: 40000, Target: 5433, DSCP: 4}, {Protocol: protocolICMP, DSCP: 12},
					{Protocol: protocolTCP, Source: 1, Target: 7000},
				} {
					rest.From, rest.To, rest.In = from, to, "cni0"
					check(t, seed, plan, &h, ways, rest)
				}
			}
		}
		for i := range ways {
			if w := &ways[i]; w.Certainty == Doubtful || plan.meetsAll(&w.Sample, w.when) != yes ||
				!w.To.Has(w.Sample.To) {
				t.Fatalf("seed %d: the sample %+v does not take its way", seed, w.Sample)
			}
			if got, want := result(&ways[i]), simulate(&h, ways[i].Sample); got != want {
				t.Fatalf("seed %d: a sample %+v goes to %s, the kernel says %s", seed, ways[i].Sample, got, want)
			}
		}
	}
	if broken > seeds/100 {
		t.Errorf("%d of %d walks were not whole", broken, seeds)
	}
}

func check(t *testing.T, seed uint64, plan *Plan, h *Host, ways []Way, p Packet) {
	t.Helper()
	var taken []string
	for i := range ways {
		if ways[i].To.Has(p.To) && plan.meetsAll(&p, ways[i].when) == yes {
			taken = append(taken, result(&ways[i]))
		}
	}
	if want := simulate(h, p); len(taken) != 1 || taken[0] != want {
		text := ""
		for _, r := range h.Rules {
			text += fmt.Sprintf("%+v\n", *r)
		}
		for _, e := range h.Entries {
			text += fmt.Sprintf("%+v\n", *e)
		}
		for _, d := range h.Diversions {
			text += fmt.Sprintf("%+v\n", *d)
		}
		t.Fatalf("seed %d: %+v takes %q, the kernel says %s\n%s", seed, p, taken, want, text)
	}
}

func result(w *Way) string {
	switch w.Answer {
	case NoRoute:
		return "nothing"
	case Refused:
		return w.Type
	case Local:
		return "local"
	case Out:
		return w.Link
	}
	return "unclear"
}

// Where one entry is said to answer for all packets, the walk says so too.
func TestSingleIsTheOnlyWay(t *testing.T) {
	found := 0
	for seed := range uint64(4000) {
		r := rand.New(rand.NewPCG(seed, 16))
		h := someHost(r)
		if seed%2 == 0 {
			h.Rules = nil
		}
		plan := Compile(h)
		entry := plan.Single(remote)
		if entry == nil {
			continue
		}
		found++
		if ways, whole := plan.Ways(remote); !whole || len(ways) != 1 || ways[0].Entry != entry ||
			ways[0].Certainty != Certain {
			t.Fatalf("seed %d: %+v is not the only way: %+v", seed, entry, ways)
		}
	}
	if found < 100 {
		t.Errorf("only %d were found", found)
	}
}
