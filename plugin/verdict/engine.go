package verdict

import (
	"cmp"
	"slices"
	"sync"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
)

// Judge runs the table over a graph, which was resolved. The laws are here: a
// subject whose streams are incomplete cannot pass, a consequence names its
// cause, one failure fails the run, and without a complete proof nothing passes.
//
// Of every edge the status is kept, of those that are listed a check is asked
// again, for the words: that is every edge of a run of up to detailed pairs, see
// Detailed.
func Judge(g *graph.Graph, table []Check, detailed int) *Result {
	j := newJudging(g, table)
	j.judgeNodes()
	j.judgeEdges()
	j.explain()
	r := &Result{Totals: j.totals(), Causes: j.causes(), Proofs: j.proofs}
	r.Verdict = j.overall(&r.Totals)
	r.Complete = r.Totals.Pairs <= detailed
	if r.Complete {
		r.Findings = j.allFindings()
		r.Pairs = j.allProofs()
	} else {
		r.Findings, r.Pairs = j.deviations(), j.unproven(&r.Totals)
	}
	if len(r.Causes) > 0 {
		r.FirstCause = &r.Causes[0].Finding
	}
	return r
}

// judging is one run of the table over a graph.
type judging struct {
	g      *graph.Graph
	checks []judged  // in the order of the table
	edges  []subject // of all pairs of the run, in order
	shared [][]steps // by node's place and family, see share
	proofs []Status  // of the edges' whole proofs, see place
	groups []*group  // the causes, see explain
	totalsOfSteps
}

// judged is one check with what it found.
type judged struct {
	*Check
	place int // in the table
	// outcomes are those of the cluster, the nodes, or the nodes and families.
	outcomes []Outcome
	statuses []Status // of the edges; 0 where none is tested
	details  details  // of the edges that are not fine
	worst    Status   // of all subjects, failed or inconclusive
	after    []*judged
	// unexplained counts the subjects of each status that nothing explains.
	unexplained [Fail + 1]int
}

// detail is what of an outcome decides how it is explained and grouped.
type detail struct {
	variant string
	after   []string // see Outcome.After
}

// details are those of some edges by their place, see judging.place. Edges are
// judged several at a time.
type details struct {
	mu sync.Mutex
	of map[int]detail
}

func (d *details) add(place int, found *Outcome) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.of == nil {
		d.of = map[int]detail{}
	}
	d.of[place] = detail{found.Variant, found.After}
}

func newJudging(g *graph.Graph, table []Check) *judging {
	j := &judging{g: g, checks: make([]judged, len(table)), edges: edgesOf(g)}
	byCode := map[string]*judged{}
	for i := range table {
		k := &j.checks[i]
		k.Check = &table[i]
		k.place = i
		for _, code := range k.After {
			if before := byCode[code]; before != nil {
				k.after = append(k.after, before)
			}
		}
		byCode[k.Code] = k
	}
	return j
}

// subject is what a finding is about, by places: from is -1 for the cluster, to
// is -1 for a node, whose family is 0 if it is about all of them.
type subject struct{ from, to, family int }

var wholeCluster = subject{-1, -1, 0}

// subjects returns those of a check, in order.
func (j *judging) subjects(k *judged) (all []subject) {
	switch {
	case k.Cluster != nil:
		return []subject{wholeCluster}
	case k.Node != nil:
		for i := range j.g.Nodes {
			all = append(all, subject{i, -1, 0})
		}
		return all
	case k.NodeFamily != nil:
		for i := range j.g.Nodes {
			for _, family := range j.g.Run.Families {
				all = append(all, subject{i, -1, family})
			}
		}
		return all
	}
	return j.edges
}

// edgesOf returns the subjects of all pairs of the run, in order.
func edgesOf(g *graph.Graph) (all []subject) {
	for from := range g.Nodes {
		for to := range g.Nodes {
			if !g.Pairs.Has(from, to) {
				continue
			}
			for _, family := range g.Run.Families {
				all = append(all, subject{from, to, family})
			}
		}
	}
	return all
}

// place is where a subject's outcome or status is kept.
func (j *judging) place(on subject) int {
	families := j.g.Run.Families
	switch {
	case on.from < 0:
		return 0
	case on.to < 0 && on.family == 0:
		return on.from
	case on.to < 0:
		return on.from*len(families) + slices.Index(families, on.family)
	}
	return (on.from*len(j.g.Nodes)+on.to)*len(families) + slices.Index(families, on.family)
}

