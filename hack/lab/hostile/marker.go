package hostile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Marker is what bystanders send: an independent observer looks for it on the wire.
const Marker = "bystander-in-clear"

// Send has a pod that is none of the run's send the marker again and again, until the context ends.
type Send struct {
	Network string // udp or tcp
	To      string // address and port
	From    int    // source port, 0 for any
	TOS     int    // octet
	Every   time.Duration
	Size    int // of what is sent at once, at least the marker
}

// Run sends. What does not arrive is not its affair: it has to go on when its path changes.
func (s Send) Run(ctx context.Context, out io.Writer) error {
	data := append([]byte(Marker), make([]byte, max(0, s.Size-len(Marker)))...)
	dialer := net.Dialer{Timeout: time.Second, Control: s.control}
	switch {
	case s.From != 0 && s.Network == "tcp":
		dialer.LocalAddr = &net.TCPAddr{Port: s.From}
	case s.From != 0:
		dialer.LocalAddr = &net.UDPAddr{Port: s.From}
	}
	fmt.Fprintln(out, "sending")
	for ctx.Err() == nil {
		conn, err := dialer.DialContext(ctx, s.Network, s.To)
		if err == nil {
			s.use(ctx, conn, data)
		}
		wait(ctx, s.Every)
	}
	return nil
}

// use sends on one connection until that fails. Each write of TCP leaves as a segment of its own.
func (s Send) use(ctx context.Context, conn net.Conn, data []byte) {
	defer conn.Close()
	for ctx.Err() == nil {
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := conn.Write(data); err != nil && (s.Network == "tcp" || !errors.Is(err, syscall.ECONNREFUSED)) {
			return
		}
		wait(ctx, s.Every)
	}
}

func (s Send) control(_, _ string, raw syscall.RawConn) (err error) {
	problem := raw.Control(func(fd uintptr) {
		err = errors.Join(
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
			unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TOS, s.TOS))
	})
	return errors.Join(problem, err)
}

func wait(ctx context.Context, d time.Duration) {
	if d == 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// Take receives what bystanders send to the port, over UDP and TCP, and writes how many bytes there were, each second in
// which there were more.
func Take(ctx context.Context, out io.Writer, port int) error {
	datagrams, err := net.ListenUDP("udp4", &net.UDPAddr{Port: port})
	if err != nil {
		return fmt.Errorf("listening on UDP %d: %w", port, err)
	}
	streams, err := net.ListenTCP("tcp4", &net.TCPAddr{Port: port})
	if err != nil {
		return errors.Join(fmt.Errorf("listening on TCP %d: %w", port, err), datagrams.Close())
	}
	context.AfterFunc(ctx, func() {
		datagrams.Close()
		streams.Close()
	})
	var taken atomic.Int64
	go drain(datagrams, &taken)
	go func() {
		for {
			stream, err := streams.Accept()
			if err != nil {
				return
			}
			go drain(stream, &taken)
		}
	}()
	fmt.Fprintln(out, "listening")
	for before := int64(0); ctx.Err() == nil; wait(ctx, time.Second) {
		if now := taken.Load(); now != before {
			fmt.Fprintln(out, "received", now)
			before = now
		}
	}
	return nil
}

func drain(from io.ReadCloser, taken *atomic.Int64) {
	defer from.Close()
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		taken.Add(int64(n))
		if err != nil {
			return
		}
	}
}
