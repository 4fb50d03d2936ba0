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
	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// APIVersion and Kind name the document. docs/json.md has its fields, and why the
// version changed.
const (
	APIVersion = "kubectl-wg.io/v2"
	Kind       = "Verification"
)

// document is the report as data: what -o json and -o yaml print. Within a version
// fields are added, never renamed.
type document struct {
	APIVersion  string          `json:"apiVersion"`
	Kind        string          `json:"kind"`
	Verdict     verdict.Verdict `json:"verdict"`
	FailureKind verdict.Kind    `json:"failureKind,omitempty"`
	ExitCode    int             `json:"exitCode"`
	Reason      string          `json:"reason,omitempty"` // why the exit code is not that of the verdict
	Headline    string          `json:"headline"`
	Notes       []string        `json:"notes,omitempty"` // what a PASS does not rest on
	Cluster     clusterOf       `json:"cluster"`
	Run         runOf           `json:"run"`
	Profile     network         `json:"profile"`
	// FirstCause is the first of Causes, for those who want only one.
	FirstCause *cause  `json:"firstCause,omitempty"`
	Causes     []cause `json:"causes"`
	Totals     totals  `json:"totals"`
	// Classes are the matrix of what else was tested, see matrix; absent if only pods were.
	Classes  []classOf         `json:"classes,omitempty"`
	Pairs    []pair            `json:"pairs"`
	Findings []verdict.Finding `json:"findings"`
	// Advice is what there is to consider. It changes neither verdict nor exit code.
	Advice []advised `json:"advice,omitempty"`
	Scope  []scopeOf `json:"scope"`
	// Recording is from what the verdict can be computed again; absent if the evidence
	// was not written to a file.
	Recording *Recording `json:"recording,omitempty"`
	// Policy is what a policy makes of it, absent without one.
	Policy *verdict.Acceptance `json:"policy,omitempty"`
}

type clusterOf struct {
	Context      string `json:"context,omitempty"`
	Server       string `json:"server,omitempty"`
	Version      string `json:"version,omitempty"` // of the API server
	Distribution string `json:"distribution,omitempty"`
	UID          string `json:"uid,omitempty"` // of the namespace kube-system
}

type runOf struct {
	ID       string   `json:"id"`
	Started  string   `json:"started,omitempty"` // RFC 3339, UTC
	Ended    string   `json:"ended,omitempty"`
	Seconds  float64  `json:"seconds,omitempty"`
	Version  string   `json:"version"`            // of the plugin
	Revision string   `json:"revision,omitempty"` // the commit that it was built from
	User     string   `json:"user,omitempty"`     // who ran it, as the API server knows them
	Images   []string `json:"images,omitempty"`   // of the run's pods, with their digests
	Families []int    `json:"families"`
	Nodes    []string `json:"nodes"`
	// Asked are the nodes that each node was to send to, where that was not all.
	Asked map[string][]string `json:"asked,omitempty"`
}

type network struct {
	Name       string   `json:"name"`
	Title      string   `json:"title"`
	Recognised []string `json:"recognised,omitempty"`
}

// cause is a cause with what fixes it and how to verify that.
type cause struct {
	verdict.Finding
	Failed       string                `json:"failed"` // what is wrong, in the check's words
	Variant      string                `json:"variant,omitempty"`
	Count        int                   `json:"count"`
	Subjects     []verdict.Subject     `json:"subjects"`
	Leaks        int                   `json:"leaks"`
	Leak         *verdict.Finding      `json:"leak,omitempty"`
	Consequences []verdict.Consequence `json:"consequences,omitempty"`
	Remedy       *remedy.Hint          `json:"remedy,omitempty"`
	Verify       string                `json:"verify"`
}

// advised is something to consider, with what can be done about it.
type advised struct {
	Code   string       `json:"code"`
	About  string       `json:"about"` // a few words
	Text   string       `json:"text"`
	Remedy *remedy.Hint `json:"remedy,omitempty"`
}

type totals struct {
	verdict.Totals
	Complete bool  `json:"complete"` // pairs and findings are all there are
	Warnings int   `json:"warnings"`
	Figures  total `json:"figures"`
}

type pair struct {
	verdict.Pair
	Figures figures           `json:"figures"`
	Classes []check.ClassCell `json:"classes,omitempty"`
}

// scopeOf is one line of what a verdict is about, or is not. Only what a PASS
// covers is proven.
type scopeOf struct {
	Covered bool   `json:"covered"`
	Proven  bool   `json:"proven"`
	What    string `json:"what"`
	Why     string `json:"why,omitempty"`
}

