package profile

import (
	"maps"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Promise is what a network promises of the packets of a class between nodes.
type Promise struct {
	// Encrypted: it is meant to encrypt them, requests and answers. One that is seen in
	// clear is then a leak, otherwise it is so by design.
	Encrypted bool
	Why       string // why not, for a reader; empty if it is
}

// Promises are those of all classes; of one that is not in it nothing is promised.
type Promises map[evidence.Class]Promise

// PodHops is what every network promises that encrypts between pods: what a pod sends
// to another is encrypted by whatever address it is reached, that of a Service too.
// Of what a node sends itself, or gives its own address, nothing is promised, since
// some networks choose by the sender (Cilium, unless encrypt-node is on).
func PodHops() Promises {
	const (
		masqueraded = "it has the address of its node by then, and of what nodes send this network promises nothing"
		firstHop    = "the first hop is to the address of a node, which this network does not encrypt"
		toNode      = "it is for the address of a node, which this network does not encrypt"
		fromNode    = "it is from a node itself, of which this network promises nothing"
	)
	return Promises{
		evidence.ClassClusterIP:   {Encrypted: true},
		evidence.ClassNodePort:    {Why: masqueraded},
		evidence.ClassNodePortFar: {Why: firstHop},
		evidence.ClassPodNode:     {Why: toNode},
		evidence.ClassNodePod:     {Why: fromNode},
		evidence.ClassNodeNode:    {Why: toNode},
		evidence.ClassDNS:         {Encrypted: true},
		evidence.ClassEnded:       {Encrypted: true},
	}
}

// BackendHops is what a network promises that chooses by the target alone: whatever is
// for a pod on another node when it leaves its sender's node goes through the tunnel,
// masqueraded or not. What is for a node's own address does not.
func BackendHops() Promises { return PodHops().And(evidence.ClassNodePort) }

// AllHops is what a network promises that encrypts all between nodes, what they
// send themselves included.
func AllHops() Promises {
	all := Promises{}
	for _, one := range evidence.Classes {
		all[one.Class] = Promise{Encrypted: true}
	}
	return all
}

// ofHosts returns what follows from whether nodes encrypt their own packets. Where
// some do not, nothing is promised of a class as a whole.
func (p *Profile) ofHosts(g *graph.Graph) Promises {
	if !p.EncryptsHosts || slices.ContainsFunc(g.Nodes, p.OptedOut) {
		return PodHops()
	}
	return AllHops()
}

// And returns the promises with that of more classes.
func (p Promises) And(classes ...evidence.Class) Promises {
	more := maps.Clone(p)
	for _, class := range classes {
		more[class] = Promise{Encrypted: true}
	}
	return more
}

// Promise returns what is promised of a class.
func (p *Profile) Promise(class evidence.Class) Promise { return p.Promises[class] }

// scopeLines are the scope's words on the classes that a run tested.
func scopeLines(asked []evidence.Class) []Scope {
	if len(asked) == 0 {
		return nil
	}
	return []Scope{{What: "Services, nodes and the cluster's DNS, beyond what the table of classes shows",
		Why: "a PASS is about pods; of other classes it says only that none leaked which this network promises " +
			"to encrypt"}}
}
