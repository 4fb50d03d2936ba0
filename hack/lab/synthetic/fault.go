package synthetic

import (
	"fmt"
	"strconv"
	"strings"
)

// The kinds of fault.
const (
	// StaleKey: node From has a key for node To that To no longer holds. No handshake of the two is ever completed, in
	// either direction.
	StaleKey = "stale-key"
	// Leak: node From has a more specific route past the tunnel to the pods of node To. What its pods send there crosses
	// the wire in clear, and arrives.
	Leak = "leak"
)

// Fault is one thing that is wrong with one pair of nodes.
type Fault struct {
	Kind     string `json:"kind"`
	From, To int    // nodes, counted from 1
}

// ParseFault reads KIND:FROM:TO, e.g. "stale-key:17:423".
func ParseFault(text string) (Fault, error) {
	parts := strings.Split(text, ":")
	if len(parts) == 3 && (parts[0] == StaleKey || parts[0] == Leak) {
		from, fromErr := strconv.Atoi(parts[1])
		to, toErr := strconv.Atoi(parts[2])
		if fromErr == nil && toErr == nil {
			return Fault{parts[0], from, to}, nil
		}
	}
	return Fault{}, fmt.Errorf("fault %q: want %s:FROM:TO or %s:FROM:TO, with numbers of nodes", text, StaleKey, Leak)
}

func (f Fault) String() string { return fmt.Sprintf("%s:%d:%d", f.Kind, f.From, f.To) }

func (f Fault) check(nodes int) error {
	if f.From < 1 || f.From > nodes || f.To < 1 || f.To > nodes || f.From == f.To {
		return fmt.Errorf("fault %s: want two of %d nodes", f, nodes)
	}
	return nil
}

// stale reports whether a node has a stale key for a peer.
func (w *World) stale(from, to int) bool { return w.has(Fault{StaleKey, from, to}) }

// cut reports whether nothing passes between two nodes.
func (w *World) cut(a, b int) bool { return w.stale(a, b) || w.stale(b, a) }

// leaks reports whether what one node's pods send to another's goes past the tunnel.
func (w *World) leaks(from, to int) bool { return w.has(Fault{Leak, from, to}) }

func (w *World) has(fault Fault) bool {
	for _, f := range w.Faults { // a few at most
		if f == fault {
			return true
		}
	}
	return false
}

// peerKey is the key that a node's device has for a peer.
func (w *World) peerKey(from, to int) string {
	if w.stale(from, to) {
		return key(to, "before")
	}
	return w.Key(to)
}
