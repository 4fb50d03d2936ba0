// Package verdict turns evidence into findings and findings into one verdict.
// It is pure: the same recording always gives the same result. It knows the
// laws of judging (what is missing never helps, one leak is a failure, a
// consequence is shown under its cause) and no single check.
package verdict

import (
	"fmt"
	"slices"
)

// Status is the outcome of one check on one subject. A graver one is larger; 0
// is none.
type Status uint8

// The statuses, and only these.
const (
	NotApplicable Status = 1 + iota
	Pass
	Warn
	Inconclusive
	Fail
)

var statusNames = [...]string{"", "notApplicable", "pass", "warn", "inconclusive", "fail"}

func (s Status) String() string { return statusNames[s] }

// MarshalText writes the status as JSON and YAML show it.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Worse returns the graver of two statuses.
func Worse(a, b Status) Status { return max(a, b) }

// Verdict is the outcome of a run.
type Verdict string

// The verdicts.
const (
	Passed    Verdict = "PASS"
	Failed    Verdict = "FAIL"
	Undecided Verdict = "INCONCLUSIVE"
)

// decidedBy is the status that makes this verdict, none for a pass.
func (v Verdict) decidedBy() Status {
	switch v {
	case Failed:
		return Fail
	case Undecided:
		return Inconclusive
	}
	return 0
}

// Proof names a step of the proof that each pair must pass.
type Proof string

// The steps, see docs/proof.md.
const (
	P1Delivered   Proof = "P1"
	P2InTunnel    Proof = "P2"
	P3NoPlaintext Proof = "P3"
	P4Ciphertext  Proof = "P4"
	P5Counters    Proof = "P5"
	P6Reliable    Proof = "P6"
	P7Keys        Proof = "P7"
	P8NoOtherPath Proof = "P8"
)

// Proofs lists the steps in order, with what each says when it holds.
var Proofs = [...]struct {
	Step  Proof
	Title string
}{
	{P1Delivered, "delivered"},
	{P2InTunnel, "seen in the tunnel"},
	{P3NoPlaintext, "no plaintext"},
	{P4Ciphertext, "ciphertext"},
	{P5Counters, "counters match"},
	{P6Reliable, "capture reliable"},
	{P7Keys, "keys match"},
	{P8NoOtherPath, "no other path"},
}

// Subject is what a finding is about: the cluster (all empty), a node, a node
// and an address family, or an ordered pair of nodes and an address family.
type Subject struct {
	Node   string `json:"node,omitempty"`
	Peer   string `json:"peer,omitempty"`   // set for a pair: traffic from Node to Peer
	Family int    `json:"family,omitempty"` // 4 or 6; 0 if it is about all
}

// String leaves out IPv4, see Named.
func (s Subject) String() string {
	name := s.Node
	switch {
	case s.Node == "":
		return "cluster"
	case s.Peer != "":
		name += " → " + s.Peer
	}
	if s.Family == 6 {
		name += " (IPv6)"
	}
	return name
}

// Named names the subject for a reader of a run of these families: of more
// than one each is named, IPv4 too.
func (s Subject) Named(families []int) string {
	if s.Family == 4 && len(families) > 1 {
		return s.String() + " (IPv4)"
	}
	return s.String()
}

// Reading is one figure or fact that supports a finding.
type Reading struct {
	Node string `json:"node,omitempty"` // where it was read
	What string `json:"what"`
	Text string `json:"value"`
	Raw  bool   `json:"-"` // bytes, which a reader wants to see only if asked for
}

// Outcome is what a check finds of one subject. Its text is made only where it is
// shown.
type Outcome struct {
	Status   Status
	Readings []Reading
	// Variant selects among the remedies of the check's code, e.g. the
	// encapsulation of a leak. Facts are what the remedy fills in.
	Variant string
	Facts   map[string]string
	// After are codes, of those that the check comes after, to which this outcome
	// can be due; nil for all of them. A finding whose own evidence shows what is
	// wrong, such as a rule that drops, is due to little else.
	After []string
	// Kind is what a failure means for the traffic, Failed what is wrong in general,
	// where they are other than the check's.
	Kind   Kind
	Failed string
	// Advice: the text is something to consider, of a check that only informs.
	Advice bool

	format string
	args   []any
}

