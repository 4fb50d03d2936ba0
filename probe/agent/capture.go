//go:build linux

package agent

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/canary"
	"github.com/kubectl-wg/kubectl-wg/probe/capture"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// startCapture captures on the links as they are now.
func (s *session) startCapture(ctx context.Context, request *evidence.CaptureRequest) {
	if s.capture != nil {
		s.problem(evidence.Problem{Class: evidence.ProblemUnsupported, What: "capture",
			Text: "a capture is already running"})
		return
	}
	s.beginWatch()
	links, problems := s.options.Host.Links(s.read.PodRanges)
	s.problem(problems...)
	if s.watch != nil {
		s.watch.Known(links)
		s.watch.Paths(links.Links, s.read, s.id.Index, s.entries, s.rules)
	}
	running, err := s.options.Capture(ctx, capture.Config{
		Links: links.Links, Addresses: links.Addresses, Devices: s.devices.Devices, Peers: s.devices.Peers,
		Inner: s.inner, Request: *request, Run: s.id.Run, Node: s.id.Index,
	})
	if err != nil {
		class := evidence.ProblemInternal
		if errors.Is(err, fs.ErrPermission) {
			class = evidence.ProblemPermission
		}
		s.problem(evidence.Problem{Class: class, What: "capture",
			Text: err.Error(), Hint: "a capture needs NET_RAW on the host's network namespace"})
		return
	}
	s.capture = running
	s.captured = links.Links
}

// beginWatch listens for changes of links from before the captures start.
func (s *session) beginWatch() {
	watch, err := s.options.Host.Watch(s.read.PodRanges)
	if err != nil {
		s.inventory([]evidence.Inventory{{What: evidence.InventoryLinks, Text: err.Error()}})
		return
	}
	s.watch = watch
}

// endWatch reports the changes of links, routes and rules since the captures began.
func (s *session) endWatch() {
	if s.watch == nil {
		return
	}
	watch := s.watch
	s.watch = nil
	events, inventory := watch.Close()
	for _, event := range events {
		s.write(evidence.Message{LinkEvent: &event})
	}
	s.inventory([]evidence.Inventory{inventory})
	s.guard("route", func() {
		entries, _, problems := s.options.Host.Tables(s.links.Links, s.routing, s.id.Index)
		s.problem(problems...)
		rules, _, problems := s.options.Host.Rules()
		s.problem(problems...)
		watch.Changed(entries, rules)
		s.inventory(watch.Inventories())
	})
	s.guard("diversion", func() {
		s.endChanges()
		partly := slices.DeleteFunc(s.newDiversions(), func(i evidence.Inventory) bool { return i.Complete })
		s.inventory(partly)
	})
}

// tap shows a capture to the controls.
type tap struct{ Capture }

func (t tap) Caught(link string) bool { return t.ControlsSeen()[link].TX > 0 }
func (t tap) Left(node int) bool      { return t.ControlLeft(node) }

// noTap stands for the capture when there is none: the datagrams are sent all
// the same, and nobody can have seen them.
type noTap struct{}

func (noTap) Links() []string      { return nil }
func (noTap) Caught(string) bool   { return false }
func (noTap) Left(int) bool        { return true }
func (noTap) Loop(string) error    { return errors.New("no capture is running") }
func (noTap) Delay() time.Duration { return 0 }

func (s *session) control(ctx context.Context, request *evidence.ControlRequest) {
	marks := make(map[netip.AddrPort]uint32)
	for _, endpoint := range s.devices.Endpoints() {
		marks[endpoint.Addr] = endpoint.Mark
	}
	var seen canary.Tap = noTap{}
	if s.capture != nil {
		seen = tap{s.capture}
	}
	s.writePacked(canary.Controls(ctx, s.id, *request, marks, seen))
}

// stop ends what runs and writes its results.
func (s *session) stop(ctx context.Context) {
	if s.capture != nil {
		results := s.capture.Stop(ctx)
		s.writePacked(results)
		s.capture = nil
		s.tunnels = tunnels(results)
		s.latecomers()
	}
	s.endLive(ctx)
	if s.pod != nil {
		s.writePacked(s.pod.Stop())
		s.pod = s.options.Pod(s.id)
	}
	if s.classes != nil {
		s.write(s.classes.Stop()...)
		s.classes = nil
	}
	if s.ports != nil {
		s.write(s.ports.Stop()...)
		s.ports = nil
	}
}

// tunnels are those of a capture's results.
func tunnels(results []evidence.Message) (list []evidence.Tunnel) {
	for _, m := range results {
		if m.Tunnel != nil {
			list = append(list, *m.Tunnel)
		}
	}
	return list
}

// latecomers are outside links that were not there, or not outside, when the
// capture began: what left by them was not seen.
func (s *session) latecomers() {
	was := make(map[int]evidence.Link, len(s.captured))
	for _, link := range s.captured {
		was[link.Index] = link
	}
	links, problems := s.options.Host.Links(s.read.PodRanges)
	s.problem(problems...)
	if s.watch != nil {
		s.watch.Drain()
	}
	for _, link := range links.Links {
		if s.watch != nil && s.watch.Stays(link.Index) {
			continue
		}
		if before, ok := was[link.Index]; link.Role == evidence.RoleOutside && link.Up &&
			(!ok || before.Role != evidence.RoleOutside || !before.Up) {
			s.problem(evidence.Problem{Class: evidence.ProblemMissing, What: "capture", On: link.Name,
				Text: "this link began to lead out of the host while the capture ran, so nothing was captured on it"})
		}
	}
}
