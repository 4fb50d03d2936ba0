package verdict

import (
	"slices"
	"strings"
)

// Scope is the kind of subject a check judges.
type Scope int

// The scopes.
const (
	PerCluster Scope = iota
	PerNode
	PerPair
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
	Seen  bool
	Judge func(c *Case, s Subject) Outcome
}

// Judge runs the table over the case. The laws are here: a subject whose
// streams are incomplete cannot pass, a consequence names its cause, one
// failure fails the run, and without a complete proof nothing passes.
func Judge(c *Case, table []Check) *Result {
	r := &Result{}
	pairs := c.Pairs()
	for _, check := range table {
		for _, s := range subjects(c, check.Scope, pairs) {
			r.Findings = append(r.Findings, judge(c, check, s))
		}
	}
	explain(r.Findings, table)
	r.Pairs = prove(r.Findings, pairs)
	r.Verdict = overall(c, r)
	r.FirstCause = firstCause(r)
	return r
}

func subjects(c *Case, scope Scope, pairs []Subject) []Subject {
	switch scope {
	case PerCluster:
		return []Subject{{}}
	case PerNode:
		nodes := make([]Subject, 0, len(c.Nodes))
		for _, n := range c.Nodes {
			nodes = append(nodes, Subject{Node: n.Name})
		}
		return nodes
	default:
		return pairs
	}
}

func judge(c *Case, check Check, s Subject) Finding {
	outcome := check.Judge(c, s)
	gap := missing(c, check, s)
	switch {
	case gap == "", check.Seen && outcome.Status == Fail:
	case outcome.Status == Inconclusive && outcome.Variant != "": // it knows why the evidence is missing
	default:
		outcome = Outcome{Status: Inconclusive, Text: gap, Readings: outcome.Readings}
	}
	return Finding{
		Code: check.Code, Title: check.Title, Proof: check.Proof, Status: outcome.Status, Subject: s,
		Text: outcome.Text, Readings: outcome.Readings, Variant: outcome.Variant, Facts: outcome.Facts,
	}
}

// missing says which stream of the subject is incomplete, empty if none is.
func missing(c *Case, check Check, s Subject) string {
	if c.Gap != "" {
		return "the record of the run itself is incomplete: " + c.Gap
	}
	var nodes []*Node
	switch {
	case s.Node == "":
		nodes = c.Nodes
	case s.Peer == "":
		nodes = []*Node{c.Node(s.Node)}
	default:
		nodes = []*Node{c.Node(s.Node), c.Node(s.Peer)}
	}
	for _, n := range nodes {
		if slices.Contains(check.Needs, NeedProbe) && n.ProbeGap != "" {
			return "the evidence of the probe on " + n.Name + " is incomplete: " + n.ProbeGap
		}
		if slices.Contains(check.Needs, NeedPod) && n.PodGap != "" {
			return "the evidence of the test pod on " + n.Name + " is incomplete: " + n.PodGap
		}
	}
	return ""
}

// explain marks each finding that is not fine with the code of the first
// check it comes after that is not fine on a subject that bears on it.
func explain(findings []Finding, table []Check) {
	after := map[string][]string{}
	for _, check := range table {
		after[check.Code] = check.After
	}
	bad := map[string][]int{} // code → findings that failed or are inconclusive
	for i, f := range findings {
		if f.Status == Fail || f.Status == Inconclusive {
			bad[f.Code] = append(bad[f.Code], i)
		}
	}
	for i := range findings {
		f := &findings[i]
		if f.Status != Fail && f.Status != Inconclusive {
			continue
		}
		for _, code := range after[f.Code] {
			if slices.ContainsFunc(bad[code], func(j int) bool {
				return bearsOn(findings[j].Subject, f.Subject) && findings[j].Status.rank() >= f.Status.rank()
			}) {
				f.CausedBy = code
				break
			}
		}
	}
}

// bearsOn says whether something wrong with a can be the cause of something
// wrong with b.
func bearsOn(a, b Subject) bool {
	switch {
	case a.Node == "" || b.Node == "":
		return true
	case a.Peer == "": // a node bears on itself and on its pairs
		return a.Node == b.Node || a.Node == b.Peer
	case b.Peer == "": // a pair bears on its nodes
		return b.Node == a.Node || b.Node == a.Peer
	default: // a pair bears on both its directions: answers travel the other way
		same := a.Node == b.Node && a.Peer == b.Peer
		reverse := a.Node == b.Peer && a.Peer == b.Node
		return a.Family == b.Family && (same || reverse)
	}
}

// prove collects the steps of each pair's proof. A step no check passed for
// this pair is not proven.
func prove(findings []Finding, pairs []Subject) []Pair {
	proofs := make([]Pair, len(pairs))
	index := map[Subject]int{}
	byNode := map[string][]int{}
	for i, s := range pairs {
		proofs[i] = Pair{Subject: s, Status: Pass, Steps: map[Proof]Status{}, Notes: map[Proof]string{}}
		index[s] = i
		byNode[s.Node] = append(byNode[s.Node], i)
		byNode[s.Peer] = append(byNode[s.Peer], i)
	}
	add := func(i int, f Finding) {
		p := &proofs[i]
		old, seen := p.Steps[f.Proof]
		text := f.Text
		if f.Status == Pass && f.Subject.Peer == "" {
			text = "" // what is fine with a node or the cluster stands among the findings
		}
		note := p.Notes[f.Proof]
		switch {
		case !seen || Worse(old, f.Status) != old:
			p.Steps[f.Proof], note = f.Status, text
		case old != f.Status || f.Status == NotApplicable || text == "" || strings.Contains(note, text):
		case note == "":
			note = text
		default:
			note += "; " + text
		}
		p.Notes[f.Proof] = note
	}
	for _, f := range findings {
		if f.Proof == "" {
			continue
		}
		switch {
		case f.Subject.Peer != "":
			add(index[f.Subject], f)
		case f.Subject.Node != "":
			for _, i := range byNode[f.Subject.Node] {
				add(i, f)
			}
		default:
			for i := range proofs {
				add(i, f)
			}
		}
	}
	for i := range proofs {
		for _, proof := range Proofs {
			status, judged := proofs[i].Steps[proof.Step]
			if !judged || status == NotApplicable {
				status = Inconclusive
				proofs[i].Steps[proof.Step] = status
				if proofs[i].Notes[proof.Step] == "" {
					proofs[i].Notes[proof.Step] = "nothing could be judged"
				}
			}
			proofs[i].Status = Worse(proofs[i].Status, status)
		}
	}
	return proofs
}

func overall(c *Case, r *Result) Verdict {
	worst := Pass
	for _, f := range r.Findings {
		worst = Worse(worst, f.Status)
	}
	for _, p := range r.Pairs {
		worst = Worse(worst, p.Status)
	}
	switch {
	case worst == Fail:
		return Failed
	case worst == Inconclusive, len(r.Pairs) == 0, c.Gap != "":
		return Undecided
	default:
		return Passed
	}
}

// firstCause is the first finding of the table that decided the verdict and
// that no other explains.
func firstCause(r *Result) *Finding {
	var decided Status
	switch r.Verdict {
	case Failed:
		decided = Fail
	case Undecided:
		decided = Inconclusive
	default:
		return nil
	}
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Status == decided && f.CausedBy == "" {
			return f
		}
	}
	return nil
}
