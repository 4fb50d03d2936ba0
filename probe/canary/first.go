//go:build linux

package canary

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// A new pod sends one first packet to each target at once, then every
// firstPause, and from firstDense on every laterPause, for firstTime in all:
// densely while agents on the nodes may still be learning about the pod.
const (
	firstPause = time.Millisecond
	firstDense = 50 * time.Millisecond
	laterPause = 10 * time.Millisecond
	firstTime  = 250 * time.Millisecond
)

// FirstPackets are what a pod sends that was made while every link is watched:
// from its first moment on, before any session could ask it to.
type FirstPackets struct {
	Index    int // of its node
	wire.Run     // as wire.Run.First returns it
	Targets  []evidence.Target
}

// Send sends the first packets. It returns after firstTime, or when ctx ends.
// An error is one of opening a socket; what is not sent, or not answered, is
// missed by those who watch.
func (f FirstPackets) Send(ctx context.Context) error {
	conns := make(map[uint8]*net.UDPConn)
	var failed error
	for _, target := range f.Targets {
		family := familyOf(target.Addr)
		if conns[family] != nil {
			continue
		}
		conn, err := listenUDP(ctx, family, 0)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		defer conn.Close()
		conns[family] = conn
	}
	begun := time.Now()
	for sequence := uint16(0); time.Since(begun) < firstTime && ctx.Err() == nil; sequence++ {
		for _, target := range f.Targets {
			if conn := conns[familyOf(target.Addr)]; conn != nil {
				f.send(conn, target, sequence)
			}
		}
		pause := laterPause
		if time.Since(begun) < firstDense {
			pause = firstPause
		}
		time.Sleep(pause)
	}
	return failed
}

func (f FirstPackets) send(conn *net.UDPConn, target evidence.Target, sequence uint16) {
	payload, err := wire.Marked{
		Kind: wire.KindFirst, Family: familyOf(target.Addr), Transport: wire.TransportUDP,
		Source: uint32(f.Index), Target: uint32(target.Index), Sequence: sequence,
	}.Payload(wire.MarkedSize, f.Mark, f.Key)
	if err == nil {
		_, _ = conn.WriteToUDPAddrPort(payload, netip.AddrPortFrom(target.Addr.Unmap(), target.UDP))
	}
}

// ParseTarget reads a target of a new pod, INDEX@ADDRESS:PORT.
func ParseTarget(text string) (evidence.Target, error) {
	number, to, _ := strings.Cut(text, "@")
	index, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		return evidence.Target{}, fmt.Errorf("reading the target %q: %w", text, err)
	}
	at, err := netip.ParseAddrPort(to)
	if err != nil {
		return evidence.Target{}, fmt.Errorf("reading the target %q: %w", text, err)
	}
	return evidence.Target{Index: int(index), Addr: at.Addr(), UDP: at.Port()}, nil
}
