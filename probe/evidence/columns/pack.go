// Package columns packs messages of single peers into columns, which say of many
// peers or nodes in one message what is the same for all once, and unpacks them
// again. A probe packs what it writes; whoever reads a stream unpacks it.
//
// It must not know what a message is good for: nothing is judged, dropped or
// rounded but what the types of columns in probe/evidence say is.
package columns

import (
	"cmp"
	"encoding/json"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Packer turns messages of single peers into columns, where several are alike
// or have much in common. It remembers the numbers of peers, so one Packer is
// for one stream. The zero value is ready.
type Packer struct {
	numbers map[[2]string]numbered // by device and key
	next    map[string]int         // by device
}

// numbered is a peer that has been in a column.
type numbered struct {
	number   int
	endpoint netip.AddrPort
}

// Bounds of one column.
const (
	maxPeers = 64                      // rows of peers, counts and tunnels
	maxAlike = evidence.MaxNumbers / 2 // rows of canaries, routes and packets in tunnels
	packRoom = 512                     // left for what the stream's name and number add
)

// Pack returns the messages with what belongs together in columns, in an order
// that depends only on the messages.
func (p *Packer) Pack(messages []evidence.Message) []evidence.Message {
	packed, rest := p.packPeers(messages)
	var groups groups
	var single []evidence.Message
	for _, m := range rest {
		switch {
		case m.Count != nil && p.countable(m.Count):
			groups.add(text("count", m.Count.Device, m.Count.Index, clock(m.Count.Handshake, m.Count.Age)), m)
		case m.Tunnel != nil && len(m.Tunnel.TX.Indices) < 2 && len(m.Tunnel.RX.Indices) < 2:
			groups.add(tunnelAlike(m.Tunnel), m)
		case m.Canary != nil:
			groups.add(text("canary", m.Canary.Family, m.Canary.First, withoutRTT(m.Canary.Rows)), m)
		case m.Witness != nil && m.Witness.Alike == nil:
			groups.add(text("witness", m.Witness.Link, m.Witness.Direction, m.Witness.Family), m)
		case m.Route != nil && m.Route.For.IsValid():
			alike := *m.Route
			alike.For = netipNone
			groups.add(text("route", alike), m)
		case m.Control != nil && m.Control.Peer >= 0 && m.Control.Link == "" && m.Control.Error == "":
			groups.add(text("control", m.Control.Sent), m)
		default:
			single = append(single, m)
		}
	}
	packed = append(packed, single...)
	for _, key := range groups.order {
		packed = append(packed, p.column(groups.of[key])...)
	}
	return packed
}

// packPeers packs devices and their peers, which gives them the numbers that
// others refer to.
func (p *Packer) packPeers(messages []evidence.Message) (packed, rest []evidence.Message) {
	var groups groups
	for _, m := range messages {
		switch {
		case m.Device != nil:
			packed = append(packed, m)
		case m.Peer != nil && packable(m.Peer):
			groups.add(peerAlike(m.Peer), m)
		default:
			rest = append(rest, m)
		}
	}
	for _, key := range groups.order {
		packed = append(packed, p.peers(groups.of[key])...)
	}
	return packed, rest
}

// groups are messages that go into the same column, by what they have alike.
type groups struct {
	order []string
	of    map[string][]evidence.Message
}

func (g *groups) add(key string, m evidence.Message) {
	if g.of == nil {
		g.of = map[string][]evidence.Message{}
	}
	if g.of[key] == nil {
		g.order = append(g.order, key)
	}
	g.of[key] = append(g.of[key], m)
}

// text is the same for equal values only.
func text(values ...any) string {
	line, _ := json.Marshal(values) // all of them can be encoded
	return string(line)
}

// column packs messages that are alike.
func (p *Packer) column(rows []evidence.Message) []evidence.Message {
	first := rows[0]
	switch {
	case len(rows) == 1 && first.Witness == nil:
		return rows
	case first.Count != nil:
		return p.counts(rows)
	case first.Tunnel != nil:
		return split(rows, maxPeers, tunnels)
	case first.Canary != nil:
		slices.SortStableFunc(rows, func(a, b evidence.Message) int {
			return cmp.Compare(a.Canary.Peer, b.Canary.Peer)
		})
		return split(rows, maxAlike, canaries)
	case first.Witness != nil:
		return seenInTunnel(rows)
	case first.Route != nil:
		return split(rows, maxAlike, routes)
	default:
		slices.SortStableFunc(rows, func(a, b evidence.Message) int {
			return cmp.Compare(a.Control.Peer, b.Control.Peer)
		})
		return split(rows, maxAlike, controls)
	}
}

// split makes as few columns of rows as fit into messages. A row that fits none
// stays as it is.
func split[T any](rows []T, limit int, column func([]T) evidence.Message) (messages []evidence.Message) {
	if len(rows) > limit {
		return append(split(rows[:limit], limit, column), split(rows[limit:], limit, column)...)
	}
	m := column(rows)
	if line, err := evidence.Encode(&m); (err != nil || len(line) > evidence.MaxMessage-packRoom) && len(rows) > 1 {
		half := len(rows) / 2
		return append(split(rows[:half], limit, column), split(rows[half:], limit, column)...)
	}
	return []evidence.Message{m}
}
