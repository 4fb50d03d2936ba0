package compare

import (
	"cmp"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// APIVersion and Kind name the document.
const (
	APIVersion = "kubectl-wg.io/v2"
	Kind       = "Comparison"
)

// Comparison is what changed from one report to another: what -o json and -o
// yaml print.
type Comparison struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Direction of the whole: worse of a regression, else better if anything is.
	Direction  Direction `json:"direction"`
	Regression bool      `json:"regression"`
	ExitCode   int       `json:"exitCode"` // 1 of a regression, else 0
	Headline   string    `json:"headline"`
	Before     Summary   `json:"before"`
	After      Summary   `json:"after"`
	Verdict    Direction `json:"verdict"`
	Pairs      Pairs     `json:"pairs"`
	// Codes are the checks that found something else, in the order of their table.
	Codes []Code `json:"codes"`
	// Notes are what a reader has to know of what was compared.
	Notes []string `json:"notes,omitempty"`
}

// Summary is one of the reports.
type Summary struct {
	Name     string `json:"name"` // of the file
	Verdict  string `json:"verdict"`
	Headline string `json:"headline"`
	Run      string `json:"run"`
	Started  string `json:"started,omitempty"` // RFC 3339, UTC
	Version  string `json:"version"`           // of the plugin that judged
	Network  string `json:"network"`
	Nodes    int    `json:"nodes"`
	Pairs    int    `json:"pairs"`
	Proven   int    `json:"proven"`
}

// Pairs compares the proofs of the ordered pairs, each family by itself.
type Pairs struct {
	Compared   int `json:"compared"` // tested in both
	Worse      int `json:"worse"`
	Better     int `json:"better"`
	Changed    int `json:"changed"`
	Unknown    int `json:"unknown"`    // of those compared: a report does not list them
	OnlyBefore int `json:"onlyBefore"` // tested in the first only
	OnlyAfter  int `json:"onlyAfter"`
	// UnprovenAfter are those of OnlyAfter that are listed as not proven.
	UnprovenAfter int      `json:"unprovenAfter"`
	Changes       []Change `json:"changes"` // at most maxChanges of each direction
}

// Change is another status of one subject.
type Change struct {
	Subject   verdict.Subject `json:"subject"`
	Direction Direction       `json:"direction"`
	From      string          `json:"from"`
	To        string          `json:"to"`
	// Steps of a pair's proof that changed, in order.
	Steps []verdict.Proof `json:"steps,omitempty"`
	// Text is what the graver report found, of a check.
	Text string `json:"text,omitempty"`
	// CausedBy is the code that explains it in the graver report.
	CausedBy string `json:"causedBy,omitempty"`
}

// Code compares what a check found.
type Code struct {
	Code    string `json:"code"`
	Title   string `json:"title"`
	Worse   int    `json:"worse"` // subjects
	Better  int    `json:"better"`
	Changed int    `json:"changed"`
	// Before and After count all subjects by status.
	Before  map[string]int `json:"before,omitempty"`
	After   map[string]int `json:"after,omitempty"`
	Changes []Change       `json:"changes"` // at most maxChanges of each direction
}

// maxChanges bounds the changes that are listed, of pairs or of one check, in
// each direction.
const maxChanges = 100

// Options decide what counts.
type Options struct {
	// Names of the two, as a reader knows them: of files.
	Before, After string
	// FailOnWarn makes new warnings a regression.
	FailOnWarn bool
}

// Compare compares two reports, the earlier one first.
func Compare(before, after *Report, o Options) *Comparison {
	a, b := newSide(before), newSide(after)
	c := &Comparison{
		APIVersion: APIVersion, Kind: Kind,
		Before: a.summary(cmp.Or(o.Before, "before")), After: b.summary(cmp.Or(o.After, "after")),
		Verdict: ofRanks(verdictRanks[before.Verdict], verdictRanks[after.Verdict]),
		Pairs:   comparePairs(a, b),
		Codes:   compareCodes(a, b),
		Notes:   notes(a, b),
	}
	c.Regression = c.regressed(o.FailOnWarn)
	if c.Regression {
		c.ExitCode = 1
	}
	c.Direction = c.direction()
	c.Headline = c.headline()
	return c
}

func (s *side) summary(name string) Summary {
	return Summary{
		Name: name, Verdict: s.Verdict, Headline: s.Headline, Run: s.Run.ID, Started: s.Run.Started,
		Version: s.Run.Version, Network: s.Profile.Title, Nodes: len(s.Run.Nodes), Pairs: s.Totals.Pairs,
		Proven: s.proven(),
	}
}

// directions returns every direction in which something changed.
func (c *Comparison) directions() (all map[Direction]bool) {
	all = map[Direction]bool{c.Verdict: true}
	all[Worse] = all[Worse] || c.Pairs.Worse > 0
	all[Better] = all[Better] || c.Pairs.Better > 0
	all[Changed] = all[Changed] || c.Pairs.Changed > 0
	for _, code := range c.Codes {
		all[Worse] = all[Worse] || code.Worse > 0
		all[Better] = all[Better] || code.Better > 0
		all[Changed] = all[Changed] || code.Changed > 0
	}
	return all
}

func (c *Comparison) direction() Direction {
	if c.Regression {
		return Worse
	}
	all := c.directions()
	for _, one := range []Direction{Better, Worse, Changed} {
		if all[one] {
			return one
		}
	}
	return Same
}

// regressed reports whether something is worse that counts: what fails or is
// inconclusive now, and warnings if they count.
func (c *Comparison) regressed(failOnWarn bool) bool {
	if c.Verdict == Worse || failOnWarn && c.directions()[Worse] {
		return true
	}
	if grave(c.Pairs.Changes) {
		return true
	}
	for _, code := range c.Codes {
		if grave(code.Changes) {
			return true
		}
	}
	return false
}

// grave reports whether a change for the worse ends in more than a warning. Of
// the changes that are listed the gravest come first.
func grave(changes []Change) bool {
	for _, one := range changes {
		if one.Direction == Worse && one.To != string(warn) {
			return true
		}
	}
	return false
}
