package graph

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Pairs are the ordered pairs of nodes that a run tests. The zero value is none.
type Pairs struct {
	nodes   int
	place   []int  // by node, its place in the ring
	node    []int  // by place
	offsets []bool // by how many places ahead a target is
	each    int    // targets of each node
}

// NewPairs reads Run.Pairs: "all" (or nothing, as in old recordings), "ring", each
// node to the next, or a number: each node to as many others, which the run's
// id chooses. Each node is then the target of as many, and every node reaches
// every other over some others, since one of them is the next in a ring.
//
// "K/M" is the part K of M, from 1, whatever the run's id: each node to each M-th
// other, so that the M parts of a cluster have no pair in common and together all.
func NewPairs(pairs, id string, nodes int) (Pairs, error) {
	p := Pairs{nodes: nodes, place: make([]int, nodes), node: make([]int, nodes), offsets: make([]bool, nodes)}
	for i := range nodes {
		p.place[i] = i
		p.node[i] = i
	}
	if strings.Contains(pairs, "/") {
		err := p.takePart(pairs)
		return p, err
	}
	switch pairs {
	case "all", "":
		p.each = nodes - 1
	case "ring":
		p.each = 1
	default:
		each, err := strconv.Atoi(pairs)
		if err != nil || each < 1 {
			return Pairs{}, fmt.Errorf("pairs are all, ring or a number of at least 1, not %q", pairs)
		}
		p.each = each
	}
	p.each = max(0, min(p.each, nodes-1))
	if p.each == 0 {
		return p, nil
	}
	p.offsets[1] = true
	if p.each == 1 && pairs == "ring" {
		return p, nil
	}
	hash := fnv.New64a()
	hash.Write([]byte(id))
	random := rand.New(rand.NewPCG(hash.Sum64(), uint64(nodes)))
	if p.each < nodes-1 {
		random.Shuffle(nodes, func(i, j int) { p.node[i], p.node[j] = p.node[j], p.node[i] })
		for place, node := range p.node {
			p.place[node] = place
		}
	}
	for _, further := range random.Perm(max(0, nodes-2))[:p.each-1] {
		p.offsets[further+2] = true
	}
	return p, nil
}

// Part is one of several parts of all pairs: Number of Of, from 1.
type Part struct{ Number, Of int }

// maxParts is more parts than the nodes of any cluster make.
const maxParts = 10000

// ParsePart reads a part as String writes it.
func ParsePart(text string) (Part, error) {
	number, of, _ := strings.Cut(text, "/")
	k, err1 := strconv.Atoi(number)
	m, err2 := strconv.Atoi(of)
	if err1 != nil || err2 != nil || k < 1 || k > m || m > maxParts {
		return Part{}, fmt.Errorf("a part is K/M, e.g. 1/3, not %q", text)
	}
	return Part{k, m}, nil
}

func (p Part) String() string { return fmt.Sprintf("%d/%d", p.Number, p.Of) }

// takePart asks for one part of all pairs. A part of a cluster that has fewer others
// than parts can be empty.
func (p *Pairs) takePart(text string) error {
	part, err := ParsePart(text)
	if err != nil {
		return err
	}
	for offset := part.Number; offset < p.nodes; offset += part.Of {
		p.offsets[offset] = true
		p.each++
	}
	return nil
}

// Has reports whether a pair is tested.
func (p *Pairs) Has(from, to int) bool {
	return from != to && p.offsets[(p.place[to]-p.place[from]+p.nodes)%p.nodes]
}

// Targets returns the nodes that a node sends to, the next in the ring first.
func (p *Pairs) Targets(from int) (targets []int) {
	for offset, tested := range p.offsets {
		if tested {
			targets = append(targets, p.node[(p.place[from]+offset)%p.nodes])
		}
	}
	return targets
}

// Each is how many others each node sends to, and how many send to it.
func (p *Pairs) Each() int { return p.each }

// All reports whether all pairs are tested.
func (p *Pairs) All() bool { return p.each == p.nodes-1 }
