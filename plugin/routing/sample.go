package routing

import (
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A packet like any other: between two ports of those that a system gives to
// whoever asks for one.
const (
	usualSource = 45711
	usualTarget = 40407
)

// trial are the values that are tried for a packet, the usual ones first. They
// hold both sides of every bound that a condition has, so that one of their
// combinations meets all conditions if any packet does.
type trial struct {
	from           []netip.Addr
	in             []arrival
	protocol       []uint8
	source, target []uint16
	dscp           []uint8
}

type arrival struct {
	link     string
	doubtful bool
}

// sample finds a packet that takes a way, and how certain that is; false if
// there is none. It looks at no more conditions than are left.
func (p *Plan) sample(way *Way, left *int) bool {
	to, some := way.To.any(netip.Addr{})
	if !some {
		return false
	}
	t := p.usual
	way.Sample = Packet{From: t.from[0], To: to, In: t.in[0].link, Protocol: t.protocol[0], Source: usualSource,
		Target: t.target[0]}
	way.Certainty = Certain
	if way.when == nil {
		return true
	}
	for one := way.when; one != nil && *left > 0; one = one.next {
		p.widen(&t, one)
		*left -= 8 // what it adds is gone through more than once
	}
	t.tidy()
	if p.try(way, p.plain(t), Certain, left) == yes {
		return true
	}
	found := p.try(way, t, Selective, left)
	if found == maybe {
		way.Certainty = Doubtful
	}
	return found != no
}

// usually are the packets that pods send without any condition asking for more.
func (p *Plan) usually() trial {
	t := trial{
		protocol: []uint8{protocolUDP, protocolTCP, protocolICMP, protocolOther},
		source:   []uint16{usualSource}, target: []uint16{usualTarget}, dscp: []uint8{0},
	}
	if p.host.Family == 6 {
		t.protocol[2] = protocolICMPv6
	}
	if p.host.Datagrams != nil {
		t.protocol = []uint8{protocolUDP}
		t.target = p.host.Datagrams
	}
	if p.host.Pod.IsValid() {
		t.from = append(t.from, p.host.Pod)
	}
	for _, own := range p.host.Pods {
		t.from = append(t.from, own.Masked().Addr())
	}
	if len(t.from) == 0 {
		t.from = []netip.Addr{{}}
	}
	for _, link := range p.certain {
		t.in = append(t.in, arrival{link, false})
	}
	for _, link := range p.doubtful {
		t.in = append(t.in, arrival{link, true})
	}
	if len(t.in) == 0 {
		t.in = []arrival{{"", true}}
	}
	t.from = slices.Clip(t.from)
	t.protocol = slices.Clip(t.protocol) // what is added to a copy is not in this one
	return t
}

// plain leaves only what every packet can have.
func (p *Plan) plain(t trial) trial {
	t.protocol = []uint8{protocolUDP, protocolTCP, protocolICMP}
	if p.host.Family == 6 {
		t.protocol[2] = protocolICMPv6
	}
	t.source = []uint16{usualSource}
	t.target = p.usual.target[:1]
	t.dscp = []uint8{0}
	return t
}

// sends reports whether packets that are asked about can be like one. An overlay
// takes the source port of a datagram from the flow in it, among those that the
// kernel gives to sockets (udp_flow_src_port, inet_get_local_port_range).
func (p *Plan) sends(packet *Packet) bool {
	const first, last = 32768, 60999
	return p.host.Datagrams == nil || packet.Protocol == protocolUDP && slices.Contains(p.host.Datagrams,
		packet.Target) &&
		first <= packet.Source && packet.Source <= last && packet.DSCP == 0
}

// widen adds what a condition distinguishes.
func (p *Plan) widen(t *trial, c *term) {
	switch {
	case c.rule != nil:
		r := c.rule
		if r.From.IsValid() {
			p.addFrom(t, r.From)
		}
		if r.Protocol != 0 {
			t.protocol = append(t.protocol, r.Protocol)
		}
		if r.SourcePorts != nil {
			t.source = bounds(t.source, *r.SourcePorts)
		}
		if r.TargetPorts != nil {
			t.target = bounds(t.target, *r.TargetPorts)
		}
		if r.DSCP != nil {
			t.dscp = around(t.dscp, *r.DSCP)
		}
		t.dscp = around(t.dscp, r.TOS>>2)
	case c.group != nil:
		for _, d := range c.group.by {
			p.widenBy(t, &d.Selector)
		}
	case c.entry != nil:
		t.dscp = around(t.dscp, c.entry.TOS>>2)
		if c.entry.From.IsValid() {
			p.addFrom(t, c.entry.From)
		}
	}
}

func (p *Plan) widenBy(t *trial, s *evidence.Selector) {
	for _, from := range slices.Concat(s.From, s.NotFrom) {
		p.addFrom(t, from)
	}
	t.protocol = append(t.protocol, s.Protocol...)
	for _, ports := range s.Source {
		t.source = bounds(t.source, ports)
	}
	for _, ports := range s.Target {
		t.target = bounds(t.target, ports)
	}
	for _, dscp := range s.DSCP {
		t.dscp = around(t.dscp, dscp)
	}
}

// addFrom adds the addresses on both sides of a prefix's bounds, as far as they
// are of pods.
func (p *Plan) addFrom(t *trial, from netip.Prefix) {
	first, end := from.Masked().Addr(), last(from)
	for _, addr := range []netip.Addr{first, end, first.Prev(), end.Next()} {
		if addr.IsValid() && within(addr, p.host.Pods) {
			t.from = append(t.from, addr)
		}
	}
}

func bounds(ports []uint16, r evidence.Ports) []uint16 {
	return append(ports, r.From, r.To, r.From-1, r.To+1)
}

func around(values []uint8, dscp uint8) []uint8 {
	const most = 63
	return append(values, dscp&most, (dscp+1)&most, (dscp-1)&most, (dscp+8)&most) // the last has the same TOS
}

// tidy removes repeated values and keeps the order.
func (t *trial) tidy() {
	t.from = distinct(t.from)
	t.protocol = distinct(t.protocol)
	t.source = distinct(t.source)
	t.target = distinct(t.target)
	t.dscp = distinct(t.dscp)
}

func distinct[T comparable](values []T) []T {
	seen := make(map[T]bool, len(values))
	return slices.DeleteFunc(slices.Clone(values), func(v T) bool {
		if seen[v] {
			return true
		}
		seen[v] = true
		return false
	})
}

// try tries packets until one certainly meets all conditions of a way. It
// returns maybe if the best may meet them, and if there are more than it tries.
func (p *Plan) try(way *Way, t trial, certainty Certainty, left *int) truth {
	best, trials := no, 0
	for _, protocol := range t.protocol {
		sources, targets := t.source, t.target
		if !slices.Contains(ported, protocol) {
			sources, targets = []uint16{0}, []uint16{0}
		}
		for _, target := range targets {
			for _, source := range sources {
				for _, dscp := range t.dscp {
					for _, from := range t.from {
						for _, in := range t.in {
							if trials++; trials > maxTrials || *left <= 0 {
								return max(best, maybe)
							}
							packet := Packet{from, way.Sample.To, in.link, protocol, source, target, dscp, in.doubtful}
							if !p.sends(&packet) {
								continue
							}
							met := p.counted(&packet, way.when, left)
							if met > best {
								best = met
								way.Sample = packet
								way.Certainty = certainty
							}
							if met == yes {
								return yes
							}
						}
					}
				}
			}
		}
	}
	return best
}

func (p *Plan) counted(packet *Packet, when *term, left *int) truth {
	known := yes
	for t := when; t != nil && known != no; t = t.next {
		known = known.and(p.meetsOne(packet, t))
		*left--
	}
	return known
}

// meetsAll reports whether a packet meets all conditions of a way but its target.
func (p *Plan) meetsAll(packet *Packet, when *term) truth {
	left := maxConditions
	return p.counted(packet, when, &left)
}

func (p *Plan) meetsOne(packet *Packet, t *term) truth {
	one := yes
	switch {
	case t.rule != nil:
		one = p.meets(packet, t.rule)
	case t.group != nil:
		one = p.gave(packet, t.group)
	case t.entry != nil:
		one = is(t.entry.TOS == 0).or(p.hasTOS(packet, t.entry.TOS)).and(is(!t.entry.From.IsValid() ||
			t.entry.From.Contains(packet.From)))
	}
	if t.doubt {
		one = one.and(maybe)
	}
	if t.not {
		one = one.not()
	}
	return one
}
