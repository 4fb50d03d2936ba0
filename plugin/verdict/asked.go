package verdict

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
)

// Asked says which ordered pairs of nodes a run tests. The zero value is none.
type Asked struct {
	nodes   int
	place   []int  // by node, its place in the ring
	node    []int  // by place
	offsets []bool // by how many places ahead a target is
	each    int    // targets of each node
}

// Ask reads Run.Pairs: "all" (or nothing, as in old recordings), "ring", each
// node to the next, or a number: each node to as many others, which the run's
// id chooses. Each node is then the target of as many, and every node reaches
// every other over some others, since one of them is the next in a ring.
func Ask(pairs, id string, nodes int) (Asked, error) {
	a := Asked{nodes: nodes, place: make([]int, nodes), node: make([]int, nodes), offsets: make([]bool, nodes)}
	for i := range nodes {
		a.place[i], a.node[i] = i, i
	}
	switch pairs {
	case "all", "":
		a.each = nodes - 1
	case "ring":
		a.each = 1
	default:
		each, err := strconv.Atoi(pairs)
		if err != nil || each < 1 {
			return Asked{}, fmt.Errorf("pairs are all, ring or a number of at least 1, not %q", pairs)
		}
		a.each = each
	}
	a.each = max(0, min(a.each, nodes-1))
	if a.each == 0 {
		return a, nil
	}
	a.offsets[1] = true
	if a.each == 1 && pairs == "ring" {
		return a, nil
	}
	hash := fnv.New64a()
	hash.Write([]byte(id))
	random := rand.New(rand.NewPCG(hash.Sum64(), uint64(nodes)))
	if a.each < nodes-1 {
		random.Shuffle(nodes, func(i, j int) { a.node[i], a.node[j] = a.node[j], a.node[i] })
		for place, node := range a.node {
			a.place[node] = place
		}
	}
	for _, further := range random.Perm(max(0, nodes-2))[:a.each-1] {
		a.offsets[further+2] = true
	}
	return a, nil
}

// Has says whether the pair is tested.
func (a *Asked) Has(from, to int) bool {
	return from != to && a.offsets[(a.place[to]-a.place[from]+a.nodes)%a.nodes]
}

// Targets returns the nodes that a node sends to, the next in the ring first.
func (a *Asked) Targets(from int) (targets []int) {
	for offset, asked := range a.offsets {
		if asked {
			targets = append(targets, a.node[(a.place[from]+offset)%a.nodes])
		}
	}
	return targets
}

// Each is how many others each node sends to, and how many send to it.
func (a *Asked) Each() int { return a.each }

// All says whether all pairs are tested.
func (a *Asked) All() bool { return a.each == a.nodes-1 }
