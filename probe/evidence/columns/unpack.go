package columns

import (
	"errors"
	"fmt"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Unpacker turns columns into the messages of single peers. It remembers the
// peers' numbers, so one Unpacker is for one stream, in its order. The zero
// value is ready, without bounds.
type Unpacker struct {
	Bounds *Bounds

	peers map[string][]*evidence.Peer // by device and number
	rows  int                         // that few bytes stood for
}

// Bounds are those of a stream in a run: a node speaks of its own traffic only,
// and of each other node a bounded number of times.
type Bounds struct {
	Index int // of the stream's node
	Nodes int // of the run
}

// rowsPerNode is more than what a stream says of one node in columns: in two
// directions and families on each of its links.
const rowsPerNode = 512

// errRows is what is wrong with columns that stand for too much.
var errRows = errors.New("its columns stand for more than there is to say of the nodes of the run")

// spend counts rows of columns in which few bytes stand for many rows.
func (u *Unpacker) spend(rows int) error {
	if u.rows += rows; u.Bounds != nil && u.rows > rowsPerNode*(u.Bounds.Nodes+1) {
		return errRows
	}
	return nil
}

// foreign reports whether what is said is of others' traffic.
func (u *Unpacker) foreign(source, target int) bool {
	return u.Bounds != nil && source != u.Bounds.Index && target != u.Bounds.Index
}

// errColumn is what is wrong with a column whose lists do not fit each other.
var errColumn = errors.New("a column of it makes no sense")

// Unpack calls yield with the messages of single peers that a message stands
// for; that is the message itself unless it is a column.
func (u *Unpacker) Unpack(m *evidence.Message, yield func(*evidence.Message)) error {
	single := func(one evidence.Message) {
		one.Stream = m.Stream
		one.Seq = m.Seq
		yield(&one)
	}
	switch {
	case m.Peers != nil:
		return u.unpackPeers(m.Peers, single)
	case m.Counts != nil:
		return u.unpackCounts(m.Counts, single)
	case m.Tunnels != nil:
		return unpackTunnels(m.Tunnels, single)
	case m.Canaries != nil:
		if err := u.spend(len(m.Canaries.Peers)); err != nil {
			return err
		}
		return unpackCanaries(m.Canaries, single)
	case m.Witness != nil && m.Witness.Alike != nil:
		return u.unpackWitness(m.Witness, single)
	case m.Routes != nil:
		for _, to := range m.Routes.To {
			route := m.Routes.Route
			route.For = to
			single(evidence.Message{Route: &route})
		}
	case m.Controls != nil:
		if err := u.spend(len(m.Controls.Peers)); err != nil {
			return err
		}
		for _, peer := range m.Controls.Peers {
			single(evidence.Message{Control: &evidence.Control{Peer: peer, Sent: m.Controls.Sent}})
		}
	default:
		yield(m)
	}
	return nil
}

// stamp returns a handshake's wall clock and age in nanoseconds.
func stamp(clock, age int64) (at, ago int64) {
	if age < 0 {
		return 0, 0
	}
	return max(1, (clock-age)*millisecond), age * millisecond
}

func (u *Unpacker) unpackPeers(c *evidence.Peers, yield func(evidence.Message)) error {
	n := len(c.Keys)
	if len(c.Endpoints) != n || len(c.AllowedIPs) != n || len(c.Ages) != n || len(c.TX) != n || len(c.RX) != n {
		return fmt.Errorf("peers of %s: %w", c.Device, errColumn)
	}
	if u.peers == nil {
		u.peers = map[string][]*evidence.Peer{}
	}
	if c.First != len(u.peers[c.Device]) {
		return fmt.Errorf("peers of %s, number %d: %w", c.Device, c.First, errColumn)
	}
	for i, key := range c.Keys {
		peer := &evidence.Peer{
			Device: c.Device, PublicKey: key, Endpoint: c.Endpoints[i], AllowedIPs: c.AllowedIPs[i],
			Keepalive: c.Keepalive, Preshared: c.Preshared, TX: c.TX[i], RX: c.RX[i],
		}
		peer.Handshake, peer.Age = stamp(c.Clock, c.Ages[i])
		u.peers[c.Device] = append(u.peers[c.Device], peer)
		yield(evidence.Message{Peer: peer})
	}
	return nil
}

func (u *Unpacker) unpackCounts(c *evidence.Counts, yield func(evidence.Message)) error {
	known, n := u.peers[c.Device], len(c.Ages)
	if c.First < 0 || c.First > len(known)-n || c.Endpoints != nil && len(c.Endpoints) != n ||
		len(c.TX) != n*(evidence.Readings-1) || len(c.RX) != n*(evidence.Readings-1) {
		return fmt.Errorf("counts of %s, number %d: %w", c.Device, c.First, errColumn)
	}
	for i := range n {
		peer := known[c.First+i]
		count := &evidence.Count{
			Device: c.Device, Index: c.Index, PublicKey: peer.PublicKey, Endpoint: peer.Endpoint,
			Readings: evidence.Readings,
		}
		if c.Endpoints != nil {
			count.Endpoint = c.Endpoints[i]
		}
		count.Handshake, count.Age = stamp(c.Clock, c.Ages[i])
		count.TX = cumulate(peer.TX, c.TX[i*(evidence.Readings-1):])
		count.RX = cumulate(peer.RX, c.RX[i*(evidence.Readings-1):])
		yield(evidence.Message{Count: count})
	}
	return nil
}

// cumulate returns readings by the first and the steps between them.
func cumulate(first uint64, steps []uint64) (readings [evidence.Readings]uint64) {
	readings[0] = first
	for i := range evidence.Readings - 1 {
		readings[i+1] = readings[i] + steps[i]
	}
	return readings
}

func unpackTunnels(c *evidence.Tunnels, yield func(evidence.Message)) error {
	n := len(c.Remotes)
	for _, way := range []struct {
		flow     *evidence.Flow
		sessions []uint64
	}{{&c.TX, c.TXSessions}, {&c.RX, c.RXSessions}} {
		if len(way.flow.Indices) > 1 || len(way.sessions) != 3*n*len(way.flow.Indices) {
			return fmt.Errorf("tunnels: %w", errColumn)
		}
	}
	for i, remote := range c.Remotes {
		yield(evidence.Message{Tunnel: &evidence.Tunnel{
			Local: c.Local, Remote: remote, Links: c.Links,
			TX: withSession(c.TX, c.TXSessions, i), RX: withSession(c.RX, c.RXSessions, i),
		}})
	}
	return nil
}

func withSession(f evidence.Flow, sessions []uint64, i int) evidence.Flow {
	if len(f.Indices) == 0 {
		return f
	}
	f.Indices = slices.Clone(f.Indices)
	r := &f.Indices[0]
	r.Index = uint32(sessions[3*i])
	r.Min = sessions[3*i+1]
	r.Max = sessions[3*i+1] + sessions[3*i+2]
	return f
}

func unpackCanaries(c *evidence.Canaries, yield func(evidence.Message)) error {
	if len(c.RTTs) != len(c.Peers) {
		return fmt.Errorf("canaries: %w", errColumn)
	}
	full := evidence.FullSize(c.Rows)
	at := slices.IndexFunc(c.Rows, func(r evidence.CanaryRow) bool {
		return r.Answered > 0 && (r.Transport == "icmp" || r.Size != full)
	})
	for i, peer := range c.Peers {
		rows := c.Rows
		if c.RTTs[i] > 0 && at >= 0 {
			rows = slices.Clone(rows)
			rows[at].RTT = c.RTTs[i]
		}
		yield(evidence.Message{Canary: &evidence.Canary{Peer: peer, Family: c.Family, First: c.First, Rows: rows}})
	}
	return nil
}

func (u *Unpacker) unpackWitness(w *evidence.Witness, yield func(evidence.Message)) error {
	one := &evidence.Witness{Link: w.Link, Direction: w.Direction, Family: w.Family, Seen: w.Seen}
	for _, a := range w.Alike {
		if len(a.Sources)*len(a.Targets) > evidence.MaxNumbers {
			return fmt.Errorf("packets seen on %s: %w", w.Link, errColumn)
		}
		for _, source := range a.Sources {
			for _, target := range a.Targets {
				if u.foreign(source, target) {
					continue
				}
				if err := u.spend(1); err != nil {
					return err
				}
				one.Seen = append(one.Seen, seenOf(&a, source, target))
			}
		}
	}
	yield(evidence.Message{Witness: one})
	return nil
}

// seenOf is a Seen of two nodes that has all this in common with others.
func seenOf(a *evidence.SeenAlike, source, target int) evidence.Seen {
	return evidence.Seen{
		Source: source, Target: target, UDP: a.UDP, TCP: a.TCP, ICMP: a.ICMP, Control: a.Control, First: a.First,
		UDPAnswers: a.UDPAnswers, TCPAnswers: a.TCPAnswers, ICMPAnswers: a.ICMPAnswers, FirstAnswers: a.FirstAnswers,
	}
}
