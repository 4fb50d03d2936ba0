package verdict

import "slices"

// Scope is the kind of subject a check judges.
type Scope int

// The scopes.
const (
	PerCluster Scope = iota
	PerNode
	PerPair
	PerNodeFamily // a node, once for each family of the run
)

// Need is a stream without whose completeness a check cannot pass.
type Need int

// The needs. For a pair they concern both nodes.
const (
	NeedProbe Need = iota
	NeedPod
)

// Check is one row of the table of checks.
type Check struct {
	Code  string
	Title string // reads as a true sentence when the check passes
	Why   string // why it matters, for explain and the docs
	Reads string // which evidence it reads
	Proof Proof  // the step of the proof it belongs to, empty if none
	Scope Scope
	Needs []Need
	// After are codes whose failure explains a failure of this one.
	After []string
	// Seen: a failure rests on something that was seen, so it stands even on
	// incomplete evidence. A failure that rests on something not seen does not.
	Seen bool
	// Outage: a failure says that something did not arrive. It explains no leak:
	// what was seen in clear did arrive, or was on its way.
	Outage bool
	// Judge looks at one subject. Its status does not depend on Focus.Quiet.
	Judge func(f *Focus) Outcome
}

// Judge runs the table over the case, which was resolved. The laws are here: a
// subject whose streams are incomplete cannot pass, a consequence names its
// cause, one failure fails the run, and without a complete proof nothing passes.
//
// Pairs are judged twice by the same checks: all of them for the status only,
// then those that are reported in words. That is every pair of a run of up to
// detailed pairs; see Detailed.
func Judge(c *Case, table []Check, detailed int) *Result {
	j := &judging{c: c, table: table}
	j.judgeNodes()
	j.judgePairs()
	r := &Result{Totals: j.totals()}
	r.Verdict = j.overall(&r.Totals)
	r.Complete = r.Totals.Pairs <= detailed
	if r.Complete {
		r.Findings, r.Pairs = j.allFindings(), j.allProofs()
	} else {
		r.Findings, r.Pairs = j.deviations(), j.unproven(&r.Totals)
	}
	j.findCauses(r)
	return r
}

// judging is one run of the table over a case.
type judging struct {
	c     *Case
	table []Check
	// checks are the rows of the table with what was found, in its order.
	checks  []judged
	lacks   []lack    // by node
	ofPairs []*judged // those of checks that judge pairs
	pairs   *pairStatuses
}

// judged is one check with the findings of the cluster or the nodes, or its
// place among the checks of pairs.
type judged struct {
	*Check
	findings []Finding // per cluster, per node, or per node and family: the families of a node next to each other
	bit      int       // per pair, see word
	lacking  lack      // without which it is inconclusive
	worst    Status    // of all subjects, failed or inconclusive
	after    []*judged
}

// judgeNodes judges the cluster and every node, in words.
func (j *judging) judgeNodes() {
	j.checks = make([]judged, len(j.table))
	j.lacks = make([]lack, len(j.c.Nodes))
	for i, n := range j.c.Nodes {
		j.lacks[i] = lackOf(j.c.Gap != "", n.ProbeGap != "", n.PodGap != "")
	}
	byCode := map[string]*judged{}
	bit := 0
	for i := range j.table {
		k := &j.checks[i]
		k.Check = &j.table[i]
		byCode[k.Code] = k
		k.lacking = lackOf(true, slices.Contains(k.Needs, NeedProbe), slices.Contains(k.Needs, NeedPod))
		switch k.Scope {
		case PerCluster:
			k.findings = []Finding{j.find(&Focus{Case: j.c}, k.Check)}
		case PerNode:
			k.findings = make([]Finding, len(j.c.Nodes))
			workers(len(j.c.Nodes), func(n int) {
				k.findings[n] = j.find(&Focus{Case: j.c, Node: j.c.Nodes[n]}, k.Check)
			})
		case PerNodeFamily:
			families := j.c.Run.Families
			k.findings = make([]Finding, len(j.c.Nodes)*len(families))
			workers(len(j.c.Nodes), func(n int) {
				for i, family := range families {
					k.findings[n*len(families)+i] = j.find(&Focus{Case: j.c, Node: j.c.Nodes[n], Family: family}, k.Check)
				}
			})
		default:
			j.ofPairs = append(j.ofPairs, k)
			k.bit = bit
			bit += wordBits
		}
		for i := range k.findings {
			k.note(k.findings[i].Status)
		}
	}
	for i := range j.checks {
		k := &j.checks[i]
		for _, code := range k.After {
			if before := byCode[code]; before != nil {
				k.after = append(k.after, before)
			}
		}
	}
}

