//go:build linux

package canary

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// settle is how long a control may take to appear in the capture.
const settle = 100 * time.Millisecond

// Tap is the capture that must see the controls.
type Tap interface {
	Links() []string    // the outside links that are captured
	Caught(string) bool // a control was seen leaving by this link
	Loop(string) error  // send a looped control there
}

// Controls sends a marked cleartext datagram outside the tunnel to each target,
// with the firewall mark of the device whose endpoint it is, so that it takes
// the path of the ciphertext; then a looped frame on each captured outside link
// that none of them left by.
func Controls(ctx context.Context, id Identity, request evidence.ControlRequest, marks map[netip.AddrPort]uint32, tap Tap) []evidence.Message {
	sockets := make(map[socketKey]*net.UDPConn)
	defer func() {
		for _, conn := range sockets {
			conn.Close()
		}
	}()
	var messages []evidence.Message
	for n, target := range request.Targets {
		control := &evidence.Control{Peer: target.Index, Target: target.Endpoint}
		if err := sendControl(ctx, id, target, marks[target.Endpoint], uint16(n), sockets); err != nil {
			control.Error = reason(err)
		} else {
			control.Sent = 1
		}
		messages = append(messages, evidence.Message{Control: control})
		if n%burst == burst-1 {
			time.Sleep(time.Millisecond)
		}
	}
	for _, link := range missing(ctx, tap, len(request.Targets) > 0) {
		control := &evidence.Control{Link: link, Peer: -1, Sent: 1}
		if err := tap.Loop(link); err != nil {
			control.Sent, control.Error = 0, reason(err)
		}
		messages = append(messages, evidence.Message{Control: control})
	}
	return messages
}

// missing waits a little for the controls to be seen and returns the links
// that saw none.
func missing(ctx context.Context, tap Tap, wait bool) []string {
	deadline := time.Now().Add(settle)
	for {
		var links []string
		for _, link := range tap.Links() {
			if !tap.Caught(link) {
				links = append(links, link)
			}
		}
		if len(links) == 0 || !wait || time.Now().After(deadline) || ctx.Err() != nil {
			return links
		}
		time.Sleep(5 * time.Millisecond)
	}
}

type socketKey struct {
	family uint8
	mark   uint32
}

func sendControl(ctx context.Context, id Identity, target evidence.ControlTarget, mark uint32, sequence uint16, sockets map[socketKey]*net.UDPConn) error {
	key := socketKey{familyOf(target.Endpoint.Addr()), mark}
	conn := sockets[key]
	if conn == nil {
		var err error
		if conn, err = listenUDP(ctx, key.family, mark); err != nil {
			return err
		}
		sockets[key] = conn
	}
	m := wire.Marked{
		Kind: wire.KindControl, Family: key.family, Transport: wire.TransportUDP,
		Source: uint32(id.Index), Target: uint32(max(target.Index, 0)), Sequence: sequence,
	}
	payload, err := m.Payload(wire.MarkedSize, id.Mark, id.Key)
	if err != nil {
		return err
	}
	_, err = conn.WriteToUDPAddrPort(payload, netip.AddrPortFrom(target.Endpoint.Addr().Unmap(), target.Endpoint.Port()))
	return err
}
