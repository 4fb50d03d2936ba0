package synthetic

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/agent"
	"github.com/kubectl-wg/kubectl-wg/probe/capture"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// window is the capture of one node: it lays the frames that would have crossed the node's links before the product's own
// counters, the controls as soon as someone asks for them and all others at its end.
type window struct {
	host    *Host
	run     wire.Run
	index   int // of the node, in the run
	tally   *wire.Stats
	outside *wire.LinkStats
	inside  *wire.LinkStats
	others  []other // the nodes with a test pod, but for this one
	own     netip.Addr
	frames  map[int]ciphertext // by the size of their messages

	controls sync.Once
	stop     sync.Once
	results  []evidence.Message
	problem  error
}

// other is a node that takes part in the run.
type other struct {
	node  int
	index int // in the run
	pod   netip.Addr
}

func (h *Host) capture(_ context.Context, config capture.Config) (agent.Capture, error) {
	subject := wire.NewSubject(config.Run, config.Node, config.Request)
	subject.Ports = append(subject.Ports, Port)
	tally, err := wire.NewStats(subject)
	if err != nil {
		return nil, fmt.Errorf("starting the capture: %w", err)
	}
	c := &window{host: h, run: config.Run, index: config.Node, tally: tally, frames: map[int]ciphertext{}}
	c.outside, c.inside = tally.Link(uplink, evidence.RoleOutside), tally.Link(tunnel, evidence.RoleWireGuard)
	for _, pod := range config.Request.Pods {
		for _, ip := range pod.IPs {
			switch n := h.world.Owner(ip); n {
			case 0:
			case h.node:
				c.own = ip
			default:
				c.others = append(c.others, other{n, pod.Index, ip})
			}
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.traffic, h.readings = &traffic{mark: config.Run.Mark[:], sizes: config.Request.Sizes}, 0
	return c, nil
}

// Links returns the one link that leads out.
func (c *window) Links() []string { return []string{uplink} }

// Loop is never needed: there is a control to each peer.
func (c *window) Loop(link string) error {
	return fmt.Errorf("no frame is looped on %s of a synthetic node", link)
}

// ControlsSeen shows those of this node, which it has sent when it asks, and those of all others.
func (c *window) ControlsSeen() map[string]capture.Controls {
	c.controls.Do(func() { c.keep(c.exchangeControls()) })
	tx, rx := c.outside.Controls()
	return map[string]capture.Controls{uplink: {TX: tx, RX: rx}}
}

// Delay is none: frames are seen as they are made.
func (c *window) Delay() time.Duration { return 0 }

// ControlLeft says that a control for another node left: it needs no second.
func (c *window) ControlLeft(int) bool {
	c.ControlsSeen()
	return true
}

// busy bounds how many windows are computed at a time: each takes a processor, and megabytes.
var busy = make(chan struct{}, runtime.GOMAXPROCS(0))

// Stop returns the results.
func (c *window) Stop(ctx context.Context) []evidence.Message {
	if ctx.Err() != nil {
		return nil // it is not wanted
	}
	c.stop.Do(func() {
		busy <- struct{}{}
		defer func() { <-busy }()
		for _, o := range c.others {
			c.keep(c.exchange(o))
		}
		for _, link := range []*wire.LinkStats{c.outside, c.inside} {
			link.Close(wire.Socket{Started: true, Alive: true})
		}
		c.results = c.tally.Messages()
		if c.problem != nil {
			c.results = append(c.results, evidence.Message{Problem: &evidence.Problem{
				Class: evidence.ProblemInternal, What: "capture", Text: c.problem.Error(),
			}})
		}
		c.tally, c.outside, c.inside, c.others = nil, nil, nil, nil // the session outlives them
	})
	return c.results
}

func (c *window) keep(err error) {
	if c.problem == nil {
		c.problem = err
	}
}

func (c *window) exchangeControls() error {
	self, here := c.index, endpoint(c.host.node)
	for _, o := range c.others {
		left, err := c.marked(wire.KindControl, wire.TransportUDP, self, o.index, 0)
		if err != nil {
			return err
		}
		arrived, err := c.marked(wire.KindControl, wire.TransportUDP, o.index, self, 0)
		if err != nil {
			return err
		}
		there := endpoint(o.node)
		c.outside.Add(wire.Frame{Data: ether(datagram(etherSize, here, there, left)), Direction: evidence.DirectionTX})
		c.outside.Add(wire.Frame{Data: ether(datagram(etherSize, there, here, arrived)), Direction: evidence.DirectionRX})
	}
	return nil
}

// marked is the payload of a canary, answer or control, as short as can be: no count depends on its length. Its sequence
// distinguishes it from others.
func (c *window) marked(kind, transport uint8, source, target, sequence int) ([]byte, error) {
	m := wire.Marked{
		Kind: kind, Family: 4, Transport: transport, Source: uint32(source), Target: uint32(target), Sequence: uint16(sequence),
	}
	run := c.run
	if kind == wire.KindFirst || kind == wire.KindFirstAnswer {
		run = run.First()
	}
	return m.Payload(wire.MarkedSize, run.Mark, run.Key)
}

// exchange is all that passes between this node and another.
func (c *window) exchange(o other) error {
	own := other{c.host.node, c.index, c.own}
	for _, way := range []struct {
		direction string
		from, to  other
	}{{evidence.DirectionTX, own, o}, {evidence.DirectionRX, o, own}} {
		if err := c.inTunnel(way.direction, way.from, way.to); err != nil {
			return err
		}
		if err := c.onWire(way.direction, way.from, way.to); err != nil {
			return err
		}
	}
	return nil
}

// inTunnel shows the pods' packets on the WireGuard link.
func (c *window) inTunnel(direction string, from, to other) error {
	world, traffic := c.host.world, c.host.traffic
	count, left := traffic.canaries(world, from.node, to.node)
	if direction == evidence.DirectionRX {
		count = left
	}
	if count == 0 {
		return nil
	}
	packets, answers := world.first(traffic.mark, from.node, to.node)
	sizes, udpAnswers := len(traffic.sizes), len(traffic.sizes)
	if world.cut(from.node, to.node) {
		sizes, udpAnswers = 0, 0 // no connection, and nothing to answer
		if direction == evidence.DirectionRX {
			packets = 0
		}
	}
	for _, row := range []struct {
		kind, transport uint8
		count           int
		pack            func(room int, from, to netip.AddrPort, payload []byte) []byte
	}{
		{wire.KindCanary, wire.TransportUDP, count - udpAnswers, datagram},
		{wire.KindAnswer, wire.TransportUDP, udpAnswers, datagram},
		{wire.KindCanary, wire.TransportTCP, sizes, segment},
		{wire.KindAnswer, wire.TransportTCP, sizes, segment},
		{wire.KindFirst, wire.TransportUDP, packets, datagram},
		{wire.KindFirstAnswer, wire.TransportUDP, answers, datagram},
	} {
		source, target := netip.AddrPortFrom(from.pod, podPort), netip.AddrPortFrom(to.pod, podPort)
		for sequence := range row.count {
			payload, err := c.marked(row.kind, row.transport, from.index, to.index, sequence)
			if err != nil {
				return err
			}
			c.inside.Add(wire.Frame{Data: row.pack(0, source, target, payload), Header: wire.RawIP, Direction: direction})
		}
	}
	return nil
}

// onWire shows what the underlay carries: ciphertext, handshakes that come to nothing, or a leak.
func (c *window) onWire(direction string, from, to other) error {
	world, traffic := c.host.world, c.host.traffic
	if world.leaks(from.node, to.node) {
		payload, err := c.marked(wire.KindCanary, wire.TransportUDP, from.index, to.index, 0)
		if err != nil {
			return err
		}
		source, target := netip.AddrPortFrom(from.pod, podPort), netip.AddrPortFrom(to.pod, podPort)
		frame := wire.Frame{Data: ether(datagram(etherSize, source, target, payload)), Direction: direction}
		for range perSize * len(traffic.sizes) {
			c.outside.Add(frame)
		}
		return nil
	}
	session := uint32(from.node)<<16 | uint32(to.node)
	if world.cut(from.node, to.node) {
		for i := range uint32(initiations) {
			frame, err := initiation(from.node, to.node, session+i<<8, world.peerKey(from.node, to.node))
			if err != nil {
				return err
			}
			c.outside.Add(wire.Frame{Data: frame, Direction: direction})
		}
		return nil
	}
	for counter, size := range traffic.messages(world, from.node, to.node) {
		c.outside.Add(wire.Frame{Data: c.ciphertext(size).between(from.node, to.node, session, uint64(counter)), Direction: direction})
	}
	return nil
}

func (c *window) ciphertext(size int) ciphertext {
	if c.frames[size] == nil {
		c.frames[size] = newCiphertext(size)
	}
	return c.frames[size]
}
