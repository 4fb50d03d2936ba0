//go:build linux

package canary

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// Bounds: only holders of the run's key are counted, but they may err.
const (
	maxPeers = 1 << 14
	maxRows  = 48 // per peer and family; keeps a Canary below evidence.MaxMessage
	// maxFirsts bounds first packets: whoever reads a new pod's command can forge them.
	maxFirsts = 1 << 16
	maxError  = 80 // bytes of an error
)

var transportNames = map[uint8]string{wire.TransportUDP: "udp", wire.TransportTCP: "tcp", wire.TransportICMP: "icmp"}

// counters counts canaries by peer, family, transport and size. The zero value
// is ready; it is safe for concurrent use.
type counters struct {
	mu         sync.Mutex
	peers      map[peerKey]map[rowKey]*row
	firsts     map[peerKey]map[uint16]bool // first packets of new pods, by sequence: a duplicate counts once
	firstCount int                         // over all of firsts
}

type peerKey struct {
	peer   uint32
	family uint8
}

type rowKey struct {
	transport uint8
	size      uint16
}

type row struct {
	sent               uint32
	answered, received map[uint16]bool // by sequence: a duplicate counts once
	rtt                time.Duration   // the shortest round trip, 0 if none came back
	err                string
	pathMTU            int // see evidence.CanaryRow
}

// update calls change with the row, under the lock.
func (c *counters) update(peer uint32, family, transport uint8, size uint16, change func(*row)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.peers == nil {
		c.peers = make(map[peerKey]map[rowKey]*row)
	}
	key := peerKey{peer, family}
	rows := c.peers[key]
	if rows == nil {
		if len(c.peers) >= maxPeers {
			return
		}
		rows = make(map[rowKey]*row)
		c.peers[key] = rows
	}
	r := rows[rowKey{transport, size}]
	if r == nil {
		if len(rows) >= maxRows {
			return
		}
		r = &row{answered: make(map[uint16]bool), received: make(map[uint16]bool)}
		rows[rowKey{transport, size}] = r
	}
	change(r)
}

// answered counts an answer that came after a round trip.
func (c *counters) answered(m wire.Marked, peer uint32, rtt time.Duration) {
	c.update(peer, m.Family, m.Transport, m.Size, func(r *row) {
		r.answered[m.Sequence] = true
		if r.rtt == 0 || rtt < r.rtt {
			r.rtt = max(rtt, time.Microsecond)
		}
	})
}

// received counts a canary that came from another pod.
func (c *counters) received(m wire.Marked) {
	c.update(m.Source, m.Family, m.Transport, m.Size, func(r *row) { r.received[m.Sequence] = true })
}

// first counts a first packet that came from a new pod.
func (c *counters) first(m wire.Marked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.firsts == nil {
		c.firsts = make(map[peerKey]map[uint16]bool)
	}
	key := peerKey{m.Source, m.Family}
	if c.firsts[key][m.Sequence] || c.firstCount == maxFirsts {
		return
	}
	if c.firsts[key] == nil {
		if len(c.firsts) == maxPeers {
			return
		}
		c.firsts[key] = make(map[uint16]bool)
	}
	c.firsts[key][m.Sequence] = true
	c.firstCount++
}

// came reports whether any canary came from a pod.
func (c *counters) came(peer uint32, family uint8) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.peers[peerKey{peer, family}] {
		if len(r.received) > 0 {
			return true
		}
	}
	return false
}

// reached reports whether a peer answered a UDP canary of a size.
func (c *counters) reached(peer uint32, family uint8, size uint16) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.peers[peerKey{peer, family}][rowKey{wire.TransportUDP, size}]
	return r != nil && len(r.answered) > 0
}

// messages returns a Canary for each peer and family, in a stable order.
func (c *counters) messages() []evidence.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	keys := slices.Collect(maps.Keys(c.peers))
	for key := range c.firsts {
		if c.peers[key] == nil {
			keys = append(keys, key)
		}
	}
	messages := make([]evidence.Message, 0, len(keys))
	for _, key := range keys {
		rows := c.peers[key]
		canary := &evidence.Canary{Peer: int(key.peer), Family: int(key.family), First: uint32(len(c.firsts[key]))}
		for key, r := range rows {
			canary.Rows = append(canary.Rows, evidence.CanaryRow{
				Transport: transportNames[key.transport], Size: int(key.size), Sent: r.sent,
				Answered: uint32(len(r.answered)), Received: uint32(len(r.received)),
				RTT:     uint32(min(r.rtt.Microseconds(), math.MaxUint32)),
				Error:   r.err[:min(len(r.err), maxError)],
				PathMTU: r.pathMTU,
			})
		}
		slices.SortFunc(canary.Rows, func(a, b evidence.CanaryRow) int {
			return cmp.Or(-cmp.Compare(a.Transport, b.Transport), cmp.Compare(a.Size, b.Size))
		})
		messages = append(messages, evidence.Message{Canary: canary})
	}
	slices.SortFunc(messages, func(m, n evidence.Message) int {
		a, b := m.Canary, n.Canary
		return cmp.Or(cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Family, b.Family))
	})
	return messages
}