// of returns what a check of nodes found that concerns a node and a family: one
// finding, or those of all families if family is 0.
func (j *judging) of(k *judged, node, family int) []Finding {
	if k.Scope == PerNode {
		return k.findings[node : node+1]
	}
	families := j.c.Run.Families
	own := k.findings[node*len(families) : (node+1)*len(families)]
	if i := slices.Index(families, family); i >= 0 {
		return own[i : i+1]
	}
	return own
}

// note keeps the gravest status that can explain others.
func (k *judged) note(s Status) {
	if (s == Fail || s == Inconclusive) && s > k.worst {
		k.worst = s
	}
}

// find judges one subject in words.
func (j *judging) find(f *Focus, check *Check) Finding {
	outcome := judge(f, check)
	if outcome.Words == nil {
		outcome.Words = &Words{}
	}
	return Finding{
		Code: check.Code, Title: check.Title, Proof: check.Proof, Status: outcome.Status, Subject: f.Subject(),
		Text: outcome.Text, Readings: outcome.Readings, Variant: outcome.Variant, Facts: outcome.Facts,
	}
}

// judge is the law of missing evidence.
func judge(f *Focus, check *Check) Outcome {
	outcome := check.Judge(f)
	gap := missing(f, check)
	switch {
	case gap == "", check.stands(outcome.Status):
	case outcome.Status == Inconclusive && outcome.Variant != "": // it knows why the evidence is missing
	default:
		outcome = Outcome{Inconclusive, &Words{Text: gap, Readings: outcome.Readings}}
	}
	return outcome
}

// stands says whether a status holds whatever else was not told.
func (c *Check) stands(s Status) bool { return c.Seen && s == Fail }

// lack is a set of streams: that are incomplete, or that are needed.
type lack uint8

func lackOf(plugin, probe, pod bool) (l lack) {
	for i, stream := range []bool{plugin, probe, pod} {
		if stream {
			l |= 1 << i
		}
	}
	return l
}

// missing says which stream of the subject is incomplete, empty if none is.
func missing(f *Focus, check *Check) string {
	if f.Gap != "" {
		return "the record of the run itself is incomplete: " + f.Gap
	}
	probe, pod := slices.Contains(check.Needs, NeedProbe), slices.Contains(check.Needs, NeedPod)
	lacks := func(n *Node) string {
		switch {
		case probe && n.ProbeGap != "":
			return "the evidence of the probe on " + n.Name + " is incomplete: " + n.ProbeGap
		case pod && n.PodGap != "":
			return "the evidence of the test pod on " + n.Name + " is incomplete: " + n.PodGap
		}
		return ""
	}
	if f.Node == nil {
		for _, n := range f.Nodes {
			if gap := lacks(n); gap != "" {
				return gap
			}
		}
		return ""
	}
	if gap := lacks(f.Node); gap != "" || f.Peer == nil {
		return gap
	}
	return lacks(f.Peer)
}

// overall is the law of the verdict.
func (j *judging) overall(t *Totals) Verdict {
	worst := Pass
	for i := range t.Checks {
		worst = Worse(worst, t.Checks[i].worst())
	}
	for status := range t.Statuses {
		worst = Worse(worst, status)
	}
	switch {
	case worst == Fail:
		return Failed
	case worst == Inconclusive, t.Pairs == 0, j.c.Gap != "":
		return Undecided
	default:
		return Passed
	}
}