// status returns what a check found of a subject.
func (j *judging) status(k *judged, on subject) Status {
	if k.Edge != nil {
		return k.statuses[j.place(on)]
	}
	return k.outcomes[j.place(on)].Status
}

// detail returns that of what a check found of a subject that is not fine.
func (j *judging) detail(k *judged, on subject) detail {
	if k.Edge != nil {
		return k.details.of[j.place(on)]
	}
	found := &k.outcomes[j.place(on)]
	return detail{found.Variant, found.After}
}

// judgeNodes judges the cluster and every node.
func (j *judging) judgeNodes() {
	for i := range j.checks {
		k := &j.checks[i]
		if k.Edge != nil {
			continue
		}
		subjects := j.subjects(k)
		k.outcomes = make([]Outcome, len(subjects))
		graph.Parallel(len(subjects), func(i int) { k.outcomes[i] = j.judge(k, subjects[i]) })
		for i := range k.outcomes {
			k.note(k.outcomes[i].Status)
		}
	}
}

// note keeps the gravest status that can explain others.
func (k *judged) note(s Status) {
	if s >= Inconclusive {
		k.worst = max(k.worst, s)
	}
}

// judge asks a check about a subject.
func (j *judging) judge(k *judged, on subject) Outcome {
	switch {
	case k.Cluster != nil:
		return j.withGap(k, k.Cluster(), j.g.Nodes)
	case k.Node != nil:
		n := j.g.Nodes[on.from]
		return j.withGap(k, k.Node(n), j.g.Nodes[on.from:on.from+1])
	case k.NodeFamily != nil:
		n := j.g.Nodes[on.from]
		return j.withGap(k, k.NodeFamily(n, on.family), j.g.Nodes[on.from:on.from+1])
	}
	return j.judgeEdge(k, j.g.Edge(j.g.Nodes[on.from], j.g.Nodes[on.to], on.family))
}

func (j *judging) judgeEdge(k *judged, e *graph.Edge) Outcome {
	ends := [2]*graph.Node{e.From, e.To}
	return j.withGap(k, k.Edge(e), ends[:])
}

// withGap is the law of missing evidence: of these nodes.
func (j *judging) withGap(k *judged, found Outcome, nodes []*graph.Node) Outcome {
	gap := ""
	if j.g.Gap != "" {
		gap = "the record of the run itself is incomplete: " + j.g.Gap
	}
	for i := 0; i < len(nodes) && gap == ""; i++ {
		gap = k.lacks(nodes[i])
	}
	switch {
	case k.Advice:
		return informing(found, gap)
	case gap == "", k.stands(found.Status):
	case found.Status == Inconclusive && found.Variant != "": // it knows why the evidence is missing
	default:
		readings := found.Readings
		found = Say(Inconclusive, "%s", gap)
		found.Readings = readings
	}
	return found
}

// informing is the law of advice: it never counts. What it would rest on and was
// not read is not known.
func informing(found Outcome, gap string) Outcome {
	switch {
	case gap != "":
		return Say(NotApplicable, "%s", gap)
	case found.Status > Pass:
		found.Status = Pass
		found.Advice = true
	}
	return found
}

// finding is what a check found of a subject, in words and with its cause.
func (j *judging) finding(k *judged, on subject) Finding {
	found := Outcome{}
	if k.Edge != nil {
		found = j.judge(k, on)
	} else {
		found = k.outcomes[j.place(on)]
	}
	return Finding{
		Code: k.Code, Title: k.Title, Failed: cmp.Or(found.Failed, k.Failed), Proof: k.Proof,
		Status: found.Status, Kind: k.kindOf(&found), Subject: j.named(on),
		Text: found.Text(), Readings: found.Readings, Variant: found.Variant, Facts: found.Facts,
		Advice:   k.Advice && found.Advice,
		CausedBy: j.causedBy(k, found.Status, on),
	}
}

// named is a subject by names.
func (j *judging) named(on subject) Subject {
	named := Subject{Family: on.family}
	if on.from >= 0 {
		named.Node = j.g.Nodes[on.from].Name
	}
	if on.to >= 0 {
		named.Peer = j.g.Nodes[on.to].Name
	}
	return named
}

// overall is the law of the verdict.
func (j *judging) overall(t *Totals) Verdict {
	worst := Pass
	for i := range t.Checks {
		worst = max(worst, t.Checks[i].worst())
	}
	for status := range t.Statuses {
		worst = max(worst, status)
	}
	switch {
	case worst == Fail:
		return Failed
	case worst == Inconclusive, t.Pairs == 0, j.g.Gap != "":
		return Undecided
	default:
		return Passed
	}
}