func newDocument(j *check.Judgement, options Options) document {
	d := document{
		APIVersion: APIVersion, Kind: Kind,
		Verdict: j.Verdict, FailureKind: j.Kind(), Headline: headline(j), Notes: limits(j),
		Cluster: clusterOf{j.Graph.Cluster.Context, j.Graph.Cluster.Server, j.Graph.Cluster.Version,
			j.Profile.Distribution, j.Graph.Cluster.UID},
		Run:      newRun(j.Graph),
		Profile:  network{j.Profile.Name, j.Profile.Title, j.Profile.Recognised},
		Causes:   []cause{},
		Totals:   totals{j.Totals, j.Complete, j.Warnings(), totalOf(j.Graph)},
		Classes:  matrix(j),
		Pairs:    []pair{},
		Findings: j.Findings,
		Advice:   advice(j),
		Scope:    scopes(j),
		Policy:   j.Acceptance,
	}
	d.ExitCode, d.Reason = j.Exit(options.FailOnWarn)
	if options.Recording.SHA256 != "" {
		d.Recording = &options.Recording
	}
	for i := range j.Causes {
		d.Causes = append(d.Causes, newCause(j, &j.Causes[i]))
	}
	if len(d.Causes) > 0 {
		d.FirstCause = &d.Causes[0]
	}
	for _, p := range j.Pairs {
		one := pair{Pair: p}
		if from, to := j.Graph.Node(p.Node), j.Graph.Node(p.Peer); from != nil && to != nil {
			e := j.Graph.Edge(from, to, p.Family)
			one.Figures, one.Classes = figuresOf(e), j.ClassesOf(e)
		}
		d.Pairs = append(d.Pairs, one)
	}
	return d
}

func newRun(g *graph.Graph) runOf {
	r := runOf{
		ID: g.Run.ID, Version: g.Run.Version, Revision: g.Run.Revision, User: g.Cluster.User, Images: images(g),
		Families: g.Run.Families, Nodes: []string{}, Asked: asked(g),
	}
	for _, n := range g.Nodes {
		r.Nodes = append(r.Nodes, n.Name)
	}
	if g.Run.Started != 0 {
		r.Started = time.Unix(0, g.Run.Started).UTC().Format(time.RFC3339)
	}
	if g.Run.Ended > g.Run.Started && g.Run.Started != 0 {
		r.Ended = time.Unix(0, g.Run.Ended).UTC().Format(time.RFC3339)
		r.Seconds = float64((g.Run.Ended-g.Run.Started)/1e6) / 1e3
	}
	return r
}

func newCause(j *check.Judgement, c *verdict.Cause) cause {
	one := cause{
		Finding: c.Finding, Failed: failed(&c.Finding), Variant: c.Variant, Count: c.Count, Leaks: c.LeakCount,
		Leak: c.Leak, Consequences: c.Consequences, Verify: again(c) + scopeFlag(j),
	}
	for _, f := range c.All() {
		one.Subjects = append(one.Subjects, f.Subject)
	}
	if hint, ok := fix(j, c); ok {
		one.Remedy = &hint
	}
	return one
}

func advice(j *check.Judgement) (all []advised) {
	for _, f := range j.Advice() {
		one := advised{Code: f.Code, About: f.Failed, Text: f.Text}
		if hint, known := remedy.For(f, j.Profile.RunsAs); known {
			one.Remedy = &hint
		}
		all = append(all, one)
	}
	return all
}

func scopes(j *check.Judgement) (all []scopeOf) {
	for _, s := range j.Profile.Scope {
		all = append(all, scopeOf{s.Proven, s.Proven && j.Verdict == verdict.Passed, s.What, s.Why})
	}
	return all
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

// Failure is that a command could not run.
type Failure struct {
	APIVersion, Kind string // of the document that it would have written
	ExitCode         int
	Message          string
	Hint             string // empty for none
}

// failure is its document.
type failure struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Verdict    string `json:"verdict"` // "ERROR"
	ExitCode   int    `json:"exitCode"`
	Error      struct {
		Message string `json:"message"`
		Hint    string `json:"hint,omitempty"`
	} `json:"error"`
}

// Write writes what -o json, -o yaml or -o junit prints where there is no result.
// Other formats have nothing to print then, and nothing is written.
func (f Failure) Write(w io.Writer, format string) error {
	document := failure{APIVersion: f.APIVersion, Kind: f.Kind, Verdict: "ERROR", ExitCode: f.ExitCode}
	document.Error.Message = f.Message
	document.Error.Hint = f.Hint
	switch format {
	case "json":
		return printJSON(w, document)
	case "yaml":
		return printYAML(w, document)
	case "junit":
		return writeJUnitFailure(w, &document)
	}
	return nil
}

func writeJSON(w io.Writer, j *check.Judgement, options Options) error {
	return printJSON(w, newDocument(j, options))
}

func writeYAML(w io.Writer, j *check.Judgement, options Options) error {
	return printYAML(w, newDocument(j, options))
}

func printJSON(w io.Writer, document any) error {
	text, err := encode(document)
	if err != nil {
		return fmt.Errorf("writing the report as json: %w", err)
	}
	_, err = io.WriteString(w, Printable(text))
	return err
}

func printYAML(w io.Writer, document any) error {
	text, err := encode(document)
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

func encode(document any) (string, error) {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(document)
	return text.String(), err
}
