//go:build linux

package canary

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// Bounds of the controls.
const (
	// controlPorts is from how many source ports each target gets a control: where
	// a hash of addresses and ports chooses among several cards, they may take
	// different ones, and one that is lost on the way is not the only one.
	controlPorts = 3
	// controlRounds is how often they are sent while none of them is seen leaving.
	controlRounds = 3
	// settle is how long a control may take to appear in the capture, beyond the
	// capture's own delay.
	settle = 50 * time.Millisecond
	// poll is the time between two looks at the capture.
	poll = 5 * time.Millisecond
)

// Tap is the capture that must see the controls.
type Tap interface {
	Links() []string    // the outside links that are captured
	Caught(string) bool // a control was seen leaving by this link
	Left(int) bool      // a control for the node with this index was seen leaving
	Loop(string) error  // send a looped control there
	// Delay is how long a frame may wait in the capture before it is seen.
	Delay() time.Duration
}

// Controls sends marked cleartext datagrams outside the tunnel to each target,
// with the firewall mark of the device whose endpoint it is, so that they take
// the path of the ciphertext; then a looped frame on each captured outside link
// that none of them left by. It repeats those of which none was seen leaving.
func Controls(
	ctx context.Context, id Identity, request evidence.ControlRequest, marks map[netip.AddrPort]uint32, tap Tap,
) []evidence.Message {
	c := controls{id: id, marks: marks, tap: tap, sockets: make(map[socketKey]*net.UDPConn)}
	defer c.close()
	for _, target := range request.Targets {
		c.all = append(c.all, &evidence.Control{Peer: target.Index, Target: target.Endpoint})
	}
	unseen := c.all
	for range controlRounds {
		c.send(ctx, unseen)
		if unseen = c.await(ctx, unseen); len(unseen) == 0 || ctx.Err() != nil {
			break
		}
	}
	c.loop(ctx)
	messages := make([]evidence.Message, 0, len(c.all))
	for _, control := range c.all {
		messages = append(messages, evidence.Message{Control: control})
	}
	return messages
}

// controls are those of one request.
type controls struct {
	id      Identity
	marks   map[netip.AddrPort]uint32
	tap     Tap
	sockets map[socketKey]*net.UDPConn
	all     []*evidence.Control
	count   uint16 // datagrams that were sent, for their sequence
}

// socketKey names one of the sockets: what leaves by it, and its number.
type socketKey struct {
	family uint8
	mark   uint32
	number int
}

func (c *controls) close() {
	for _, conn := range c.sockets {
		_ = conn.Close() // nothing is read from it
	}
}

// send sends from each port to each target; one port after the other, so that
// what overruns a queue does not take all that is for one target.
func (c *controls) send(ctx context.Context, targets []*evidence.Control) {
	inBurst := 0
	for number := range controlPorts {
		for _, control := range targets {
			if ctx.Err() != nil {
				return
			}
			if err := c.sendTo(ctx, control, number); err == nil {
				control.Sent++
				control.Error = ""
			} else if control.Sent == 0 {
				control.Error = reason(err)
			}
			if inBurst++; inBurst%burst == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	}
}

func (c *controls) sendTo(ctx context.Context, to *evidence.Control, number int) error {
	endpoint := netip.AddrPortFrom(to.Target.Addr().Unmap(), to.Target.Port())
	conn, err := c.socket(ctx, socketKey{familyOf(endpoint.Addr()), c.marks[to.Target], number})
	if err != nil {
		return err
	}
	c.count++
	payload, err := wire.Marked{
		Kind: wire.KindControl, Family: familyOf(endpoint.Addr()), Transport: wire.TransportUDP,
		Source: uint32(c.id.Index), Target: uint32(max(to.Peer, 0)), Sequence: c.count,
	}.Payload(wire.MarkedSize, c.id.Mark, c.id.Key)
	if err != nil {
		return err
	}
	_, err = conn.WriteToUDPAddrPort(payload, endpoint)
	return err
}

func (c *controls) socket(ctx context.Context, key socketKey) (*net.UDPConn, error) {
	if conn := c.sockets[key]; conn != nil {
		return conn, nil
	}
	conn, err := listenUDP(ctx, key.family, key.mark)
	if err == nil {
		c.sockets[key] = conn
	}
	return conn, err
}

// await waits a little for controls to be seen leaving and returns those of
// which none was.
func (c *controls) await(ctx context.Context, targets []*evidence.Control) []*evidence.Control {
	unseen := slices.Clone(targets)
	c.until(ctx, func() bool {
		unseen = slices.DeleteFunc(unseen, func(control *evidence.Control) bool { return c.tap.Left(control.Peer) })
		return !slices.ContainsFunc(unseen, func(control *evidence.Control) bool { return control.Sent > 0 })
	})
	return unseen
}

// loop sends looped frames on the links that no control left by, again where
// none was seen.
func (c *controls) loop(ctx context.Context) {
	looped := map[string]*evidence.Control{}
	missing := func() []string {
		return slices.DeleteFunc(slices.Clone(c.tap.Links()), func(link string) bool {
			return c.tap.Caught(link) || looped[link] != nil && looped[link].Error != ""
		})
	}
	for range controlRounds {
		for _, link := range missing() {
			control := looped[link]
			if control == nil {
				control = &evidence.Control{Link: link, Peer: -1}
				looped[link] = control
				c.all = append(c.all, control)
			}
			if err := c.tap.Loop(link); err != nil {
				control.Error = reason(err)
			} else {
				control.Sent++
			}
		}
		c.until(ctx, func() bool { return len(missing()) == 0 })
	}
}

// until checks again and again whether something is so, for as long as a control
// may take to appear.
func (c *controls) until(ctx context.Context, so func() bool) {
	for deadline := time.Now().Add(c.tap.Delay() + settle); !so() && time.Now().Before(deadline) && ctx.Err() == nil; {
		time.Sleep(poll)
	}
}
