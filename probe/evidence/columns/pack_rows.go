package columns

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

var netipNone netip.Addr

// millisecond is a millisecond in the nanoseconds of Peer and Count.
const millisecond = 1_000_000

// clock is when handshakes were read, in milliseconds; 0 if there was none.
func clock(handshake, age int64) int64 {
	if handshake == 0 {
		return 0
	}
	return (handshake + age) / millisecond
}

// age is that of a handshake in milliseconds, -1 for none.
func age(handshake, age int64) int64 {
	if handshake == 0 {
		return -1
	}
	return age / millisecond
}

// packable reports whether a column says the same of the peer. The parts of a peer
// with many allowed IPs have its counters in common, which it would sum.
func packable(p *evidence.Peer) bool { return len(p.AllowedIPs) < 32 && p.Age >= 0 }

func peerAlike(p *evidence.Peer) string {
	return text("peer", p.Device, p.Keepalive, p.Preshared, clock(p.Handshake, p.Age))
}

func (p *Packer) peers(rows []evidence.Message) []evidence.Message {
	if p.numbers == nil {
		p.numbers = map[[2]string]numbered{}
		p.next = map[string]int{}
	}
	device := rows[0].Peer.Device
	messages := split(rows, maxPeers, func(rows []evidence.Message) evidence.Message {
		first := rows[0].Peer
		column := &evidence.Peers{
			Device: device, Keepalive: first.Keepalive, Preshared: first.Preshared,
			Clock: clock(first.Handshake, first.Age),
		}
		for _, m := range rows {
			peer := m.Peer
			column.Keys = append(column.Keys, peer.PublicKey)
			column.Endpoints = append(column.Endpoints, peer.Endpoint)
			column.AllowedIPs = append(column.AllowedIPs, peer.AllowedIPs)
			column.Ages = append(column.Ages, age(peer.Handshake, peer.Age))
			column.TX = append(column.TX, peer.TX)
			column.RX = append(column.RX, peer.RX)
		}
		return evidence.Message{Peers: column}
	})
	for i := range messages {
		column := messages[i].Peers
		column.First = p.next[device]
		p.next[device] += len(column.Keys)
		for n, key := range column.Keys {
			p.numbers[[2]string{device, key}] = numbered{column.First + n, column.Endpoints[n]}
		}
	}
	return messages
}

// countable reports whether a column says the same of the counters: all four
// readings of a peer with a number, none below the one before.
func (p *Packer) countable(c *evidence.Count) bool {
	_, known := p.numbers[[2]string{c.Device, c.PublicKey}]
	return known && c.Readings == evidence.Readings && slices.IsSorted(c.TX[:]) && slices.IsSorted(c.RX[:]) &&
		c.Age >= 0
}

func (p *Packer) counts(rows []evidence.Message) (messages []evidence.Message) {
	of := func(m evidence.Message) numbered { return p.numbers[[2]string{m.Count.Device, m.Count.PublicKey}] }
	number := func(m evidence.Message) int { return of(m).number }
	slices.SortFunc(rows, func(a, b evidence.Message) int { return cmp.Compare(number(a), number(b)) })
	column := func(rows []evidence.Message) evidence.Message {
		first := rows[0].Count
		column := &evidence.Counts{
			Device: first.Device, Index: first.Index, First: number(rows[0]),
			Clock: clock(first.Handshake, first.Age),
		}
		roamed := slices.ContainsFunc(rows, func(m evidence.Message) bool { return m.Count.Endpoint != of(m).endpoint })
		for _, m := range rows {
			column.Ages = append(column.Ages, age(m.Count.Handshake, m.Count.Age))
			if roamed {
				column.Endpoints = append(column.Endpoints, m.Count.Endpoint)
			}
			for i := range evidence.Readings - 1 {
				column.TX = append(column.TX, m.Count.TX[i+1]-m.Count.TX[i])
				column.RX = append(column.RX, m.Count.RX[i+1]-m.Count.RX[i])
			}
		}
		return evidence.Message{Counts: column}
	}
	for len(rows) > 0 { // each run of numbers without a gap
		end := 1
		for end < len(rows) && number(rows[end]) == number(rows[end-1])+1 {
			end++
		}
		messages = append(messages, split(rows[:end], maxPeers, column)...)
		rows = rows[end:]
	}
	return messages
}

func tunnelAlike(t *evidence.Tunnel) string {
	return text("tunnel", t.Local, t.Links, flowAlike(t.TX), flowAlike(t.RX))
}

