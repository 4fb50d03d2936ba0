package status

import (
	"fmt"
	"hash/fnv"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// trackKey names a peer of a node.
type trackKey struct{ node, device, publicKey string }

// track is how a peer's counters moved from one answer to the next.
type track struct {
	at     time.Time
	rx, tx uint64
	rate   *Rate
	heard  bool // the received bytes rose since the first answer
	// txHeard is what was sent when the peer was last heard, at heardAt; sending is
	// since when more was sent that it has to answer, zero if nothing was.
	txHeard uint64
	heardAt time.Time
	sending time.Time
}

// emptyMessage is the length of a keepalive, which nobody answers (messages.h,
// message_data_len).
const emptyMessage = 32

// unanswered is how many bytes a device may send to a peer that has nothing to say in
// the meantime: an answer to what it received last, and keepalives.
func unanswered(keepalive int, meantime time.Duration) uint64 {
	messages := uint64(2)
	if keepalive > 0 {
		messages += uint64(meantime / (time.Duration(keepalive) * time.Second))
	}
	return messages * emptyMessage
}

// track remembers an answer's counters, and forgets the peers that are gone.
func (m *Monitor) track(a *Answer) {
	seen := map[trackKey]bool{}
	for _, message := range a.Messages {
		if message.Peer == nil {
			continue
		}
		key := trackKey{a.Node, message.Peer.Device, message.Peer.PublicKey}
		if !seen[key] {
			seen[key] = true
			m.tracks[key] = m.tracks[key].next(message.Peer, a.At)
		}
	}
	for key := range m.tracks {
		if key.node == a.Node && !seen[key] {
			delete(m.tracks, key)
		}
	}
}

// next returns the track with one more answer. Counters that went backwards are those
// of another device, which begins a new track.
func (t *track) next(p *evidence.Peer, at time.Time) *track {
	if t == nil || p.RX < t.rx || p.TX < t.tx {
		return &track{at: at, rx: p.RX, tx: p.TX, txHeard: p.TX, heardAt: at}
	}
	next := *t
	next.at = at
	next.rx = p.RX
	next.tx = p.TX
	if seconds := at.Sub(t.at).Seconds(); seconds > 0 {
		next.rate = &Rate{RX: float64(p.RX-t.rx) / seconds, TX: float64(p.TX-t.tx) / seconds}
	}
	switch {
	case p.RX > t.rx:
		next.heard = true
		next.txHeard = p.TX
		next.heardAt = at
		next.sending = time.Time{}
	case t.sending.IsZero() && p.TX-t.txHeard > unanswered(p.Keepalive, at.Sub(t.heardAt)):
		next.sending = t.at
	}
	return &next
}

// silent is for how long the peer was sent to and not heard, 0 if it was heard.
func (t *track) silent() time.Duration {
	if t == nil || t.sending.IsZero() {
		return 0
	}
	return t.at.Sub(t.sending)
}

// fingerprint is another one if anything but counters and clocks has changed.
func (m *moment) fingerprint() uint64 {
	sum := fnv.New64a()
	fmt.Fprint(sum, m.version)
	for _, stream := range m.Streams() {
		latest := m.latest[stream]
		if latest == nil {
			continue
		}
		sum.Write([]byte(stream + latest.lost))
		for _, message := range latest.messages {
			if message.Ready != nil {
				continue
			}
			line, _ := evidence.Encode(still(message)) // what was decoded can be encoded
			sum.Write(line)
		}
	}
	return sum.Sum64()
}

// still returns a message without what changes all the time.
func still(m *evidence.Message) *evidence.Message {
	copied := *m
	copied.Stream = ""
	copied.Seq = 0
	switch {
	case m.Peer != nil:
		peer := *m.Peer
		peer.Handshake, peer.Age, peer.TX, peer.RX = 0, 0, 0, 0
		copied.Peer = &peer
	case m.Link != nil:
		link := *m.Link
		link.RXErrors, link.TXErrors, link.RXDropped, link.TXDropped = 0, 0, 0, 0
		copied.Link = &link
	}
	return &copied
}
