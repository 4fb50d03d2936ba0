//go:build linux

// Package agent is the probe's only control flow: requests on stdin, one at a
// time, carried out by the collectors, answered by messages on stdout. Its
// input's end is its own end: it stops what runs and leaves nothing behind.
package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/canary"
	"github.com/kubectl-wg/kubectl-wg/probe/capture"
	"github.com/kubectl-wg/kubectl-wg/probe/device"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/filter"
	"github.com/kubectl-wg/kubectl-wg/probe/host"
)

// ErrAbandoned says that the input ended before an EndRequest.
var ErrAbandoned = errors.New("the session was abandoned")

// Options replace parts of the agent; the zero value is the real one.
type Options struct {
	Version string
	Log     *slog.Logger // nil discards
	Host    Host
	Filters Filters
	Devices Devices
	// Capture starts a capture of the links.
	Capture func(ctx context.Context, config capture.Config) (Capture, error)
	// Trial makes a WireGuard link in a pod's network, see trial.Reader.
	Trial func(own, host uint64) (evidence.Trial, error)
	// HostLogs reads the logs of the host, see hostlog.Reader.
	HostLogs func(ctx context.Context, request evidence.HostLogsRequest) ([]evidence.HostLine, evidence.HostLogs, error)
	// Live starts a live capture.
	Live func(config capture.Config, request evidence.LiveRequest) (Live, error)
	// Pod makes the test pod's side of a session.
	Pod func(canary.Identity) Pod
}

// Host reads the state of the machine; host.Reader does.
type Host interface {
	System() evidence.Hello
	Module() evidence.Module
	Links(pods []netip.Prefix) (host.Links, []evidence.Problem)
	Answers([]host.Question) ([]evidence.Route, []evidence.Problem)
	Tables(
		links []evidence.Link, request evidence.ReadRequest, own int,
	) ([]evidence.Route, []evidence.Inventory, []evidence.Problem)
	Rules() ([]evidence.Rule, []evidence.Inventory, []evidence.Problem)
	StackCounts() host.StackCounts
	Neighbours(hops []host.Hop, links []evidence.Link) ([]evidence.Neighbour, []evidence.Problem)
	Watch(pods []netip.Prefix) (*host.Watch, error)
}

// Filters reads packet filters; filter.Reader does.
type Filters interface {
	Listen() *filter.Watch
	Firewall(traffic filter.Traffic, links []evidence.Link) ([]evidence.Firewall, []evidence.Problem)
	Diversions(
		links []evidence.Link, pods []netip.Prefix, ends []netip.Addr, watch *filter.Watch,
	) ([]evidence.Diversion, []evidence.Inventory, []evidence.Problem)
}

// Devices reads WireGuard devices; device.Reader does.
type Devices interface {
	Read([]device.Target) (device.Snapshot, []evidence.Problem)
}

// Capture is a running capture; capture.Session is one.
type Capture interface {
	Links() []string
	Loop(link string) error
	ControlsSeen() map[string]capture.Controls
	ControlLeft(node int) bool
	Delay() time.Duration
	Stop(ctx context.Context) []evidence.Message
}

// Live is a running live capture; capture.Live is one.
type Live interface {
	Take(ctx context.Context, wait time.Duration) ([]evidence.Frame, []evidence.FrameCount)
	Stop(ctx context.Context) ([]evidence.Frame, []evidence.FrameCount)
}

// Pod sends and answers canaries; canary.Pod does.
type Pod interface {
	Listen(ctx context.Context, request evidence.ListenRequest) (ports map[string]uint16, problems []evidence.Problem)
	Send(ctx context.Context, request evidence.SendRequest) []evidence.Problem
	Stop() []evidence.Message
}

// grace is how long what runs may take to end after the input did.
const grace = time.Second

// Run serves one session until its EndRequest, until stdin ends (ErrAbandoned)
// or until ctx does. When it returns, nothing of the session runs any more.
// It closes stdin if that can be closed.
func Run(ctx context.Context, stdin io.Reader, stdout io.Writer, options Options) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	buffered := bufio.NewWriterSize(stdout, 32<<10)
	s := newSession(options, evidence.NewWriter(buffered), buffered.Flush)
	requests := make(chan *evidence.Request)
	go func() {
		defer close(requests)
		err := evidence.ReadRequests(stdin, func(r *evidence.Request) error {
			select {
			case requests <- r:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
		if err == nil {
			err = ErrAbandoned
		}
		cancel(err) // also what is being carried out ends now
	}()
	var err error
	served := make(chan struct{})
	go func() {
		defer close(served)
		defer s.close()
		err = s.serve(ctx, requests)
	}()
	select {
	case <-served:
	case <-ctx.Done():
		// A write that nobody reads must not keep the agent alive.
		select {
		case <-served:
		case <-time.After(grace):
			return context.Cause(ctx)
		}
	}
	if err == nil {
		// The other side ends its input once it has read Bye. Ending before that
		// ends the container, and could cut off what is still under way.
		select {
		case <-ctx.Done():
		case <-time.After(grace):
		}
	}
	cancel(err)
	if closer, ok := stdin.(io.Closer); ok {
		closer.Close()
	}
	return err
}

// serve carries out requests in order; nil after an EndRequest.
func (s *session) serve(ctx context.Context, requests <-chan *evidence.Request) error {
	for {
		select {
		case request, ok := <-requests:
			if !ok {
				return context.Cause(ctx)
			}
			done, err := s.handle(ctx, request)
			if err == nil {
				err = s.flush()
			}
			if err != nil || done {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// guard makes a fault of this program a problem of the one collector it is in.
func (s *session) guard(what string, collect func()) {
	defer func() {
		if fault := recover(); fault != nil {
			// The text of a fault could quote what was being read, so it stays here.
			s.problem(evidence.Problem{Class: evidence.ProblemInternal, What: what,
				Text: fmt.Sprintf("a fault of the probe (%T)", fault)})
		}
	}()
	collect()
}

// handle carries out one request.
func (s *session) handle(ctx context.Context, request *evidence.Request) (done bool, err error) {
	what, act := s.action(request)
	ctx, cancel := context.WithTimeout(ctx, limits[what])
	defer cancel()
	start := time.Now()
	s.guard(what, func() { act(ctx) })
	s.log.Info("done", "request", request.ID, "what", what, "took", time.Since(start).Round(time.Microsecond))
	switch what {
	case "start":
		return false, s.err
	case "end":
		if s.err == nil {
			s.err = s.out.Bye()
		}
		return true, errors.Join(s.err, s.flush())
	}
	s.ready.Request = request.ID
	s.ready.What = what
	s.ready.Took = time.Since(start).Milliseconds()
	s.write(evidence.Message{Ready: &s.ready})
	s.ready = evidence.Ready{}
	return false, s.err
}

// limits bound how long a request may take. A Send brings its own timeout,
// which is bounded by the sender.
var limits = map[string]time.Duration{
	"start": 5 * time.Second, "read": 30 * time.Second, "capture": 15 * time.Second, "listen": 10 * time.Second,
	"send": 3 * time.Minute, "control": 15 * time.Second,
	"trial": 10 * time.Second, "portListen": 10 * time.Second, "portSend": 30 * time.Second,
	"answer": 10 * time.Second, "reach": 3 * time.Minute, "stop": 15 * time.Second, "devices": 10 * time.Second,
	"serve": 10 * time.Second, "measure": 40 * time.Second, "load": 10 * time.Second,
	"live": 15 * time.Second, "frames": 15 * time.Second, "hostLogs": 30 * time.Second,
	"end": 15 * time.Second, "unknown": time.Second,
}
