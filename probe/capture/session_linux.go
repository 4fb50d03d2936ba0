// Package capture reads every frame of the links that leave a host, and the
// run's own packets on its WireGuard links and other tunnels, through packet
// sockets of its own and feeds them to wire.Stats. It is the only package that
// opens a packet socket. It must not change anything on the host; the one frame
// it ever sends is the looped control, addressed to the sending link itself.
package capture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// Controls counts the genuine controls seen on a link, self-tests excluded.
type Controls struct{ TX, RX uint32 }

// selfTestTimeout is how long a link may take to show its own frame.
const selfTestTimeout = 2 * time.Second

// ErrNoCarrier: nothing can leave through a link, since it has no carrier. Its
// capture stands by all the same.
var ErrNoCarrier = errors.New("the link has no carrier")

// ErrNoLoop: a link takes no looped frame, since it is not Ethernet.
var ErrNoLoop = errors.New("the link is not Ethernet and takes no looped frame")

// ErrBackup: a link takes no looped frame, since it is a member of a bond
// that the bond does not use at present. A frame there would show the bond's
// address to a switch at a port that does not lead to it.
var ErrBackup = errors.New("the link is a member of a bond that the bond does not use")

// Session is a running capture. Its methods are safe for concurrent use.
type Session struct {
	stats  *wire.Stats
	taps   []*tap
	looper *looper
	delay  time.Duration // see Delay

	stop     sync.Once
	messages []evidence.Message
	problems []evidence.Message
}

// Start opens a socket on each link to capture and returns once every one of
// them has seen its self-test or given up (see Capture.Started). It
// only fails as a whole when the request makes no sense or no socket can be
// made at all; a link that cannot be captured becomes a Problem and a Capture
// with an Error, and one that is gone by now neither. The sockets belong to the network namespace of the calling
// thread. Ending ctx does not end the session, Stop does.
func Start(ctx context.Context, config Config) (*Session, error) {
	stats, err := wire.NewStats(config.subject())
	if err != nil {
		return nil, fmt.Errorf("starting the capture: %w", err)
	}
	s := &Session{stats: stats}
	if s.looper, err = newLooper(config.Run, config.Node); err != nil {
		return nil, err
	}
	links, tunnels := config.captured()
	shape := shapeOf(config.Request.Buffer, len(links))
	s.delay = shape.retire
	for _, link := range links {
		s.open(link, shape, config.inner(link))
	}
	shape = shapeOf(min(max(tunnelBudget/max(len(tunnels), 1), minTunnelRing), maxTunnelRing), len(tunnels))
	for _, link := range tunnels {
		s.open(link, shape, config.inner(link))
	}
	s.selfTest(ctx)
	return s, nil
}

// open begins the capture of one link. Inner are the ports of its Config.Inner.
func (s *Session) open(link evidence.Link, shape shape, inner []uint16) {
	socket, err := openSocket(link.Index, shape, filterOf(link, s.looper.run.Mark, shape.snap(), inner))
	if errors.Is(err, unix.ENODEV) { // it was removed since it was listed, as that of a container which ends
		return
	}
	t := &tap{
		link: link, socket: socket, stats: s.stats.Link(link.Name, link.Role),
		first: make(chan struct{}), done: make(chan struct{}),
	}
	t.add = t.stats.Add
	if pipe(link) {
		t.stats.Pipe()
	}
	if len(inner) > 0 {
		t.stats.Outer()
	}
	s.taps = append(s.taps, t)
	if err != nil {
		t.fail(fmt.Errorf("opening the capture on %s: %w", link.Name, err))
		close(t.done)
		return
	}
	go t.run()
}

// pipe reports whether a link is one end of a pipe, see wire.LinkStats.Pipe.
func pipe(link evidence.Link) bool { return link.Kind == "veth" || link.Kind == "netkit" }

