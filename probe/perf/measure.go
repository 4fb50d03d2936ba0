//go:build linux

package perf

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Measure makes one measurement with an agent that serves. What goes wrong is in
// the result.
func Measure(ctx context.Context, key []byte, r evidence.MeasureRequest) evidence.Measured {
	r.Streams = min(max(r.Streams, 1), maxStreams)
	duration := min(time.Duration(max(r.Duration, 0))*time.Millisecond, maxDuration)
	ctx, cancel := context.WithTimeout(ctx, dialTime+duration+resultTime)
	defer cancel()
	m := evidence.Measured{Kind: r.Kind, Addr: r.Addr}
	one := &measurement{MeasureRequest: r, key: key, duration: duration, result: &m}
	var err error
	switch {
	case !r.Addr.IsValid() || r.TCP == 0:
		err = errors.New("no address to measure to")
	case r.Kind == evidence.MeasureTCP:
		err = one.connections(ctx)
	case r.Kind == evidence.MeasureUDP:
		err = one.datagrams(ctx)
	case r.Kind == evidence.MeasureLatency:
		err = one.roundTrips(ctx)
	default:
		err = fmt.Errorf("unknown measurement %.20q", r.Kind)
	}
	if err != nil {
		m.Error = reason(err)
	}
	return m
}

// measurement is one that is being made.
type measurement struct {
	evidence.MeasureRequest
	key      []byte
	duration time.Duration
	result   *evidence.Measured
}

// hello is that of one connection. Not more than a quarter of the bytes are
// warm-up.
func (m *measurement) hello(stream int) hello {
	return hello{Kind: m.Kind, Stream: stream, WarmUp: m.WarmUp, WarmBytes: m.bytesOf(1) / 4}
}

// bytesOf is how much one of so many streams may send, 0 for no bound.
func (m *measurement) bytesOf(streams int) int64 { return max(m.MaxBytes, 0) / int64(streams) }

// dial opens a connection that begins with a hello.
func (m *measurement) dial(ctx context.Context, stream int) (*net.TCPConn, error) {
	dialer := net.Dialer{Timeout: dialTime}
	conn, err := dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(m.Addr.Unmap(), m.TCP).String())
	if err != nil {
		return nil, err
	}
	h := m.hello(stream)
	h.WarmBytes /= int64(m.Streams)
	if err := writeHello(conn, m.key, h); err != nil {
		conn.Close()
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// connections measures TCP: all connections are there before the first byte.
func (m *measurement) connections(ctx context.Context) error {
	m.result.Streams = m.Streams
	conns := make([]*net.TCPConn, m.Streams)
	defer func() {
		for _, conn := range conns {
			if conn != nil {
				conn.Close()
			}
		}
	}()
	for i := range conns {
		var err error
		if conns[i], err = m.dial(ctx, i); err != nil {
			return err
		}
	}
	stop := context.AfterFunc(ctx, func() {
		for _, conn := range conns {
			conn.SetDeadline(time.Unix(1, 0))
		}
	})
	defer stop()
	processors := m.watch()
	end := time.Now().Add(m.duration)
	streams := make([]stream, m.Streams)
	var sending sync.WaitGroup
	for i, conn := range conns {
		sending.Go(func() { streams[i].send(conn, end, m.bytesOf(m.Streams)) })
	}
	sending.Wait()
	m.result.Sender = processors()
	for i, conn := range conns {
		conn.SetReadDeadline(time.Now().Add(resultTime))
		streams[i].finish(conn)
	}
	return m.sum(streams)
}

// sum makes one result of those of all connections: what arrived over all of them
// in the time in which something arrived over any.
func (m *measurement) sum(streams []stream) error {
	var failed []error
	var all result
	var end int64
	for _, one := range streams {
		failed = append(failed, one.err)
		m.result.Bytes += one.bytes
		all.Bytes += one.arrived.Bytes
		if one.arrived.Bytes > 0 && (all.Begin == 0 || one.arrived.Begin < all.Begin) {
			all.Begin = one.arrived.Begin
		}
		end = max(end, one.arrived.Begin+one.arrived.Nanos)
		m.result.Retransmits += one.retransmits
		m.result.MSS = one.mss
		m.result.MTU = one.mtu
		if one.arrived.Busy != nil {
			m.result.Receiver = one.arrived.Busy
		}
	}
	all.Nanos = end - all.Begin
	m.result.Rate = all.rate()
	return errors.Join(failed...)
}

// stream is one connection and what became of it.
type stream struct {
	bytes       int64
	retransmits uint64
	mss, mtu    int
	arrived     result
	err         error
}

// send sends until the end, or until the bound is reached.
func (s *stream) send(conn *net.TCPConn, end time.Time, bound int64) {
	conn.SetWriteDeadline(end)
	payload := make([]byte, readSize)
	for bound == 0 || s.bytes < bound {
		n, err := conn.Write(payload)
		s.bytes += int64(n)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil {
			s.err = err
			return
		}
	}
}

// finish reads what the kernel knows of a connection, and what arrived.
func (s *stream) finish(conn *net.TCPConn) {
	if raw, err := conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
				s.retransmits, s.mss, s.mtu = uint64(info.Total_retrans), int(info.Snd_mss), int(info.Pmtu)
			}
		})
	}
	if s.err == nil {
		s.err = conn.CloseWrite()
	}
	if s.err == nil {
		s.err = readLine(conn, &s.arrived)
	}
}

// watch returns what the processors do from the warm-up on, if it is over.
func (m *measurement) watch() func() *evidence.Busy {
	var mu sync.Mutex
	var before reading
	warm := time.AfterFunc(time.Duration(max(m.WarmUp, 0))*time.Millisecond, func() {
		mu.Lock()
		defer mu.Unlock()
		before = read()
	})
	return func() *evidence.Busy {
		warm.Stop()
		mu.Lock()
		defer mu.Unlock()
		if before.at.IsZero() {
			return nil
		}
		return read().since(before)
	}
}

// reason is an error without addresses, which are in the result.
func reason(err error) string {
	var operation *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &operation) && operation.Err != nil:
		return operation.Op + ": " + operation.Err.Error()
	}
	return err.Error()
}
