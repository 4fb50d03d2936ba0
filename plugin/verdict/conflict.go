package verdict

import (
	"fmt"
	"reflect"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// single finds messages of one node that contradict each other: of each of its
// links, devices, captures and tunnels a probe writes one. Which of two is true
// cannot be known, and the order of messages must not decide it.
type single map[string]any

// add remembers what a message is about, and notes a conflict with an earlier one.
func (s single) add(n *Node, m *evidence.Message) {
	switch {
	case m.Link != nil:
		s.keep(n, "the link "+m.Link.Name, m.Link)
		s.keep(n, fmt.Sprintf("the link with index %d", m.Link.Index), m.Link)
	case m.Device != nil:
		s.keep(n, "the device "+m.Device.Name, m.Device)
	case m.Capture != nil:
		s.keep(n, "the capture on "+m.Capture.Link, m.Capture)
	case m.Tunnel != nil:
		s.keep(n, fmt.Sprintf("what was captured between %s and %s", m.Tunnel.Local, m.Tunnel.Remote), m.Tunnel)
	}
}

func (s single) keep(n *Node, what string, about any) {
	before, known := s[what]
	if known && !reflect.DeepEqual(before, about) {
		n.conflict(what)
	}
	s[what] = about
}

// conflict notes that a node's messages contradict each other. Of several
// conflicts the first by its text counts, whatever the order of messages.
func (n *Node) conflict(what string) {
	text := "it describes " + what + " in two ways"
	if n.Conflict == "" || text < n.Conflict {
		n.Conflict = text
	}
}
