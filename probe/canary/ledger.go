//go:build linux

package canary

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// Bounds: only holders of the run's key get into the ledger, but they may err.
const (
	maxPeers = 1 << 14
	maxRows  = 48 // per peer and family; keeps a Canary below evidence.MaxMessage
	// maxFirsts bounds first packets: whoever reads a new pod's command can forge them.
	maxFirsts = 1 << 16
)

var transportNames = map[uint8]string{wire.TransportUDP: "udp", wire.TransportTCP: "tcp", wire.TransportICMP: "icmp"}

// ledger counts canaries by peer, family, transport and size. The zero value
// is ready; it is safe for concurrent use.
type ledger struct {
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
	rtt                time.Duration
	err                string
}

// update calls change with the row, under the lock.
func (l *ledger) update(peer uint32, family, transport uint8, size uint16, change func(*row)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.peers == nil {
		l.peers = make(map[peerKey]map[rowKey]*row)
	}
	key := peerKey{peer, family}
	rows := l.peers[key]
	if rows == nil {
		if len(l.peers) >= maxPeers {
			return
		}
		rows = make(map[rowKey]*row)
		l.peers[key] = rows
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

// answered counts an answer that came after rtt.
func (l *ledger) answered(m wire.Marked, peer uint32, rtt time.Duration) {
	l.update(peer, m.Family, m.Transport, m.Size, func(r *row) {
		if r.answered[m.Sequence] = true; r.rtt == 0 || rtt < r.rtt {
			r.rtt = max(rtt, time.Microsecond)
		}
	})
}

// received counts a canary that came from another pod.
func (l *ledger) received(m wire.Marked) {
	l.update(m.Source, m.Family, m.Transport, m.Size, func(r *row) { r.received[m.Sequence] = true })
}

// first counts a first packet that came from a new pod.
func (l *ledger) first(m wire.Marked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.firsts == nil {
		l.firsts = make(map[peerKey]map[uint16]bool)
	}
	key := peerKey{m.Source, m.Family}
	if l.firsts[key][m.Sequence] || l.firstCount == maxFirsts {
		return
	}
	if l.firsts[key] == nil {
		if len(l.firsts) == maxPeers {
			return
		}
		l.firsts[key] = make(map[uint16]bool)
	}
	l.firsts[key][m.Sequence] = true
	l.firstCount++
}

// heard tells whether any canary came from a pod.
func (l *ledger) heard(peer uint32, family uint8) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.peers[peerKey{peer, family}] {
		if len(r.received) > 0 {
			return true
		}
	}
	return false
}

// reached tells whether a peer answered a UDP canary of a size.
func (l *ledger) reached(peer uint32, family uint8, size uint16) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.peers[peerKey{peer, family}][rowKey{wire.TransportUDP, size}]
	return r != nil && len(r.answered) > 0
}

// messages returns the account in a stable order.
func (l *ledger) messages() []evidence.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	keys := slices.Collect(maps.Keys(l.peers))
	for key := range l.firsts {
		if l.peers[key] == nil {
			keys = append(keys, key)
		}
	}
	messages := make([]evidence.Message, 0, len(keys))
	for _, key := range keys {
		rows := l.peers[key]
		c := &evidence.Canary{Peer: int(key.peer), Family: int(key.family), First: uint32(len(l.firsts[key]))}
		for key, r := range rows {
			c.Rows = append(c.Rows, evidence.CanaryRow{
				Transport: transportNames[key.transport], Size: int(key.size), Sent: r.sent,
				Answered: uint32(len(r.answered)), Received: uint32(len(r.received)),
				RTT: uint32(min(r.rtt.Microseconds(), 1<<32-1)), Error: r.err[:min(len(r.err), 80)],
			})
		}
		slices.SortFunc(c.Rows, func(a, b evidence.CanaryRow) int {
			return cmp.Or(-cmp.Compare(a.Transport, b.Transport), cmp.Compare(a.Size, b.Size))
		})
		messages = append(messages, evidence.Message{Canary: c})
	}
	slices.SortFunc(messages, func(a, b evidence.Message) int {
		return cmp.Or(cmp.Compare(a.Canary.Peer, b.Canary.Peer), cmp.Compare(a.Canary.Family, b.Canary.Family))
	})
	return messages
}
