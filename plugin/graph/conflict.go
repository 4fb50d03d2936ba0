package graph

import (
	"fmt"
	"net/netip"
	"reflect"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// conflicts are contradictions among the messages of a node's probe and of its
// pod, empty if there are none. Of several the first by its text counts,
// whatever the order of messages.
type conflicts struct{ probe, pod string }

func conflict(noted *string, what string) { contradiction(noted, "it describes "+what+" in two ways") }

func contradiction(noted *string, text string) {
	if *noted == "" || text < *noted {
		*noted = text
	}
}

// hello checks who speaks in a stream: one agent, in the role and on the node that
// the stream is named after. What was written on another node shows nothing of
// this one.
func (s *single) hello(h *evidence.Hello, role, node string, noted *string) {
	switch before, known := s.kept["hello"]; {
	case h.Node != node:
		contradiction(noted, fmt.Sprintf("it was written on %q, and not on %s", h.Node, node))
	case h.Role != role:
		contradiction(noted, fmt.Sprintf("it was written by %q, and not by a %s", h.Role, role))
	case known && !reflect.DeepEqual(before, h):
		conflict(noted, "who writes it")
	}
	s.kept["hello"] = h
}

// single finds messages of one node that contradict each other: of each of its
// links, devices, captures and tunnels a probe writes one. Which of two is true
// cannot be known, and the order of messages must not decide it.
type single struct {
	kept    map[string]any
	tunnels map[[2]netip.AddrPort]bool // by their ends
}

func newSingle() *single {
	return &single{kept: map[string]any{}, tunnels: map[[2]netip.AddrPort]bool{}}
}

// add remembers what a message is about, and notes a conflict with an earlier one.
func (s *single) add(n *Node, m *evidence.Message) {
	switch {
	case m.Hello != nil:
		s.hello(m.Hello, "probe", n.Name, &n.conflicts.probe)
	case m.Link != nil:
		s.keep(n, "the link "+m.Link.Name, m.Link)
		s.keep(n, fmt.Sprintf("the link with index %d", m.Link.Index), m.Link)
	case m.Device != nil:
		s.keep(n, "the device "+m.Device.Name, m.Device)
	case m.Capture != nil:
		s.keep(n, "the capture on "+m.Capture.Link, m.Capture)
	case m.Tunnel != nil:
		ends := [2]netip.AddrPort{m.Tunnel.Local, m.Tunnel.Remote}
		if s.tunnels[ends] { // what is reported twice would count twice
			conflict(&n.conflicts.probe, fmt.Sprintf("the messages between %s and %s", m.Tunnel.Local, m.Tunnel.Remote))
		}
		s.tunnels[ends] = true
	}
}

func (s *single) keep(n *Node, what string, about any) {
	before, known := s.kept[what]
	if known && !reflect.DeepEqual(before, about) {
		conflict(&n.conflicts.probe, what)
	}
	s.kept[what] = about
}
