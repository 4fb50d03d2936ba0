package wire

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Subject is what must be known of the run to distinguish frames.
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
	// Addresses and Ethers are this host's own: they distinguish its frames from
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

// Stats sums the frames of one capture window over all its links. Its links
// may be fed by one goroutine each at the same time.
type Stats struct {
	settings *settings
	tunnels  tunnels

	mu    sync.Mutex
	links []*LinkStats
}

// NewStats returns empty counters. It fails on a key that is not a public key.
func NewStats(subject Subject) (*Stats, error) {
	s, err := newSettings(subject)
	if err != nil {
		return nil, err
	}
	return &Stats{settings: s, tunnels: tunnels{all: make(map[ends]*tunnel)}}, nil
}

// Link adds the counters of one link. Each link is fed by one goroutine.
func (t *Stats) Link(name string, role evidence.LinkRole) *LinkStats {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := &LinkStats{
		stats: t, id: len(t.links), name: name,
		capture: evidence.Capture{Link: name, Role: role},
		seen:    make(seenPairs),
	}
	t.links = append(t.links, l)
	return l
}

// Messages returns what was counted as Capture, Tunnel, Sighting and Witness
// messages, each small enough to be encoded, in an order that depends only on
// what was seen. No link may be fed any more.
func (t *Stats) Messages() []evidence.Message {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []evidence.Message
	for _, l := range t.links {
		out = append(out, evidence.Message{Capture: l.sums()})
	}
	for _, l := range t.links {
		out = append(out, l.leaks.messages()...)
		out = append(out, l.clear.messages()...)
	}
	for _, l := range t.links {
		out = append(out, l.seen.messages(l.name)...)
		out = append(out, l.tries.messages(l.name)...)
		out = append(out, l.ends.messages(l.name)...)
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
