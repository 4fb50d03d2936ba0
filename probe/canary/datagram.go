//go:build linux

package canary

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// burst is how many datagrams are sent before a pause of a millisecond, so
// that many targets do not overrun a queue and look like loss.
const burst = 64

// echoHeader is the length of an ICMP echo header; requests and replies by
// family, RFC 792 and RFC 4443.
const echoHeader = 8

var (
	echoRequest = map[uint8]byte{4: 8, 6: 128}
	echoReply   = map[uint8]byte{4: 0, 6: 129}
)

// packet is one canary to be answered: a target and a size.
type packet struct {
	target evidence.Target
	size   uint16
}

// datagramBatch is what is sent and waited for in one family over one transport of
// datagrams.
type datagramBatch struct {
	*batch
	family, transport uint8
	conns             map[uint16]*net.UDPConn // by size
	reading           sync.WaitGroup

	mu      sync.Mutex
	waiting map[packetKey]map[uint16]time.Time // when it was sent, by sequence
	done    chan struct{}                      // closed when nothing is waited for
}

type packetKey struct {
	peer uint32
	size uint16
}

// sendDatagrams sends every size to every target.
func (b *batch) sendDatagrams(ctx context.Context, targets []evidence.Target, sizes []uint16, family, transport uint8) {
	s := &datagramBatch{
		batch: b, family: family, transport: transport,
		conns: map[uint16]*net.UDPConn{}, waiting: map[packetKey]map[uint16]time.Time{}, done: make(chan struct{}),
	}
	var packets []packet
	for _, target := range targets {
		for _, size := range sizes {
			packets = append(packets, packet{target, size})
			s.waiting[packetKey{uint32(target.Index), size}] = map[uint16]time.Time{}
		}
	}
	if len(packets) == 0 {
		return
	}
	defer s.close()
	if err := s.open(ctx, sizes); err != nil {
		for _, packet := range packets {
			b.sent(b.marked(packet.target, family, transport, packet.size, 0), err)
		}
		return
	}
	for attempt := range b.attempts {
		next := time.After(b.pause)
		s.send(ctx, packets, attempt)
		select {
		case <-s.done:
			return
		case <-ctx.Done():
			return
		case <-next:
		}
	}
}

// open makes the sockets and reads what comes. All sizes share one of UDP, but
// each has one of echoes: echoes through one socket are one flow to conntrack,
// and while the entry of its first packet is not yet in the table another that
// passes on another processor is dropped (linux
// net/netfilter/nf_conntrack_core.c, nf_ct_resolve_clash; UDP is spared by
// allow_clash, ICMP is not). TCP's are apart by their connections.
func (s *datagramBatch) open(ctx context.Context, sizes []uint16) error {
	for i, size := range sizes {
		if i > 0 && s.transport != wire.TransportICMP {
			s.conns[size] = s.conns[sizes[0]]
			continue
		}
		var conn *net.UDPConn
		var err error
		if s.transport == wire.TransportICMP {
			conn, err = listenPing(s.family)
		} else {
			conn, err = listenUDP(ctx, s.family, 0)
		}
		if err != nil {
			return err
		}
		s.conns[size] = conn
		s.reading.Go(func() { s.read(conn) })
	}
	return nil
}

// close ends the sockets and waits until nothing reads from them.
func (s *datagramBatch) close() {
	for _, conn := range s.conns {
		_ = conn.Close() // a shared one more than once
	}
	s.reading.Wait()
}

// send sends what is still waited for.
func (s *datagramBatch) send(ctx context.Context, packets []packet, attempt int) {
	inBurst := 0
	for _, packet := range packets {
		key := packetKey{uint32(packet.target.Index), packet.size}
		s.yield(ctx, packet.target, s.family)
		s.mu.Lock()
		times, open := s.waiting[key]
		if open {
			times[s.first+uint16(attempt)] = time.Now()
		}
		s.mu.Unlock()
		if !open || ctx.Err() != nil {
			continue
		}
		if attempt > 0 && s.tooLarge(packet) {
			s.mu.Lock()
			s.settle(key)
			s.mu.Unlock()
			continue
		}
		m := s.marked(packet.target, s.family, s.transport, packet.size, attempt)
		s.sent(m, s.write(m, packet.target))
		if inBurst++; inBurst%burst == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

func (s *datagramBatch) write(m wire.Marked, target evidence.Target) error {
	payload, err := m.Payload(int(m.Size), s.id.Mark, s.id.Key)
	if err != nil {
		return err
	}
	to := netip.AddrPortFrom(target.Addr.Unmap(), target.UDP)
	if s.transport == wire.TransportICMP {
		header := make([]byte, echoHeader, echoHeader+len(payload))
		header[0] = echoRequest[s.family]
		binary.BigEndian.PutUint16(header[6:], m.Sequence)
		payload = append(header, payload...)
		to = netip.AddrPortFrom(to.Addr(), 0)
	}
	_, err = s.conns[m.Size].WriteToUDPAddrPort(payload, to)
	return err
}

// read takes answers until the socket is closed.
func (s *datagramBatch) read(conn *net.UDPConn) {
	buffer := make([]byte, 1<<16)
	for {
		n, _, err := conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			var failure net.Error
			if errors.As(err, &failure) && !failure.Timeout() && alive(conn) {
				continue // an error queued by an earlier datagram
			}
			return
		}
		if m, peer, ok := s.answer(buffer[:n]); ok {
			s.take(m, peer)
		}
	}
}

// alive reports whether the socket is still open.
func alive(conn *net.UDPConn) bool {
	raw, err := conn.SyscallConn()
	return err == nil && raw.Control(func(uintptr) {}) == nil
}

// answer reads an answer of the listener or, for an echo, our own canary as
// the other side's kernel returned it, and returns whose it is.
func (s *datagramBatch) answer(b []byte) (m wire.Marked, peer uint32, ok bool) {
	self := uint32(s.id.Index)
	if s.transport == wire.TransportICMP {
		if len(b) < echoHeader || b[0] != echoReply[s.family] {
			return m, 0, false
		}
		m, ok = s.id.genuine(b[echoHeader:])
		return m, m.Target, ok && m.Kind == wire.KindCanary && m.Source == self
	}
	m, ok = s.id.genuine(b)
	return m, m.Source, ok && m.Kind == wire.KindAnswer && m.Target == self
}

func (s *datagramBatch) take(m wire.Marked, peer uint32) {
	if m.Family != s.family || m.Transport != s.transport {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := packetKey{peer, m.Size}
	sent, waiting := s.waiting[key][m.Sequence]
	if !waiting {
		return
	}
	s.counters.answered(m, peer, time.Since(sent))
	s.settle(key)
}

// settle waits for a packet no more. It is called under the lock.
func (s *datagramBatch) settle(key packetKey) {
	if s.waiting[key] == nil {
		return // its answer came just now
	}
	delete(s.waiting, key)
	if len(s.waiting) == 0 {
		close(s.done)
	}
}

// tooLarge reports whether the kernel has been told that a packet of this size does not
// reach its target, so that it need not be repeated.
func (s *datagramBatch) tooLarge(p packet) bool {
	mtu, err := pathMTU(p.target.Addr)
	return err == nil && int(p.size)+headersOf(s.family) > mtu
}
