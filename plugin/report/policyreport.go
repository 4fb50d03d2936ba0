package report

import (
	"io"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// policyReport is a cluster's report as policy engines write it, and dashboards read
// it: OpenReports' ClusterReport (openreports.io/v1alpha1) and the ClusterPolicyReport
// from which it came (wgpolicyk8s.io/v1alpha2), which has no source of its own.
type policyReport struct {
	APIVersion string             `json:"apiVersion"`
	Kind       string             `json:"kind"`
	Metadata   policyMetadata     `json:"metadata"`
	Source     string             `json:"source,omitempty"`
	Summary    policySummary      `json:"summary"`
	Results    []policyResultItem `json:"results"`
}

type policyMetadata struct {
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

type policySummary struct {
	Pass  int `json:"pass"`
	Fail  int `json:"fail"`
	Warn  int `json:"warn"`
	Error int `json:"error"`
	Skip  int `json:"skip"`
}

type policyResultItem struct {
	Source     string            `json:"source"`
	Policy     string            `json:"policy"`
	Rule       string            `json:"rule,omitempty"`
	Category   string            `json:"category"`
	Severity   string            `json:"severity"`
	Timestamp  policyTime        `json:"timestamp"`
	Result     policyResult      `json:"result"`
	Scored     bool              `json:"scored"`
	Resources  []policyObject    `json:"resources,omitempty"`
	Message    string            `json:"message"`
	Properties map[string]string `json:"properties,omitempty"`
}

type policyTime struct {
	Seconds int64 `json:"seconds"`
	Nanos   int32 `json:"nanos"`
}

type policyObject struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
}

// policyResult is the word for a status. What is inconclusive is an error: the
// policy could not be evaluated.
type policyResult string

const (
	policyPass  policyResult = "pass"
	policyFail  policyResult = "fail"
	policyWarn  policyResult = "warn"
	policyError policyResult = "error"
	policySkip  policyResult = "skip"
)

var policyResults = map[verdict.Status]policyResult{
	verdict.Pass: policyPass, verdict.Fail: policyFail, verdict.Warn: policyWarn, verdict.Inconclusive: policyError,
	verdict.NotApplicable: policySkip,
}

// policySeverities are those of what failed, by kind.
var policySeverities = map[verdict.Kind]string{
	verdict.Plaintext: "critical", verdict.Blocked: "high", verdict.Misconfigured: "high", verdict.Unproven: "medium",
}

const (
	policySource = "kubectl-wg"
	// policyVerdict is the policy whose one result is the verdict.
	policyVerdict  = "pod-traffic-encrypted"
	policyCategory = "Encryption in transit"
	// maxPolicyObjects is how many nodes a result names; an object has to fit etcd.
	maxPolicyObjects = 50
	policyPrefix     = "kubectl-wg.io/"
)

func writePolicyReport(w io.Writer, j *check.Judgement, options Options) error {
	d := newDocument(j, options)
	return newPolicyReport(j, &d).print(w, "policyreport")
}

func writeOpenReport(w io.Writer, j *check.Judgement, options Options) error {
	d := newDocument(j, options)
	return newPolicyReport(j, &d).print(w, "openreports")
}

// WriteNoVerdict writes a policy report of a run that came to no verdict: its one
// result is the error.
func WriteNoVerdict(w io.Writer, format, message string, at time.Time) error {
	r := policyReport{Metadata: policyMetadata{
		Name: policySource, Labels: map[string]string{policyPrefix + "verdict": "ERROR"},
		Annotations: map[string]string{policyPrefix + "headline": message},
	}}
	r.add(policyResultItem{
		Policy: policyVerdict, Category: policyCategory, Severity: policySeverities[verdict.Unproven],
		Result: policyError, Scored: true, Message: message,
	}, policyTime{Seconds: at.Unix()})
	return r.print(w, format)
}

// print writes the object of a format.
func (r policyReport) print(w io.Writer, format string) error {
	r.APIVersion, r.Kind = "wgpolicyk8s.io/v1alpha2", "ClusterPolicyReport"
	if format == "openreports" {
		r.APIVersion, r.Kind, r.Source = "openreports.io/v1alpha1", "ClusterReport", policySource
	}
	return printYAML(w, r)
}

func newPolicyReport(j *check.Judgement, d *document) policyReport {
	r := policyReport{Metadata: policyMetadata{
		Name: policySource, Labels: map[string]string{policyPrefix + "verdict": string(d.Verdict)},
		Annotations: map[string]string{policyPrefix + "headline": d.Headline},
	}}
	for _, f := range d.facts() {
		r.Metadata.Annotations[policyPrefix+f.name] = f.value
	}
	at := policyTime{Seconds: j.Graph.Run.Started / int64(time.Second)}
	r.add(verdictResult(d), at)
	for _, total := range d.Totals.Checks {
		r.add(checkResult(d, total.Code), at)
	}
	return r
}

func (r *policyReport) add(one policyResultItem, at policyTime) {
	one.Source, one.Timestamp = policySource, at
	switch one.Result {
	case policyPass:
		r.Summary.Pass++
	case policyFail:
		r.Summary.Fail++
	case policyWarn:
		r.Summary.Warn++
	case policyError:
		r.Summary.Error++
	case policySkip:
		r.Summary.Skip++
	}
	r.Results = append(r.Results, one)
}

// verdictResult is the result that says what the exit code says, --fail-on warn
// included.
func verdictResult(d *document) policyResultItem {
	one := policyResultItem{
		Policy: policyVerdict, Category: policyCategory, Severity: "info", Result: policyPass, Scored: true,
		Message: d.Headline,
	}
	switch {
	case d.Verdict == verdict.Undecided:
		one.Result, one.Severity = policyError, policySeverities[verdict.Unproven]
	case d.Verdict == verdict.Failed:
		one.Result, one.Severity = policyFail, policySeverities[d.FailureKind]
	case d.ExitCode != 0:
		one.Result, one.Severity, one.Message = policyFail, "low", d.Headline+" ("+d.Reason+")"
	case d.Totals.Warnings > 0:
		one.Result, one.Severity = policyWarn, "low"
	}
	return one
}

// checkResult is the result of one check over all that it was asked about.
func checkResult(d *document, code string) policyResultItem {
	findings, status := d.gravest(code)
	one := policyResultItem{
		Policy: policyVerdict, Rule: code, Category: categoryOf(code), Severity: "info", Result: policyResults[status],
		Message: titleOf(code), Scored: status != verdict.NotApplicable,
	}
	if status == verdict.Warn {
		one.Severity = "low"
	}
	if status < verdict.Warn || len(findings) == 0 {
		return one
	}
	first := &findings[0]
	one.Message = failed(first) + ": " + first.Text
	if severity := policySeverities[first.Kind]; severity != "" {
		one.Severity = severity
		one.Properties = map[string]string{"failureKind": string(first.Kind)}
	}
	one.Resources = nodesOf(findings)
	return one
}

// nodesOf are the nodes that findings are about, each once, a bounded number.
func nodesOf(findings []verdict.Finding) (nodes []policyObject) {
	named := map[string]bool{"": true}
	for i := range findings {
		for _, name := range []string{findings[i].Subject.Node, findings[i].Subject.Peer} {
			if !named[name] && len(nodes) < maxPolicyObjects {
				named[name] = true
				nodes = append(nodes, policyObject{APIVersion: "v1", Kind: "Node", Name: name})
			}
		}
	}
	return nodes
}