// flowAlike is a flow without what is its session's own.
func flowAlike(f evidence.Flow) evidence.Flow {
	f.Indices = slices.Clone(f.Indices)
	for i := range f.Indices {
		f.Indices[i].Index = 0
		f.Indices[i].Min = 0
		f.Indices[i].Max = 0
	}
	return f
}

func tunnels(rows []evidence.Message) evidence.Message {
	first := rows[0].Tunnel
	column := &evidence.Tunnels{Local: first.Local, Links: first.Links, TX: flowAlike(first.TX),
		RX: flowAlike(first.RX)}
	for _, m := range rows {
		column.Remotes = append(column.Remotes, m.Tunnel.Remote)
		for _, r := range m.Tunnel.TX.Indices {
			column.TXSessions = append(column.TXSessions, uint64(r.Index), r.Min, r.Max-r.Min)
		}
		for _, r := range m.Tunnel.RX.Indices {
			column.RXSessions = append(column.RXSessions, uint64(r.Index), r.Min, r.Max-r.Min)
		}
	}
	return evidence.Message{Tunnels: column}
}

func withoutRTT(rows []evidence.CanaryRow) []evidence.CanaryRow {
	rows = slices.Clone(rows)
	for i := range rows {
		rows[i].RTT = 0
	}
	return rows
}

func canaries(rows []evidence.Message) evidence.Message {
	first := rows[0].Canary
	column := &evidence.Canaries{Family: first.Family, First: first.First, Rows: withoutRTT(first.Rows)}
	for _, m := range rows {
		column.Peers = append(column.Peers, m.Canary.Peer)
		column.RTTs = append(column.RTTs, evidence.Fastest(m.Canary.Rows))
	}
	return evidence.Message{Canaries: column}
}

func routes(rows []evidence.Message) evidence.Message {
	column := &evidence.Routes{Route: *rows[0].Route}
	column.For = netipNone
	for _, m := range rows {
		column.To = append(column.To, m.Route.For)
	}
	return evidence.Message{Routes: column}
}

func controls(rows []evidence.Message) evidence.Message {
	column := &evidence.Controls{Sent: rows[0].Control.Sent}
	for _, m := range rows {
		column.Peers = append(column.Peers, m.Control.Peer)
	}
	return evidence.Message{Controls: column}
}

// seenInTunnel packs what was seen on one link in one direction and family.
func seenInTunnel(rows []evidence.Message) []evidence.Message {
	about := *rows[0].Witness
	var order []evidence.SeenAlike
	alike := map[string]*evidence.SeenAlike{}
	for _, m := range rows {
		for _, s := range m.Witness.Seen {
			group := alikeOf(&s)
			group.Sources = evidence.Numbers{s.Source}
			if about.Direction == evidence.DirectionRX {
				group.Sources = nil
				group.Targets = evidence.Numbers{s.Target}
			}
			key := text(group)
			if alike[key] == nil {
				order = append(order, group)
				alike[key] = &group
			}
			if about.Direction == evidence.DirectionRX {
				alike[key].Sources = append(alike[key].Sources, s.Source)
			} else {
				alike[key].Targets = append(alike[key].Targets, s.Target)
			}
		}
	}
	var parts []evidence.SeenAlike
	for _, group := range order {
		part := *alike[text(group)]
		if about.Direction == evidence.DirectionRX {
			slices.Sort(part.Sources)
			for some := range slices.Chunk(part.Sources, maxAlike) {
				part.Sources = some
				parts = append(parts, part)
			}
			continue
		}
		slices.Sort(part.Targets)
		for some := range slices.Chunk(part.Targets, maxAlike) {
			part.Targets = some
			parts = append(parts, part)
		}
	}
	return split(parts, maxAlike, func(parts []evidence.SeenAlike) evidence.Message {
		return evidence.Message{Witness: &evidence.Witness{
			Link: about.Link, Direction: about.Direction, Family: about.Family, Alike: parts,
		}}
	})
}

// alikeOf is what a Seen has in common with others, without the nodes.
func alikeOf(s *evidence.Seen) evidence.SeenAlike {
	return evidence.SeenAlike{
		UDP: s.UDP, TCP: s.TCP, ICMP: s.ICMP, Control: s.Control, First: s.First,
		UDPAnswers: s.UDPAnswers, TCPAnswers: s.TCPAnswers, ICMPAnswers: s.ICMPAnswers, FirstAnswers: s.FirstAnswers,
	}
}
