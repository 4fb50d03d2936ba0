package verdict

import (
	"fmt"
	"net/netip"
	"reflect"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

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
	case m.Link != nil:
		s.keep(n, "the link "+m.Link.Name, m.Link)
		s.keep(n, fmt.Sprintf("the link with index %d", m.Link.Index), m.Link)
	case m.Device != nil:
		s.keep(n, "the device "+m.Device.Name, m.Device)
	case m.Capture != nil:
		s.keep(n, "the capture on "+m.Capture.Link, m.Capture)
	case m.Tunnel != nil:
		ends := [2]netip.AddrPort{m.Tunnel.Local, m.Tunnel.Remote}
		if s.tunnels[ends] { // what is told twice would count twice
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

// conflicts are contradictions among the messages of a node's probe and of its
// pod, empty if there are none. Of several the first by its text counts,
// whatever the order of messages.
type conflicts struct{ probe, pod string }

func conflict(noted *string, what string) {
	text := "it describes " + what + " in two ways"
	if *noted == "" || text < *noted {
		*noted = text
	}
}

// maxSegments is how many datagrams the kernel joins in one frame at most
// (UDP_MAX_SEGMENTS of linux/udp.h).
const maxSegments = 128

// addOnWire notes on which links a tunnel's messages were seen.
func (n *Node) addOnWire(t *evidence.Tunnel) {
	if n.OnWire == nil {
		n.OnWire = map[string]uint64{}
	}
	if len(t.Links) == 0 {
		n.OnWire[""] += 0 // nobody saw them
	}
	for _, link := range t.Links {
		n.OnWire[link] += 0 // it is there
		if len(t.Links) == 1 {
			n.OnWire[link] += frames(&t.TX) + frames(&t.RX)
		}
	}
}

// frames returns how many frames the messages of a flow take at least.
func frames(f *evidence.Flow) uint64 {
	messages := f.Initiations + f.Responses + f.Cookies + f.Data + f.Keepalives
	return (min(messages, 1<<40) + maxSegments - 1) / maxSegments
}
