//go:build linux

package canary

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// portPause is the time between two attempts: a burst of losses is shorter.
const portPause = 250 * time.Millisecond

// Send sends datagrams of all sizes to all targets, from a port that the kernel
// chooses, so that no filter takes them for answers. It returns what was sent, in
// the order of the targets.
func (p *Ports) Send(ctx context.Context, request evidence.PortSendRequest) (messages []evidence.Message) {
	targets := request.Targets[:min(len(request.Targets), maxPortTargets)]
	sizes := slices.Sorted(slices.Values(request.Sizes[:min(len(request.Sizes), maxPortSizes)]))
	sent := make([]evidence.PortSent, len(targets))
	for i, target := range targets {
		addr := target.Addr.Addr().Unmap()
		port := evidence.Port{Family: int(familyOf(addr)), Port: target.Addr.Port()}
		sent[i] = evidence.PortSent{Peer: target.Index, Port: port, Addr: addr}
	}
	conns := p.senders(ctx, sent)
	for attempt := range min(max(request.Attempts, 1), maxAttempts) {
		next := time.After(portPause)
		for i := range sent {
			if conn := conns[sent[i].Family]; conn != nil && sent[i].Peer >= 0 && ctx.Err() == nil {
				p.sendSizes(conn, &sent[i], sizes, uint16(attempt))
			}
			if i%burst == burst-1 {
				time.Sleep(time.Millisecond) // many targets must not overrun a queue
			}
		}
		select {
		case <-ctx.Done():
		case <-next:
		}
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
	for i := range sent {
		messages = append(messages, evidence.Message{PortSent: &sent[i]})
	}
	return messages
}

// senders opens a socket for each family that is sent in. Where there is none, that
// is the error of all that would be sent.
func (p *Ports) senders(ctx context.Context, sent []evidence.PortSent) map[int]*net.UDPConn {
	conns, failed := make(map[int]*net.UDPConn), make(map[int]string)
	for i := range sent {
		family := sent[i].Family
		if conns[family] == nil && failed[family] == "" {
			conn, err := listenUDP(ctx, uint8(family), 0)
			if err != nil {
				failed[family] = shortened(err)
			} else {
				conns[family] = conn
			}
		}
		sent[i].Error = failed[family]
	}
	return conns
}

// sendSizes sends one attempt to one target.
func (p *Ports) sendSizes(conn *net.UDPConn, sent *evidence.PortSent, sizes []int, attempt uint16) {
	for i, size := range sizes {
		m := wire.Marked{
			Kind: wire.KindPort, Family: uint8(sent.Family), Transport: wire.TransportUDP,
			Source: uint32(p.id.Index), Target: uint32(sent.Peer), Sequence: attempt,
		}
		payload, err := m.Payload(size-headers[m.Family], p.id.Mark, p.id.Key)
		if err != nil {
			continue // of a size that no datagram has
		}
		_, err = conn.WriteToUDPAddrPort(payload, netip.AddrPortFrom(sent.Addr, sent.Port.Port))
		switch {
		case err == nil:
			sent.Sent++
			sent.Largest = max(sent.Largest, size)
		case i == 0 && !errors.Is(err, syscall.EMSGSIZE):
			sent.Error = shortened(err)
		}
	}
}
