package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// document is the report as data: what -o json and -o yaml print. Fields are
// added, never renamed.
type document struct {
	APIVersion string          `json:"apiVersion"` // "kubectl-wg.io/v1"
	Kind       string          `json:"kind"`       // "Verification"
	Verdict    verdict.Verdict `json:"verdict"`
	ExitCode   int             `json:"exitCode"`
	Headline   string          `json:"headline"` // the verdict in a sentence or two
	Run        run             `json:"run"`
	Profile    network         `json:"profile"`
	FirstCause *cause          `json:"firstCause,omitempty"`
	// Leak is a packet of a pod that was seen in clear, where the first cause is
	// what led it there. Besides is something wrong that has nothing to do with it.
	Leak    *verdict.Finding `json:"leak,omitempty"`
	Besides *verdict.Finding `json:"besides,omitempty"`
	// Totals are there if Pairs and Findings are not all, but those that are not
	// fine: of many pairs, and of each kind a bounded number.
	Totals   *verdict.Totals   `json:"totals,omitempty"`
	Pairs    []verdict.Pair    `json:"pairs"`
	Findings []verdict.Finding `json:"findings"`
	Scope    []profile.Scope   `json:"scope"`
}

type run struct {
	ID      string   `json:"id"`
	Started string   `json:"started,omitempty"` // RFC 3339, UTC
	Version string   `json:"version"`
	Nodes   []string `json:"nodes"`
	// Asked are the nodes that each node was to send to, where that was not all.
	Asked map[string][]string `json:"asked,omitempty"`
}

type network struct {
	Name         string   `json:"name"`
	Title        string   `json:"title"`
	Distribution string   `json:"distribution,omitempty"`
	Recognised   []string `json:"recognised,omitempty"`
}

type cause struct {
	verdict.Finding
	Remedy *remedy.Hint `json:"remedy,omitempty"`
}

func newDocument(j *check.Judgement) document {
	d := document{
		APIVersion: "kubectl-wg.io/v1", Kind: "Verification",
		Verdict: j.Verdict, ExitCode: j.ExitCode(), Headline: headline(j),
		Run:      run{ID: j.Graph.Run.ID, Version: j.Graph.Run.Version, Nodes: []string{}},
		Profile:  network{j.Profile.Name, j.Profile.Title, j.Profile.Distribution, j.Profile.Recognised},
		Pairs:    j.Pairs,
		Findings: j.Findings,
		Scope:    j.Profile.Scope,
	}
	if !j.Complete {
		d.Totals = &j.Totals
	}
	if j.Graph.Run.Started != 0 {
		d.Run.Started = time.Unix(0, j.Graph.Run.Started).UTC().Format(time.RFC3339)
	}
	for _, n := range j.Graph.Nodes {
		d.Run.Nodes = append(d.Run.Nodes, n.Name)
	}
	d.Run.Asked = asked(j.Graph)
	d.Leak, d.Besides = leakOf(j), j.Besides
	if j.FirstCause != nil {
		d.FirstCause = &cause{Finding: *j.FirstCause}
		if hint, ok := fix(j); ok {
			d.FirstCause.Remedy = &hint
		}
	}
	return d
}

// leakOf returns the leak that the first cause explains, nil if there is none or
// if it is the first cause itself.
func leakOf(j *check.Judgement) *verdict.Finding {
	if j.Leak == j.FirstCause {
		return nil
	}
	return j.Leak
}

// asked lists the pairs of a run that did not test all of them.
func asked(c *graph.Graph) map[string][]string {
	if c.Pairs.All() {
		return nil
	}
	pairs := map[string][]string{}
	for i, n := range c.Nodes {
		for _, to := range c.Pairs.Targets(i) {
			pairs[n.Name] = append(pairs[n.Name], c.Nodes[to].Name)
		}
	}
	return pairs
}

// fix returns what fixes the first cause wherever it was found.
func fix(j *check.Judgement) (remedy.Hint, bool) {
	hint, ok := remedy.ForAll(alike(j), j.Profile.RunsAs)
	return hint.WithUnits(j.Unit), ok
}

// alike returns the first cause and the findings of the same code and status
// that no other explains either.
func alike(j *check.Judgement) []verdict.Finding {
	same := []verdict.Finding{*j.FirstCause}
	for i := range j.Findings {
		f := &j.Findings[i]
		if f != j.FirstCause && f.Code == j.FirstCause.Code && f.Status == j.FirstCause.Status && f.CausedBy == "" {
			same = append(same, *f)
		}
	}
	return same
}

func writeJSON(w io.Writer, j *check.Judgement, _ Options) error {
	text, err := encode(j)
	if err != nil {
		return fmt.Errorf("writing the report as json: %w", err)
	}
	_, err = io.WriteString(w, Printable(text))
	return err
}

func writeYAML(w io.Writer, j *check.Judgement, _ Options) error {
	text, err := encode(j)
	if err != nil {
		return fmt.Errorf("writing the report as yaml: %w", err)
	}
	// YAML refuses control characters unless they are escaped. It knows no
	// surrogate pairs, so what needs them is escaped after the conversion.
	text = escape(text, func(r rune) bool { return lineBreak(r) || r > 0xffff })
	converted, err := yaml.JSONToYAML([]byte(text))
	if err != nil {
		return fmt.Errorf("writing the report as yaml: %w", err)
	}
	_, err = io.WriteString(w, Printable(string(converted)))
	return err
}

func encode(j *check.Judgement) (string, error) {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(newDocument(j))
	return text.String(), err
}