// selfTest waits until each socket has seen a frame, one of its own if need be.
// Where nothing can be looped, being bound is enough.
func (s *Session) selfTest(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, selfTestTimeout)
	defer cancel()
	for _, t := range s.taps {
		if t.socket == nil {
			continue
		}
		if t.link.Role == evidence.RoleInside { // a looped frame would go through the tunnel
			t.started.Store(true)
			continue
		}
		err := s.looper.send(t, wire.SelfTest)
		if errors.Is(err, ErrNoCarrier) || errors.Is(err, ErrNoLoop) || errors.Is(err, ErrBackup) {
			t.started.Store(true)
		} else if err != nil {
			t.fail(err)
		}
	}
	for _, t := range s.taps {
		if t.socket == nil || t.started.Load() || t.failed() != nil {
			continue
		}
		select {
		case <-t.first:
			t.started.Store(true)
		case <-t.done:
		case <-ctx.Done():
			t.fail(fmt.Errorf("the capture on %s did not see its own frame: %w", t.link.Name, ctx.Err()))
		}
	}
}

// Links returns the names of the outside links that are being captured, in
// the order of Config: those that each need a control.
func (s *Session) Links() []string {
	var names []string
	for _, t := range s.taps {
		if t.outside() && t.failed() == nil {
			names = append(names, t.link.Name)
		}
	}
	return names
}

// Loop sends one looped control on an Ethernet link: a frame of ethertype
// 0x88B5 from the link to its own address, with a genuine KindControl header.
// The capture sees it as transmitted and counts it. It returns once the frame
// is given to the kernel, or ErrNoCarrier, ErrNoLoop or ErrBackup.
func (s *Session) Loop(link string) error {
	for _, t := range s.taps {
		if t.link.Name == link && t.socket != nil && t.link.Role != evidence.RoleInside {
			return s.looper.send(t, s.looper.next())
		}
	}
	return fmt.Errorf("%s is not being captured", link)
}

// Delay is how long a frame of a link that is nearly idle waits in its ring
// before it is seen.
func (s *Session) Delay() time.Duration { return s.delay }

// ControlsSeen returns what was seen so far, by link.
func (s *Session) ControlsSeen() map[string]Controls {
	seen := make(map[string]Controls, len(s.taps))
	for _, t := range s.taps {
		tx, rx := t.stats.Controls()
		seen[t.link.Name] = Controls{TX: tx, RX: rx}
	}
	return seen
}

// ControlLeft reports whether a control for the node with an index was seen
// leaving the host so far. In a tunnel it is not in clear on any wire.
func (s *Session) ControlLeft(node int) bool {
	return slices.ContainsFunc(s.taps, func(t *tap) bool { return t.outside() && t.stats.ControlLeft(node) })
}

// Stop ends the capture after everything queued until now was read, and
// returns what was counted. When ctx ends first, what is still queued counts as
// dropped. A second call returns the same.
func (s *Session) Stop(ctx context.Context) []evidence.Message {
	s.stop.Do(func() {
		for _, t := range s.taps {
			t.stop()
		}
		stopped := context.AfterFunc(ctx, func() {
			for _, t := range s.taps {
				t.hurry.Store(true)
			}
		})
		defer stopped()
		// Each close waits until no processor can be in the socket any more: all at
		// the same time wait for the same.
		var closing sync.WaitGroup
		for _, t := range s.taps {
			closing.Go(func() {
				<-t.done
				t.stats.Close(t.close())
			})
		}
		closing.Wait()
		for _, t := range s.taps {
			// What a tunnel that is not the carrier's lacks is in its Capture: it
			// casts no doubt on what the others saw.
			if err := t.failed(); err != nil && t.link.Role != evidence.RoleInside {
				s.problems = append(s.problems, evidence.Message{Problem: problem(t.link.Name, err)})
			}
		}
		s.looper.close()
		s.messages = append(s.stats.Messages(), s.problems...)
	})
	return s.messages
}
