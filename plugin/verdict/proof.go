package verdict

import (
	"slices"
	"strings"
	"sync"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
)

// steps are the statuses of the steps of a proof, in the order of Proofs.
type steps [len(Proofs)]Status

// add makes a step as grave as a status, if it is not graver.
func (s *steps) add(step int, status Status) {
	if step >= 0 {
		s[step] = max(s[step], status)
	}
}

// worst is the status of the whole proof.
func (s *steps) worst() Status { return max(Pass, slices.Max(s[:])) }

// stepOf returns the place of a step among Proofs, -1 for none.
func stepOf(p Proof) int {
	for i := range Proofs {
		if Proofs[i].Step == p {
			return i
		}
	}
	return -1
}

// totalsOfSteps counts the edges by the statuses of their steps.
type totalsOfSteps struct {
	mu    sync.Mutex
	steps [len(Proofs)][Fail + 1]int
}

func (t *totalsOfSteps) add(other *totalsOfSteps) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.steps {
		for status := range t.steps[i] {
			t.steps[i][status] += other.steps[i][status]
		}
	}
}

// judgeEdges judges every edge, the edges of several senders at a time.
func (j *judging) judgeEdges() {
	j.share()
	places := len(j.g.Nodes) * len(j.g.Nodes) * len(j.g.Run.Families)
	j.proofs = make([]Status, places)
	for i := range j.checks {
		if j.checks[i].Edge != nil {
			j.checks[i].statuses = make([]Status, places)
		}
	}
	graph.Parallel(len(j.g.Nodes), func(from int) {
		var counted totalsOfSteps
		for e := range j.g.EdgesFrom(j.g.Nodes[from]) {
			at := j.place(subject{from, e.To.Place(), e.Family})
			proof := j.proofOfEdge(e, at)
			j.proofs[at] = proof.worst()
			for i, status := range proof {
				counted.steps[i][status]++
			}
		}
		j.totalsOfSteps.add(&counted)
	})
	for i := range j.checks {
		for _, status := range j.checks[i].statuses {
			j.checks[i].note(status)
		}
	}
}

// proofOfEdge judges one edge. A step that no check passed for it is not proven,
// whatever passed for its nodes or the cluster.
func (j *judging) proofOfEdge(e *graph.Edge, at int) steps {
	var own steps
	for i := range j.checks {
		k := &j.checks[i]
		if k.Edge == nil {
			continue
		}
		found := j.judgeEdge(k, e)
		k.statuses[at] = found.Status
		if found.Status >= Inconclusive && (found.Variant != "" || found.After != nil) {
			k.details.add(at, &found)
		}
		own.add(stepOf(k.Proof), found.Status)
	}
	family := slices.Index(j.g.Run.Families, e.Family)
	from, to := &j.shared[e.From.Place()][family], &j.shared[e.To.Place()][family]
	joined := own
	for i := range joined {
		joined.add(i, max(from[i], to[i]))
		if own[i] <= NotApplicable {
			joined.add(i, Inconclusive)
		}
	}
	return joined
}

// share joins, by node and family, the findings that are part of the proof of
// every edge: the cluster's and the node's own.
func (j *judging) share() {
	families := j.g.Run.Families
	j.shared = make([][]steps, len(j.g.Nodes))
	for n := range j.shared {
		j.shared[n] = make([]steps, len(families))
		for i := range j.checks {
			k := &j.checks[i]
			for f, family := range families {
				if k.Edge == nil {
					j.shared[n][f].add(stepOf(k.Proof), j.status(k, j.ofNode(k, n, family)))
				}
			}
		}
	}
}

// ofNode is the subject of a check of the cluster or of nodes that concerns a
// node and a family.
func (j *judging) ofNode(k *judged, node, family int) subject {
	switch {
	case k.Cluster != nil:
		return wholeCluster
	case k.Node != nil:
		return subject{node, -1, 0}
	}
	return subject{node, -1, family}
}

// pairOf collects the steps of an edge's proof in words.
func (j *judging) pairOf(on subject) Pair {
	p := Pair{Subject: j.named(on), Status: Pass, Steps: map[Proof]Status{}, Notes: map[Proof]string{}}
	own := map[Proof]Status{}
	for i := range j.checks {
		k := &j.checks[i]
		switch {
		case k.Proof == "":
		case k.Cluster != nil:
			p.add(j.finding(k, wholeCluster))
		case k.Edge == nil:
			p.add(j.finding(k, j.ofNode(k, min(on.from, on.to), on.family)))
			p.add(j.finding(k, j.ofNode(k, max(on.from, on.to), on.family)))
		default:
			f := j.finding(k, on)
			own[k.Proof] = max(own[k.Proof], f.Status)
			p.add(f)
		}
	}
	for _, proof := range Proofs {
		status := p.Steps[proof.Step]
		if own[proof.Step] <= NotApplicable && status < Inconclusive {
			status = Inconclusive
			p.Steps[proof.Step] = status
			if p.Notes[proof.Step] == "" {
				p.Notes[proof.Step] = "nothing could be judged"
			}
		}
		p.Status = max(p.Status, status)
	}
	return p
}

// add joins a finding to the proof: the gravest status of a step counts, and
// its texts.
func (p *Pair) add(f Finding) {
	old, seen := p.Steps[f.Proof]
	text := f.Text
	if f.Status == Pass && f.Subject.Peer == "" {
		text = "" // what is fine with a node or the cluster stands among the findings
	}
	note := p.Notes[f.Proof]
	switch {
	case !seen || f.Status > old:
		p.Steps[f.Proof] = f.Status
		note = text
	case old != f.Status || f.Status == NotApplicable || text == "" || strings.Contains(note, text):
	case note == "":
		note = text
	default:
		note += "; " + text
	}
	p.Notes[f.Proof] = note
}
