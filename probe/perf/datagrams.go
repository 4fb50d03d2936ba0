//go:build linux

package perf

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// session is the sending side of a measurement by datagrams.
type session struct {
	control *net.TCPConn
	conn    *net.UDPConn
	packet  []byte // its header has the measurement's number
	mtu     int
}

// open begins a measurement by datagrams of a size, 0 for the largest that the
// path takes in one piece.
func (m *measurement) open(ctx context.Context, size int) (*session, error) {
	m.Streams = 1
	control, err := m.dial(ctx, 0)
	if err != nil {
		return nil, err
	}
	s := &session{control: control}
	control.SetReadDeadline(time.Now().Add(dialTime))
	var given ticket
	if err := readLine(control, &given); err != nil {
		s.close()
		return nil, err
	}
	s.conn, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(m.Addr.Unmap(), m.UDP)))
	if err != nil {
		s.close()
		return nil, err
	}
	_ = s.conn.SetWriteBuffer(socketBuffer) // the kernel's own limit may be less
	if s.mtu, err = pathMTU(s.conn, m.Addr); err != nil {
		s.close()
		return nil, err
	}
	m.result.MTU = s.mtu
	if size == 0 {
		size = min(s.mtu, 65535) - headers(m.Addr)
	}
	s.packet = make([]byte, max(size, datagramHeader))
	binary.BigEndian.PutUint64(s.packet, given.ID)
	return s, nil
}

func (s *session) close() {
	s.control.Close()
	if s.conn != nil {
		s.conn.Close()
	}
}

// finish says that nothing more comes, and returns what arrived.
func (s *session) finish() (arrived result, err error) {
	if err := s.control.CloseWrite(); err != nil {
		return arrived, err
	}
	s.control.SetReadDeadline(time.Now().Add(resultTime))
	return arrived, readLine(s.control, &arrived)
}

// headers are those before a datagram's payload, in bytes.
func headers(to netip.Addr) int {
	if to.Unmap().Is4() {
		return 28
	}
	return 48
}

// pathMTU is what the kernel knows of the path of a connected socket.
func pathMTU(conn *net.UDPConn, to netip.Addr) (mtu int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	level, name := unix.IPPROTO_IP, unix.IP_MTU
	if !to.Unmap().Is4() {
		level, name = unix.IPPROTO_IPV6, unix.IPV6_MTU
	}
	if outer := raw.Control(func(fd uintptr) { mtu, err = unix.GetsockoptInt(int(fd), level, name) }); outer != nil {
		return 0, outer
	}
	return mtu, err
}

// datagrams measures UDP: datagrams of full size for the whole time, as fast as
// can be or at the rate that is asked for.
func (m *measurement) datagrams(ctx context.Context) error {
	s, err := m.open(ctx, 0)
	if err != nil {
		return err
	}
	defer s.close()
	processors := m.watch()
	if err := m.flood(ctx, s); err != nil {
		return err
	}
	m.result.Sender = processors()
	arrived, err := s.finish()
	if err != nil {
		return err
	}
	m.result.Rate, m.result.Received, m.result.Receiver = arrived.rate(), arrived.Received, arrived.Busy
	if arrived.Received == 0 {
		return errors.New("no datagram arrived")
	}
	return nil
}

// batch is how many datagrams are sent between two looks at the clock, unless a
// rate is to be kept.
const batch = 16

func (m *measurement) flood(ctx context.Context, s *session) error {
	start := time.Now()
	burst := batch
	if m.Rate > 0 {
		burst = 1
	}
	for ctx.Err() == nil {
		for range burst {
			binary.BigEndian.PutUint32(s.packet[8:], uint32(m.result.Sent))
			if _, err := s.conn.Write(s.packet); errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.EAGAIN) {
				continue // the link is behind; nothing was sent
			} else if err != nil {
				return err
			}
			m.result.Sent++
			m.result.Bytes += int64(len(s.packet))
		}
		passed := time.Since(start)
		if passed >= m.duration || m.MaxBytes > 0 && m.result.Bytes >= m.MaxBytes {
			return nil
		}
		if m.Rate > 0 {
			due := time.Duration(float64(m.result.Bytes) * 8 / float64(m.Rate) * float64(time.Second))
			time.Sleep(due - passed)
		}
	}
	return context.Cause(ctx)
}

// The round trips of a measurement of latency.
const (
	roundTripSize = 64
	roundTripTime = time.Second // after which one is lost
	roundTripRest = 2 * time.Millisecond
)

// roundTrips measures latency: one small datagram after the other.
func (m *measurement) roundTrips(ctx context.Context) error {
	s, err := m.open(ctx, roundTripSize)
	if err != nil {
		return err
	}
	defer s.close()
	s.packet[datagramHeader-1] = returned
	var times []time.Duration
	for i := range min(max(m.Count, 1), maxCount) {
		binary.BigEndian.PutUint32(s.packet[8:], uint32(i))
		took, err := s.roundTrip(uint32(i))
		if err != nil {
			return err
		}
		if took > 0 {
			times = append(times, took)
		}
		m.result.Sent++
		if ctx.Err() != nil {
			break
		}
		time.Sleep(roundTripRest)
	}
	if _, err := s.finish(); err != nil {
		return err
	}
	m.result.Received = uint64(len(times))
	if len(times) == 0 {
		return errors.New("no datagram came back")
	}
	slices.Sort(times)
	m.result.Least = micros(times[0])
	m.result.Median = micros(times[len(times)/2])
	m.result.P99 = micros(times[len(times)*99/100])
	return nil
}

// roundTrip sends one datagram and returns how long it was under way; 0 if it did
// not come back.
func (s *session) roundTrip(number uint32) (time.Duration, error) {
	start := time.Now()
	if _, err := s.conn.Write(s.packet); err != nil {
		return 0, fmt.Errorf("sending: %w", err)
	}
	s.conn.SetReadDeadline(start.Add(roundTripTime))
	answer := make([]byte, len(s.packet)+1)
	for {
		n, err := s.conn.Read(answer)
		switch {
		case errors.Is(err, unix.ECONNREFUSED):
			return 0, err
		case err != nil:
			return 0, nil //nolint:nilerr // it is lost, which is counted
		case n == len(s.packet) && binary.BigEndian.Uint32(answer[8:]) == number:
			return time.Since(start), nil
		}
	}
}

func micros(d time.Duration) float64 { return float64(d.Round(100*time.Nanosecond)) / 1e3 }