// Say returns an outcome with one sentence, the subject's names in it. Arguments
// are formatted as by fmt.Sprintf when the text is made; see Late.
func Say(status Status, format string, args ...any) Outcome {
	return Outcome{Status: status, format: format, args: args}
}

// Add adds to the text.
func (o *Outcome) Add(format string, args ...any) {
	o.format += format
	o.args = slices.Concat(o.args, args)
}

// Reword replaces the text.
func (o *Outcome) Reword(format string, args ...any) {
	o.format = format
	o.args = args
}

// Text is the sentence of the outcome.
func (o *Outcome) Text() string { return fmt.Sprintf(o.format, o.args...) }

// Late is a part of a text that takes time to make.
type Late func() string

func (l Late) String() string { return l() }

// Finding is an outcome in its place.
type Finding struct {
	Code     string            `json:"code"`
	Title    string            `json:"title"` // what should be true
	Failed   string            `json:"-"`     // what is wrong if it failed, see Check
	Proof    Proof             `json:"proof,omitempty"`
	Status   Status            `json:"status"`
	Kind     Kind              `json:"failureKind,omitempty"` // of what failed or is inconclusive
	Subject  Subject           `json:"subject"`
	Text     string            `json:"text"`
	Readings []Reading         `json:"readings,omitempty"`
	Advice   bool              `json:"advice,omitempty"`  // the text is something to consider, and no more than that
	CausedBy Origin            `json:"causedBy,omitzero"` // the finding that explains this one
	Variant  string            `json:"-"`
	Facts    map[string]string `json:"-"`
}

// Pair is the proof of one ordered pair and family.
type Pair struct {
	Subject
	Status Status           `json:"status"`
	Steps  map[Proof]Status `json:"steps"`
	Notes  map[Proof]string `json:"notes"` // the figures behind each step
}

// Result is everything a renderer needs.
type Result struct {
	Verdict Verdict
	// Causes are what is wrong and nothing explains: a leak that nothing explains
	// first, then what explains leaks, then failures in the order of the table, then
	// what is inconclusive. A bounded number.
	Causes []Cause
	// FirstCause is that of the first cause, nil if there is none.
	FirstCause *Finding
	// Complete reports that Pairs and Findings are all there are. Otherwise they
	// are those that are not fine, a bounded number of each kind; see Detailed.
	Complete bool
	Totals   Totals
	Pairs    []Pair
	Findings []Finding // in the order of the table
	// Acceptance is what a policy makes of all this, nil without one.
	Acceptance *Acceptance
	// Proofs are the statuses of all pairs' proofs, of those that are not listed too: by
	// the places of sender, receiver and family; 0 where nothing was tested.
	Proofs []Status
}

// Advice returns the findings that are something to consider. They change neither
// the verdict nor the exit code.
func (r *Result) Advice() (some []Finding) {
	for _, f := range r.Findings {
		if f.Advice {
			some = append(some, f)
		}
	}
	return some
}

// Warnings counts the findings that are warnings.
func (r *Result) Warnings() (sum int) {
	for i := range r.Totals.Checks {
		sum += r.Totals.Checks[i].Statuses[Warn]
	}
	return sum
}

// ExitCode returns 0 for PASS, 1 for FAIL, 3 for INCONCLUSIVE.
func (r *Result) ExitCode() int {
	switch r.Verdict {
	case Passed:
		return 0
	case Failed:
		return 1
	default:
		return 3
	}
}

// Exit returns the exit code, and why if it is not that of the verdict:
// failOnWarn makes warnings count. It is the only place where that is decided.
func (r *Result) Exit(failOnWarn bool) (code int, reason string) {
	if r.Acceptance != nil {
		return r.exit(r.Acceptance, failOnWarn)
	}
	code = r.ExitCode()
	if warnings := r.Warnings(); code == 0 && failOnWarn && warnings > 0 {
		return 1, failedOnWarnings(warnings)
	}
	return code, ""
}
