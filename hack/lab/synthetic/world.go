// Package synthetic invents the hosts of one cluster: flannel with its `wireguard` backend on any number of nodes, healthy
// but for the faults that are planted. What two hosts say of each other agrees, though neither asks the other: both
// compute it from the plan below. The agent that reads these hosts, the frames' matcher and the counters are the product's.
//
//	        pods 10.128.1.0/24       pods 10.128.2.0/24              node n: underlay 198.18.0.0 + n,
//	node-0001  flannel-wg         node-0002  flannel-wg                      pods     10.128.n.0/24
//	             eth0                          eth0                          (n counted on over the third byte)
//	           198.18.0.1  ------------------ 198.18.0.2
package synthetic

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
)

// The address plan. Underlay is the range for benchmarks of RFC 2544: no real network has it.
var (
	Underlay   = netip.MustParsePrefix("198.18.0.0/15")
	PodNetwork = netip.MustParsePrefix("10.128.0.0/9")
)

const (
	// MaxNodes is what the names have digits for.
	MaxNodes = 9999
	// Port is WireGuard's on every node.
	Port = 51820
	// TunnelMTU is flannel's on a link of 1500 bytes, and that of its pods.
	TunnelMTU = 1420
)

// World is one cluster.
type World struct {
	Nodes  int
	Faults []Fault
	keys   []string

	mu      sync.Mutex
	flights map[flight]bool
}

// NewWorld makes a cluster.
func NewWorld(nodes int, faults ...Fault) (*World, error) {
	if nodes < 1 || nodes > MaxNodes {
		return nil, fmt.Errorf("%d nodes: want 1 to %d", nodes, MaxNodes)
	}
	w := &World{Nodes: nodes, Faults: faults, keys: make([]string, nodes+1), flights: map[flight]bool{}}
	for n := range w.keys {
		w.keys[n] = key(n, "")
	}
	for _, fault := range faults {
		if err := fault.check(nodes); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// Name is the name of the n-th node, counted from 1: in the order of names nodes are in the order of numbers.
func Name(n int) string { return fmt.Sprintf("node-%04d", n) }

// Number is the inverse of Name; 0 for a name that is none.
func (w *World) Number(name string) int {
	var n int
	if _, err := fmt.Sscanf(name, "node-%d", &n); err != nil || n < 1 || n > w.Nodes || Name(n) != name {
		return 0
	}
	return n
}

// Address is the n-th node's on the underlay.
func Address(n int) netip.Addr { return offset(Underlay, uint32(n)) }

// PodRange is the n-th node's.
func PodRange(n int) netip.Prefix { return netip.PrefixFrom(offset(PodNetwork, uint32(n)<<8), 24) }

// Owner is the node whose underlay or pod address it is; 0 for nobody's.
func (w *World) Owner(addr netip.Addr) int {
	var n uint32
	switch {
	case Underlay.Contains(addr):
		n = number(addr) - number(Underlay.Addr())
	case PodNetwork.Contains(addr):
		n = (number(addr) - number(PodNetwork.Addr())) >> 8
	}
	if n > uint32(w.Nodes) {
		return 0
	}
	return int(n)
}

// Key is the public key that the n-th node's device holds and that its node publishes.
func (w *World) Key(n int) string { return w.keys[n] }

// key is 32 bytes that nobody has the private half of: no traffic is encrypted here.
func key(n int, generation string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "public key of %s %s", Name(n), generation))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func endpoint(n int) netip.AddrPort { return netip.AddrPortFrom(Address(n), Port) }

func offset(prefix netip.Prefix, by uint32) netip.Addr {
	var raw [4]byte
	binary.BigEndian.PutUint32(raw[:], number(prefix.Addr())+by)
	return netip.AddrFrom4(raw)
}

func number(addr netip.Addr) uint32 {
	raw := addr.As4()
	return binary.BigEndian.Uint32(raw[:])
}
