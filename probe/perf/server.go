//go:build linux

package perf

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/udp"
)

// Server is the other end of measurements. It is closed once.
type Server struct {
	key     []byte
	serving sync.WaitGroup
	places  chan struct{}

	mu       sync.Mutex
	closed   bool
	open     map[interface{ Close() error }]bool
	sessions map[uint64]*datagrams
}

// NewServer returns a server for those who have the run's key.
func NewServer(key []byte) *Server {
	return &Server{
		key: key, places: make(chan struct{}, maxConns),
		open: map[interface{ Close() error }]bool{}, sessions: map[uint64]*datagrams{},
	}
}

// Listen serves at ports that the kernel chooses, and returns them by "tcp4",
// "udp4", "tcp6", "udp6". A family that cannot be served is a problem.
func (s *Server) Listen(ctx context.Context, families []int) (map[string]uint16, []evidence.Problem) {
	ports := map[string]uint16{}
	var problems []evidence.Problem
	for _, family := range families {
		if family != 4 && family != 6 {
			continue
		}
		if err := s.listen(ctx, family, ports); err != nil {
			problems = append(problems, evidence.Problem{
				Class: evidence.ProblemUnsupported, What: "serve", On: fmt.Sprintf("IPv%d", family), Text: err.Error(),
			})
		}
	}
	return ports, problems
}

func (s *Server) listen(ctx context.Context, family int, ports map[string]uint16) error {
	var config net.ListenConfig
	tcp, err := config.Listen(ctx, fmt.Sprintf("tcp%d", family), ":0")
	if err != nil {
		return err
	}
	if !s.track(tcp) {
		return net.ErrClosed
	}
	packets, err := udp.Listen(family, 0)
	if err != nil {
		return err
	}
	_ = packets.SetReadBuffer(socketBuffer) // the kernel's own limit may be less
	if !s.track(packets) {
		return net.ErrClosed
	}
	ports[fmt.Sprintf("tcp%d", family)] = tcp.Addr().(*net.TCPAddr).AddrPort().Port()
	ports[fmt.Sprintf("udp%d", family)] = packets.Port()
	s.serving.Go(func() { s.accept(tcp) })
	s.serving.Go(func() { s.receive(packets) })
	return nil
}

// socketBuffer is asked for on datagram sockets, in bytes.
const socketBuffer = 4 << 20

// track keeps what is to be closed at the end; false if that is over.
func (s *Server) track(one interface{ Close() error }) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		one.Close()
		return false
	}
	s.open[one] = true
	return true
}

func (s *Server) forget(one interface{ Close() error }) {
	one.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, one)
}

// Close ends all that is served, and returns when nothing of it runs any more.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for one := range s.open {
		one.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
}

func (s *Server) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err != nil {
			time.Sleep(time.Millisecond) // e.g. out of descriptors
			continue
		}
		select {
		case s.places <- struct{}{}:
		default:
			conn.Close() // more than any measurement opens
			continue
		}
		if !s.track(conn) {
			return
		}
		s.serving.Go(func() {
			defer func() { <-s.places }()
			defer s.forget(conn)
			s.serve(conn)
		})
	}
}

// serve serves one connection, which ends with its result or its deadline.
func (s *Server) serve(conn net.Conn) {
	conn.SetDeadline(time.Now().Add(dialTime))
	h, err := readHello(conn, s.key)
	if err != nil {
		return
	}
	conn.SetDeadline(time.Now().Add(maxDuration + resultTime))
	var arrived result
	switch h.Kind {
	case evidence.MeasureTCP:
		arrived = takeIn(conn, h)
	case evidence.MeasureUDP, evidence.MeasureLatency:
		if arrived, err = s.count(conn, h); err != nil {
			return
		}
	default:
		return
	}
	_ = writeLine(conn, arrived) // a result that is lost is missed by the sender
}

// readSize is how much is read and written at once, in bytes: as much as iperf3
// does.
const readSize = 128 << 10

// takeIn counts what arrives until the sender has no more.
func takeIn(conn net.Conn, h hello) result {
	m := meter{hello: h, watch: h.Stream == 0}
	buffer := make([]byte, readSize)
	for {
		n, err := conn.Read(buffer)
		if n > 0 {
			m.add(n)
		}
		if err != nil {
			return m.result()
		}
	}
}

// datagrams is one measurement by datagrams.
type datagrams struct {
	mu       sync.Mutex
	meter    meter
	received uint64
}

// count counts the datagrams of a measurement until the sender ends its side of
// the connection and those under way have come.
func (s *Server) count(conn net.Conn, h hello) (result, error) {
	var id [8]byte
	rand.Read(id[:]) // never fails
	given := ticket{binary.BigEndian.Uint64(id[:])}
	session := &datagrams{meter: meter{hello: h, watch: true}}
	s.mu.Lock()
	s.sessions[given.ID] = session
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.sessions, given.ID)
	}()
	if err := writeLine(conn, given); err != nil {
		return result{}, err
	}
	var end [1]byte
	_, _ = conn.Read(end[:]) // the sender's end, or the deadline
	session.mu.Lock()
	busy := session.meter.result().Busy // without the time of waiting
	session.mu.Unlock()
	time.Sleep(drainTime)
	session.mu.Lock()
	defer session.mu.Unlock()
	arrived := session.meter.result()
	arrived.Busy, arrived.Received = busy, session.received
	return arrived, nil
}

// A datagram begins with the number of its measurement, its own, and whether it
// is to be returned.
const (
	datagramHeader = 8 + 4 + 1
	returned       = 1
)

// receive takes in datagrams of known measurements and returns those that ask for
// it, as they are.
func (s *Server) receive(conn *udp.Server) {
	buffer := make([]byte, 1<<16)
	for {
		n, from, asked, err := conn.Read(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || n < datagramHeader {
			continue
		}
		s.mu.Lock()
		session := s.sessions[binary.BigEndian.Uint64(buffer)]
		s.mu.Unlock()
		if session == nil {
			continue
		}
		session.mu.Lock()
		session.received++
		session.meter.add(n)
		session.mu.Unlock()
		if buffer[datagramHeader-1] == returned {
			_ = conn.Answer(buffer[:n], from, asked) // one that is lost is missed by the sender
		}
	}
}
