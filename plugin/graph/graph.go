// Package graph is a recording by what it is about: the nodes of the run, and
// the edges between them. An Edge is all that is known of the traffic from one
// node's pods to another's in one family. The package interprets nothing: what is
// right and what is wrong is for the checks to say.
package graph

import (
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Graph is all that a recording says. What is missing in it is nil or zero.
type Graph struct {
	Run      evidence.Run
	Cluster  evidence.Cluster
	Nodes    []*Node // of the run, by index
	Excluded []*evidence.Node
	Problems []evidence.Problem // of the plugin
	Gap      string             // what the plugin's stream lacks, empty if it is complete
	Pairs    Pairs              // the ordered pairs that the run tests
	// Unattributed are leaks that name no pair of the run.
	Unattributed []Leak

	done    <-chan struct{} // see NewUntil
	byName  map[string]*Node
	byIndex map[int]*Node
	leaks   map[edgeKey][]Leak
	clear   map[classKey][]Leak  // packets of classes that were seen in clear
	samples []*evidence.Sighting // leaks in the plugin's stream: whatever reports a leak is believed
	owners  map[string]int       // by public key, the place of the node whose device has it
	configs peerConfigs
	routes  shared[evidence.Route]
	seen    shared[Seen]
}

// edgeKey names an edge by the places of its nodes.
type edgeKey struct{ from, to, family int }

// Leak is a leak sample and the name of the node whose capture took it.
type Leak struct {
	*evidence.Sighting
	On string
}

// Recorded is a recording as a graph is built from it.
type Recorded interface {
	// Streams returns the names of all streams, sorted.
	Streams() []string
	// Messages returns the messages of one stream in the order of their numbers.
	Messages(stream string) []*evidence.Message
	// Gap describes what makes a stream incomplete, empty if nothing does.
	Gap(stream string) string
}

// New builds the graph of a recording. Its edges are there once Resolve knows
// which tunnels should carry the traffic.
func New(recording Recorded) *Graph { return NewUntil(nil, recording) }

// NewUntil is New, and returns nil if done is closed meanwhile: a recording may
// be hostile.
func NewUntil(done <-chan struct{}, recording Recorded) *Graph {
	g := &Graph{done: done, byName: map[string]*Node{}, byIndex: map[int]*Node{}, Gap: gap(recording)}
	g.readPlugin(recording.Messages(evidence.PluginStream), recording.Streams())
	g.each(func(n *Node) { g.readNode(n, recording) })
	if g.ended() {
		return nil
	}
	g.attribute(recording)
	g.own()
	g.each(g.settle)
	g.joinLoose()
	if g.ended() {
		return nil
	}
	return g
}

// ended reports whether nobody waits for the graph any more.
func (g *Graph) ended() bool {
	select {
	case <-g.done:
		return true
	default:
		return false
	}
}

// Node returns the node of that name, nil if it is not part of the run.
func (g *Graph) Node(name string) *Node { return g.byName[name] }

// At returns the node with that index, nil if there is none.
func (g *Graph) At(index int) *Node { return g.byIndex[index] }

// each calls do for every node, for several at a time.
func (g *Graph) each(do func(*Node)) {
	Parallel(len(g.Nodes), func(i int) { do(g.Nodes[i]) })
}

// Parallel calls do for 0 to n-1, in no order, on all processors.
func Parallel(n int, do func(int)) {
	var next atomic.Int64
	var working sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		working.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	working.Wait()
}

// own notes which node's device has which key. Of several nodes with one key the
// first counts.
func (g *Graph) own() {
	g.owners = map[string]int{}
	for i, n := range g.Nodes {
		for _, d := range n.Devices {
			if _, owned := g.owners[d.PublicKey]; !owned && d.PublicKey != "" {
				g.owners[d.PublicKey] = i
			}
		}
	}
}

// owner returns the place of the node whose device has a key, behind all nodes
// for a key of none.
func (g *Graph) owner(key string) int {
	if at, known := g.owners[key]; known {
		return at
	}
	return len(g.Nodes)
}

// slot is the place of a family in what is kept by family, -1 for none.
func slot(family int) int {
	switch family {
	case 4:
		return 0
	case 6:
		return 1
	}
	return -1
}

// familyOf returns 4 or 6.
func familyOf(ip netip.Addr) int {
	if ip.Is4() {
		return 4
	}
	return 6
}
