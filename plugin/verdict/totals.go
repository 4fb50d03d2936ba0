package verdict

import "slices"

// Totals count all that was judged, whatever of it is listed.
type Totals struct {
	Nodes    int            `json:"nodes"`
	Pairs    int            `json:"pairs"`    // ordered pairs of nodes, each family by itself
	Statuses map[Status]int `json:"statuses"` // of the pairs' proofs
	Steps    []StepTotal    `json:"steps"`    // of the proofs, in order
	Checks   []CheckTotal   `json:"checks"`   // in the order of the table
	// Unproven are the nodes with pairs that are not proven, in order.
	Unproven []NodeTotal `json:"unproven,omitempty"`
}

// NodeTotal counts the pairs of a node that are not proven, of all of its pairs.
type NodeTotal struct {
	Node     string `json:"node"`
	Sending  int    `json:"sending"` // not proven of what it sends
	Sends    int    `json:"sends"`
	Receives int    `json:"receives"`
	// Receiving are not proven of what it receives.
	Receiving int `json:"receiving"`
}

// Sender and Receiver say that nothing is proven of what the node sends, or
// receives: the node explains it, and no single pair.
func (n NodeTotal) Sender() bool { return n.Sending == n.Sends && n.Sends > 1 }

// Receiver is Sender for the other direction.
func (n NodeTotal) Receiver() bool { return n.Receiving == n.Receives && n.Receives > 1 }

// StepTotal counts the pairs by the status of one step.
type StepTotal struct {
	Step     Proof          `json:"step"`
	Title    string         `json:"title"`
	Statuses map[Status]int `json:"statuses"`
}

// CheckTotal counts the findings of one check.
type CheckTotal struct {
	Code     string         `json:"code"`
	Statuses map[Status]int `json:"statuses"`
	// Causes are those that no other explains, of what failed or is inconclusive.
	Causes map[Status]int `json:"causes,omitempty"`
}

func (t *CheckTotal) worst() Status {
	worst := NotApplicable
	for status := range t.Statuses {
		worst = Worse(worst, status)
	}
	return worst
}

func (t *CheckTotal) cause(s Status, by string) {
	if s < Inconclusive || by != "" {
		return
	}
	if t.Causes == nil {
		t.Causes = map[Status]int{}
	}
	t.Causes[s]++
}

func (j *judging) totals() Totals {
	t := Totals{Nodes: len(j.c.Nodes), Statuses: map[Status]int{}}
	for i, proof := range Proofs {
		step := StepTotal{Step: proof.Step, Title: proof.Title, Statuses: map[Status]int{}}
		for steps, count := range j.pairs.steps {
			step.Statuses[steps.status(i)] += count
		}
		t.Steps = append(t.Steps, step)
	}
	for steps, count := range j.pairs.steps {
		t.Pairs += count
		t.Statuses[steps.worst()] += count
	}
	for i := range j.checks {
		t.Checks = append(t.Checks, j.totalOf(&j.checks[i]))
	}
	t.Unproven = j.unprovenNodes()
	return t
}

func (j *judging) unprovenNodes() (some []NodeTotal) {
	all := make([]NodeTotal, len(j.c.Nodes))
	each := j.c.Asked.Each() * len(j.c.Run.Families)
	for i, n := range j.c.Nodes {
		all[i] = NodeTotal{Node: n.Name, Sends: each, Receives: each}
	}
	j.eachUnproven(func(at pair) bool {
		all[at.from].Sending++
		all[at.to].Receiving++
		return true
	})
	for _, n := range all {
		if n.Sending+n.Receiving > 0 {
			some = append(some, n)
		}
	}
	return some
}

// eachUnproven calls do for every pair that is not proven, in order, until it
// returns false.
func (j *judging) eachUnproven(do func(pair) bool) {
	for from, row := range j.pairs.rows {
		for _, d := range row {
			shared := j.pairs.shared[slices.Index(j.c.Run.Families, int(d.family))]
			steps := j.join(j.stepsOf(d.word), shared[from], shared[d.to])
			if steps.worst() >= Inconclusive && !do(pair{from, int(d.to), int(d.family)}) {
				return
			}
		}
	}
}

func (j *judging) totalOf(k *judged) CheckTotal {
	t := CheckTotal{Code: k.Code, Statuses: map[Status]int{}}
	for n, f := range k.findings {
		t.Statuses[f.Status]++
		t.cause(f.Status, j.causedBy(k, f.Status, j.on(k, n)))
	}
	if k.Scope != PerPair {
		return t
	}
	for word, count := range j.pairs.words {
		t.Statuses[word.status(k.bit)] += count
	}
	if k.worst < Inconclusive {
		return t
	}
	for from, row := range j.pairs.rows {
		for _, d := range row {
			status := d.word.status(k.bit)
			t.cause(status, j.causedBy(k, status, pair{from, int(d.to), int(d.family)}))
		}
	}
	return t
}
