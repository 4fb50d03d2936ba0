package verdict

// Totals count all that was judged, whatever of it is listed.
type Totals struct {
	Nodes    int            `json:"nodes"`
	Pairs    int            `json:"pairs"`    // ordered pairs of nodes, each family by itself
	Statuses map[Status]int `json:"statuses"` // of the pairs' proofs
	Steps    []StepTotal    `json:"steps"`    // of the proofs, in order
	Checks   []CheckTotal   `json:"checks"`   // in the order of the table
}

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
	// Explained are those that failed or are inconclusive because of another.
	Explained int `json:"explained,omitempty"`
}

func (t *CheckTotal) worst() Status {
	worst := NotApplicable
	for status := range t.Statuses {
		worst = Worse(worst, status)
	}
	return worst
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
	return t
}

func (j *judging) totalOf(k *judged) CheckTotal {
	t := CheckTotal{Code: k.Code, Statuses: map[Status]int{}}
	for n, f := range k.findings {
		t.Statuses[f.Status]++
		if j.causedBy(k, f.Status, j.on(k, n)) != "" {
			t.Explained++
		}
	}
	if k.Scope != PerPair {
		return t
	}
	for word, count := range j.pairs.words {
		t.Statuses[word.status(k.bit)] += count
	}
	if k.worst.rank() < rankInconclusive {
		return t
	}
	for from, row := range j.pairs.rows {
		for _, d := range row {
			if j.causedBy(k, d.word.status(k.bit), pair{from, int(d.to), int(d.family)}) != "" {
				t.Explained++
			}
		}
	}
	return t
}
