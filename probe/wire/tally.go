package wire

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Subject is what a tally must know of the run to tell frames apart.
type Subject struct {
	Run
	// Pods are the test pods, whose flows must not be seen in clear.
	Pods []evidence.PodAddress
	// Keys are public keys to try a handshake's mac1 against, base64.
	Keys []string
	// Ports are the UDP ports of WireGuard in this cluster, local and remote.
	Ports []uint16
	// Sizes are lengths of data messages to count first.
	Sizes []int
	// Ranges are the pod ranges of all nodes: a packet from one node's to
	// another's that this host sends or receives in clear is a leak.
	Ranges []evidence.PodRange
	Node   int // index of this node
	// Addresses and Ethers are this host's own: what tells its frames from
	// those of others on the same network.
	Addresses []netip.Addr
	Ethers    [][6]byte
}

// NewSubject returns what a capture on the node of that index was asked for.
func NewSubject(run Run, node int, request evidence.CaptureRequest) Subject {
	return Subject{
		Run: run, Node: node, Pods: request.Pods,
		Keys: request.Keys, Ports: slices.Clone(request.Ports), Sizes: request.Sizes, Ranges: request.Ranges,
	}
}

// Tally sums the frames of one capture window over all its links. Its links
// may be fed by one goroutine each at the same time.
type Tally struct {
	settings *settings
	tunnels  tunnels

	mu    sync.Mutex
	links []*LinkTally
}

// NewTally makes an empty tally. It fails on a key that is no public key.
func NewTally(subject Subject) (*Tally, error) {
	s, err := newSettings(subject)
	if err != nil {
		return nil, err
	}
	return &Tally{settings: s, tunnels: tunnels{all: make(map[ends]*tunnel)}}, nil
}

// Link begins the account of one link. Each link is fed by one goroutine.
func (t *Tally) Link(name string, role evidence.LinkRole) *LinkTally {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := &LinkTally{
		tally: t, id: len(t.links), name: name,
		capture: evidence.Capture{Link: name, Role: role},
		witness: make(witnesses),
	}
	t.links = append(t.links, l)
	return l
}

// Messages returns the account as Capture, Tunnel, Sighting and Witness
// messages, each small enough to be encoded, in an order that depends only on
// what was seen. No link may be fed any more.
func (t *Tally) Messages() []evidence.Message {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []evidence.Message
	for _, l := range t.links {
		out = append(out, evidence.Message{Capture: l.account()})
	}
	for _, l := range t.links {
		out = append(out, l.sightings.messages()...)
	}
	for _, l := range t.links {
		out = append(out, l.witness.messages(l.name)...)
		out = append(out, l.tries.messages(l.name)...)
	}
	out = append(out, t.tunnels.messages(t.settings, t.links)...)
	if t.tunnels.missed > 0 {
		out = append(out, evidence.Message{Problem: &evidence.Problem{
			Class: evidence.ProblemInternal, What: "capture",
			Text: "datagrams on WireGuard ports between more addresses than are kept",
		}})
	}
	return out
}
