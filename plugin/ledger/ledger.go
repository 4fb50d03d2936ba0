// Package ledger keeps which directions between nodes were proven when, over many
// runs that each test a part. It is pure: it reads and writes text, and takes the
// time from the runs. It never says more than was proven: what it cannot keep it
// forgets, and what a later run could not prove is not proven any more.
package ledger

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Version is that of the text which Encode writes.
const Version = "ledger.kubectl-wg.io/v1"

// Bounds of a ledger. Runs are named by one character each.
const (
	maxRuns  = len(names)
	maxNodes = 1000
	maxParts = 1000
	maxSize  = 4 << 20 // of its text, in bytes
)

// names are what stands for a run in Ledger.Proven, and never for none.
const (
	names = "0123456789abcdefghijklmnopqrstuvwxyz"
	never = '.'
)

// Ledger is which directions were proven, and by which run. The zero value is empty.
type Ledger struct {
	Version string   `json:"version"`
	Nodes   []string `json:"nodes"` // sorted
	Runs    []Run    `json:"runs"`  // those that Proven names, in the order of names
	// Proven has, by family and sending node, one character for each node in the order
	// of Nodes: the place of the run among Runs that proved the direction last, in base
	// 36, or a dot.
	Proven map[string]map[string]string `json:"proven"`
	// Parts is when each part of --part was tested last, whatever came of it.
	Parts map[string]time.Time `json:"parts,omitempty"`
}

// Run is one run of which something is in the ledger.
type Run struct {
	ID    string    `json:"id"`
	Ended time.Time `json:"ended"`
	Pairs string    `json:"pairs"` // as --pairs or --part had it
}

// Parse reads what Encode wrote. Text that contradicts itself is an error: what it
// says is then not known.
func Parse(text []byte) (*Ledger, error) {
	if len(text) > maxSize {
		return nil, fmt.Errorf("the ledger has %d bytes, at most %d are read", len(text), maxSize)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	l := &Ledger{}
	if err := decoder.Decode(l); err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	if err := l.valid(); err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	return l, nil
}

func (l *Ledger) valid() error {
	switch {
	case l.Version != Version:
		return fmt.Errorf("its version is %q, this program reads %s", l.Version, Version)
	case len(l.Nodes) > maxNodes || len(l.Runs) > maxRuns || len(l.Parts) > maxParts:
		return fmt.Errorf("it has more nodes, runs or parts than are read")
	case !slices.IsSorted(l.Nodes) || len(slices.Compact(slices.Clone(l.Nodes))) != len(l.Nodes):
		return fmt.Errorf("its nodes are not in order")
	}
	for family, senders := range l.Proven {
		for node, row := range senders {
			if _, known := slices.BinarySearch(l.Nodes, node); !known || len(row) != len(l.Nodes) {
				return fmt.Errorf("what it says of %q does not fit its nodes", node)
			}
			for i := range len(row) {
				if at := placeOf(row[i]); row[i] != never && (at < 0 || at >= len(l.Runs)) || family != "4" && family != "6" {
					return fmt.Errorf("what it says of %q does not fit its runs", node)
				}
			}
		}
	}
	return nil
}

// Encode returns the ledger as text.
func (l *Ledger) Encode() []byte {
	text, _ := json.Marshal(l) // of these types it never fails
	return append(text, '\n')
}

// Add adds what a run proved, and takes away what it could not. Nodes that the
// cluster no longer has are forgotten; runs of which nothing is left too.
func (l *Ledger) Add(j *check.Judgement) error {
	all := nodesOf(j.Graph)
	if len(all) > maxNodes {
		return fmt.Errorf("the cluster has %d nodes, a ledger is for at most %d", len(all), maxNodes)
	}
	t := l.open(all)
	parts := l.tried(&j.Graph.Run)
	run := Run{ID: j.Graph.Run.ID, Ended: time.Unix(0, j.Graph.Run.Ended).UTC(), Pairs: j.Graph.Run.Pairs}
	unproven := unprovenOf(j)
	for _, family := range j.Graph.Run.Families {
		for _, from := range j.Graph.Nodes {
			for _, to := range j.Graph.Pairs.Targets(from.Place()) {
				on := verdict.Subject{Node: from.Name, Peer: j.Graph.Nodes[to].Name, Family: family}
				if unproven(on) {
					delete(t.proven, on)
					continue
				}
				t.proven[on] = run
			}
		}
	}
	t.close(l)
	l.Parts = parts
	for _, family := range j.Graph.Run.Families { // one of which nothing is proven counts too
		if name := strconv.Itoa(family); l.Proven[name] == nil {
			l.Proven[name] = map[string]string{}
		}
	}
	return nil
}

// tried returns when each part was tested last, after a run. Parts of another
// division are forgotten.
func (l *Ledger) tried(run *evidence.Run) map[string]time.Time {
	part, err := graph.ParsePart(run.Pairs)
	if err != nil {
		return l.Parts
	}
	parts := map[string]time.Time{part.String(): time.Unix(0, cmp.Or(run.Ended, run.Started)).UTC()}
	for text, at := range l.Parts {
		if other, err := graph.ParsePart(text); err == nil && other.Of == part.Of && other != part {
			parts[text] = at
		}
	}
	return parts
}

// nodesOf returns the names of all nodes of a cluster, sorted.
func nodesOf(g *graph.Graph) (all []string) {
	for _, n := range g.Nodes {
		all = append(all, n.Name)
	}
	for _, n := range g.Excluded {
		all = append(all, n.Name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// unprovenOf returns whether a direction that a run tested is not proven. Where not
// all of those are listed, none of a node that has any counts as proven; of a run
// whose record is incomplete none does.
func unprovenOf(j *check.Judgement) func(verdict.Subject) bool {
	if j.Graph.Run.Ended == 0 || j.Graph.Gap != "" {
		return func(verdict.Subject) bool { return true }
	}
	listed := map[verdict.Subject]bool{}
	for _, p := range j.Pairs {
		if p.Status >= verdict.Inconclusive {
			listed[p.Subject] = true
		}
	}
	nodes := map[string]bool{}
	if len(listed) < j.Totals.Statuses[verdict.Fail]+j.Totals.Statuses[verdict.Inconclusive] {
		for _, n := range j.Totals.Unproven {
			nodes[n.Node] = true
		}
	}
	return func(on verdict.Subject) bool { return listed[on] || nodes[on.Node] || nodes[on.Peer] }
}
