package verdict

// Totals count all that was judged, whatever of it is listed.
type Totals struct {
	Nodes    int            `json:"nodes"`
	Pairs    int            `json:"pairs"`    // ordered pairs of nodes, each family by itself
	Statuses map[Status]int `json:"statuses"` // of the pairs' proofs
	Steps    []StepTotal    `json:"steps"`    // of the proofs, in order
	Checks   []CheckTotal   `json:"checks"`   // in the order of the table
	// Unproven are the nodes with pairs that are not proven, in order.
	Unproven []NodeTotal `json:"unproven,omitempty"`
	// Unexplained counts the pairs that are not proven and of which no finding says why.
	Unexplained int `json:"unexplained,omitempty"`
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

// Sender and Receiver report that nothing is proven of what the node sends, or
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
		worst = max(worst, status)
	}
	return worst
}

// Of returns the count of a check's findings, zero for an unknown code.
func (t *Totals) Of(code string) CheckTotal {
	for _, c := range t.Checks {
		if c.Code == code {
			return c
		}
	}
	return CheckTotal{}
}

func (j *judging) totals() Totals {
	t := Totals{Nodes: len(j.g.Nodes), Statuses: map[Status]int{}}
	for i, proof := range Proofs {
		step := StepTotal{Step: proof.Step, Title: proof.Title, Statuses: map[Status]int{}}
		for status, count := range j.steps[i] {
			if count > 0 {
				step.Statuses[Status(status)] = count
			}
		}
		t.Steps = append(t.Steps, step)
	}
	for _, status := range j.proofs {
		if status != 0 {
			t.Pairs++
			t.Statuses[status]++
		}
	}
	for i := range j.checks {
		t.Checks = append(t.Checks, j.totalOf(&j.checks[i]))
	}
	t.Unproven = j.unprovenNodes()
	t.Unexplained = j.unexplained()
	return t
}

func (j *judging) unprovenNodes() (some []NodeTotal) {
	all := make([]NodeTotal, len(j.g.Nodes))
	each := j.g.Pairs.Each() * len(j.g.Run.Families)
	for i, n := range j.g.Nodes {
		all[i] = NodeTotal{Node: n.Name, Sends: each, Receives: each}
	}
	for _, on := range j.unprovenEdges() {
		all[on.from].Sending++
		all[on.to].Receiving++
	}
	for _, n := range all {
		if n.Sending+n.Receiving > 0 {
			some = append(some, n)
		}
	}
	return some
}

func (j *judging) totalOf(k *judged) CheckTotal {
	t := CheckTotal{Code: k.Code, Statuses: map[Status]int{}}
	for _, on := range j.subjects(k) {
		t.Statuses[j.status(k, on)]++
	}
	for status, count := range k.unexplained {
		if count == 0 {
			continue
		}
		if t.Causes == nil {
			t.Causes = map[Status]int{}
		}
		t.Causes[Status(status)] = count
	}
	return t
}
