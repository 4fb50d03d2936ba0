package evidence

import (
	"cmp"
	"net/netip"
	"slices"
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

// packable says whether a column says the same of the peer. The parts of a peer
// with many allowed IPs have its counters in common, which it would sum.
func packable(p *Peer) bool { return len(p.AllowedIPs) < 32 && p.Age >= 0 }

func peerAlike(p *Peer) string {
	return text("peer", p.Device, p.Keepalive, p.Preshared, clock(p.Handshake, p.Age))
}

func (p *Packer) peers(rows []Message) []Message {
	if p.numbers == nil {
		p.numbers, p.next = map[[2]string]numbered{}, map[string]int{}
	}
	device := rows[0].Peer.Device
	messages := split(rows, maxPeers, func(rows []Message) Message {
		first := rows[0].Peer
		column := &Peers{Device: device, Keepalive: first.Keepalive, Preshared: first.Preshared, Clock: clock(first.Handshake, first.Age)}
		for _, m := range rows {
			peer := m.Peer
			column.Keys = append(column.Keys, peer.PublicKey)
			column.Endpoints = append(column.Endpoints, peer.Endpoint)
			column.AllowedIPs = append(column.AllowedIPs, peer.AllowedIPs)
			column.Ages = append(column.Ages, age(peer.Handshake, peer.Age))
			column.TX, column.RX = append(column.TX, peer.TX), append(column.RX, peer.RX)
		}
		return Message{Peers: column}
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

// countable says whether a column says the same of the counters: all four
// readings of a peer with a number, none below the one before.
func (p *Packer) countable(c *Count) bool {
	_, known := p.numbers[[2]string{c.Device, c.PublicKey}]
	return known && c.Readings == Readings && slices.IsSorted(c.TX[:]) && slices.IsSorted(c.RX[:]) && c.Age >= 0
}

func (p *Packer) counts(rows []Message) (messages []Message) {
	of := func(m Message) numbered { return p.numbers[[2]string{m.Count.Device, m.Count.PublicKey}] }
	number := func(m Message) int { return of(m).number }
	slices.SortFunc(rows, func(a, b Message) int { return cmp.Compare(number(a), number(b)) })
	column := func(rows []Message) Message {
		first := rows[0].Count
		column := &Counts{Device: first.Device, Index: first.Index, First: number(rows[0]), Clock: clock(first.Handshake, first.Age)}
		roamed := slices.ContainsFunc(rows, func(m Message) bool { return m.Count.Endpoint != of(m).endpoint })
		for _, m := range rows {
			column.Ages = append(column.Ages, age(m.Count.Handshake, m.Count.Age))
			if roamed {
				column.Endpoints = append(column.Endpoints, m.Count.Endpoint)
			}
			for i := range Readings - 1 {
				column.TX = append(column.TX, m.Count.TX[i+1]-m.Count.TX[i])
				column.RX = append(column.RX, m.Count.RX[i+1]-m.Count.RX[i])
			}
		}
		return Message{Counts: column}
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

func tunnelAlike(t *Tunnel) string {
	return text("tunnel", t.Local, t.Links, flowAlike(t.TX), flowAlike(t.RX))
}

// flowAlike is a flow without what is its session's own.
func flowAlike(f Flow) Flow {
	f.Indices = slices.Clone(f.Indices)
	for i := range f.Indices {
		f.Indices[i].Index, f.Indices[i].Min, f.Indices[i].Max = 0, 0, 0
	}
	return f
}

func tunnels(rows []Message) Message {
	first := rows[0].Tunnel
	column := &Tunnels{Local: first.Local, Links: first.Links, TX: flowAlike(first.TX), RX: flowAlike(first.RX)}
	for _, m := range rows {
		column.Remotes = append(column.Remotes, m.Tunnel.Remote)
		for _, r := range m.Tunnel.TX.Indices {
			column.TXSessions = append(column.TXSessions, uint64(r.Index), r.Min, r.Max-r.Min)
		}
		for _, r := range m.Tunnel.RX.Indices {
			column.RXSessions = append(column.RXSessions, uint64(r.Index), r.Min, r.Max-r.Min)
		}
	}
	return Message{Tunnels: column}
}

func withoutRTT(rows []CanaryRow) []CanaryRow {
	rows = slices.Clone(rows)
	for i := range rows {
		rows[i].RTT = 0
	}
	return rows
}

// Fastest is the shortest round trip of canaries but UDP's and TCP's of full
// size, microseconds; 0 if none came back.
func Fastest(rows []CanaryRow) (shortest uint32) {
	full := FullSize(rows)
	for _, row := range rows {
		if row.RTT > 0 && (shortest == 0 || row.RTT < shortest) && (row.Transport == "icmp" || row.Size != full) {
			shortest = row.RTT
		}
	}
	return shortest
}

// FullSize is the largest size of UDP canaries.
func FullSize(rows []CanaryRow) (size int) {
	for _, row := range rows {
		if row.Transport == "udp" {
			size = max(size, row.Size)
		}
	}
	return size
}

func canaries(rows []Message) Message {
	first := rows[0].Canary
	column := &Canaries{Family: first.Family, First: first.First, Rows: withoutRTT(first.Rows)}
	for _, m := range rows {
		column.Peers = append(column.Peers, m.Canary.Peer)
		column.RTTs = append(column.RTTs, Fastest(m.Canary.Rows))
	}
	return Message{Canaries: column}
}

func routes(rows []Message) Message {
	column := &Routes{Route: *rows[0].Route}
	column.For = netipNone
	for _, m := range rows {
		column.To = append(column.To, m.Route.For)
	}
	return Message{Routes: column}
}

func controls(rows []Message) Message {
	column := &Controls{Sent: rows[0].Control.Sent}
	for _, m := range rows {
		column.Peers = append(column.Peers, m.Control.Peer)
	}
	return Message{Controls: column}
}

// witnesses packs what was seen on one link in one direction and family.
func witnesses(rows []Message) []Message {
	about := *rows[0].Witness
	var order []SeenAlike
	alike := map[string]*SeenAlike{}
	for _, m := range rows {
		for _, s := range m.Witness.Seen {
			group := s.alike()
			group.Sources = Numbers{s.Source}
			if about.Direction == DirectionRX {
				group.Sources, group.Targets = nil, Numbers{s.Target}
			}
			key := text(group)
			if alike[key] == nil {
				order = append(order, group)
				alike[key] = &group
			}
			if about.Direction == DirectionRX {
				alike[key].Sources = append(alike[key].Sources, s.Source)
			} else {
				alike[key].Targets = append(alike[key].Targets, s.Target)
			}
		}
	}
	var parts []SeenAlike
	for _, group := range order {
		part := *alike[text(group)]
		if about.Direction == DirectionRX {
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
	return split(parts, maxAlike, func(parts []SeenAlike) Message {
		return Message{Witness: &Witness{Link: about.Link, Direction: about.Direction, Family: about.Family, Alike: parts}}
	})
}
