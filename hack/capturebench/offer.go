//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// batch is how many datagrams one sendmmsg(2) takes at most.
const batch = 64

// sink receives UDP and keeps nothing of it, so that the load costs the
// receiver as little as possible.
func sink() (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("making a receiver: %w", err)
	}
	raw, err := bpf.Assemble([]bpf.Instruction{bpf.RetConstant{Val: 0}})
	if err != nil {
		return -1, fmt.Errorf("assembling its filter: %w", err)
	}
	filter := []unix.SockFilter{{Code: raw[0].Op, K: raw[0].K}}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &filter[0]}); err != nil {
		return -1, fmt.Errorf("filtering all that it receives: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: wgPort, Addr: [4]byte{192, 0, 2, 11}}); err != nil {
		return -1, fmt.Errorf("binding it: %w", err)
	}
	return fd, nil
}

// source sends what looks like WireGuard's data messages to the sink.
type source struct {
	fd       int
	counter  uint64
	payloads [batch][]byte
	vectors  [batch]unix.Iovec
	headers  [batch]mmsghdr
}

// mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

func newSource(size int) (*source, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("making a sender: %w", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: wgPort, Addr: [4]byte{192, 0, 2, 11}}); err != nil {
		return nil, fmt.Errorf("connecting it: %w", err)
	}
	s := &source{fd: fd}
	seed := uint64(size)
	for i := range batch {
		s.payloads[i] = make([]byte, size)
		for at := 16; at < size; at++ {
			seed = seed*6364136223846793005 + 1442695040888963407
			s.payloads[i][at] = byte(seed >> 56)
		}
		copy(s.payloads[i], []byte{4, 0, 0, 0, 1, 2, 3, 4})
		s.vectors[i].Base = &s.payloads[i][0]
		s.vectors[i].SetLen(size)
		s.headers[i].header.Iov = &s.vectors[i]
		s.headers[i].header.SetIovlen(1)
	}
	return s, nil
}

// offer sends rate packets per second, or as many as go, and returns how many
// it sent per second.
func (s *source) offer(rate int, lasting time.Duration) (float64, error) {
	size := batch
	if rate > 0 {
		size = min(max(rate/2000, 1), batch)
	}
	sent, begun := 0, time.Now()
	for {
		took := time.Since(begun)
		if took >= lasting {
			return float64(sent) / took.Seconds(), nil
		}
		if rate > 0 {
			if early := time.Duration(float64(sent)/float64(rate)*1e9) - took; early > 0 {
				if early > 200*time.Microsecond {
					time.Sleep(early - 100*time.Microsecond)
				}
				continue
			}
		}
		n, err := s.send(size)
		if err != nil {
			return 0, err
		}
		sent += n
	}
}

func (s *source) send(size int) (int, error) {
	for i := range size {
		binary.LittleEndian.PutUint64(s.payloads[i][8:], s.counter)
		s.counter++
	}
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.headers[0])), uintptr(size), 0, 0, 0)
	if errno != 0 && errno != unix.EINTR && errno != unix.ENOBUFS {
		return 0, fmt.Errorf("sending: %w", errno)
	}
	if errno != 0 {
		return 0, nil
	}
	return int(n), nil
}

func (s *source) close() { _ = unix.Close(s.fd) }
