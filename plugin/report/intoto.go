package report

import (
	"io"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// statement is an in-toto Statement with the predicate of a test's result, whose
// subject is the recording. It is not signed: what signs it is named in the
// documentation.
// https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md
type statement struct {
	Type          string       `json:"_type"`
	Subject       []descriptor `json:"subject"`
	PredicateType string       `json:"predicateType"`
	Predicate     testResult   `json:"predicate"`
}

// descriptor is in-toto's ResourceDescriptor, as far as it is used.
type descriptor struct {
	Name        string            `json:"name,omitempty"`
	URI         string            `json:"uri,omitempty"`
	Digest      map[string]string `json:"digest,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type testResult struct {
	Result        string       `json:"result"` // PASSED, WARNED or FAILED
	Configuration []descriptor `json:"configuration"`
	PassedTests   []string     `json:"passedTests"`
	WarnedTests   []string     `json:"warnedTests"`
	FailedTests   []string     `json:"failedTests"`
}

// NoRecording is the error for a format that is about a recording where there is
// none.
type NoRecording struct{ Format string }

func (e *NoRecording) Error() string {
	return "-o " + e.Format + " is about a recording, and there is none"
}

// Hint names the ways to have one.
func (e *NoRecording) Hint() string {
	return "kubectl wg verify --record FILE -o " + e.Format + ", or: kubectl wg replay FILE -o " + e.Format
}

// ExitCode is that of a usage error.
func (e *NoRecording) ExitCode() int { return 2 }

const inToto = "in-toto"

// NeedsRecording reports whether a format is about a recording, so that it cannot be
// written without one.
func NeedsRecording(format string) bool { return format == inToto }

// writeInToto writes the statement. What is inconclusive is FAILED, since the
// predicate has no word for it, and it is not PASSED; the annotations have the verdict.
func writeInToto(w io.Writer, j *check.Judgement, options Options) error {
	d := newDocument(j, options)
	if d.Recording == nil {
		return &NoRecording{inToto}
	}
	about := map[string]string{"verdict": string(d.Verdict), "headline": d.Headline}
	for _, f := range d.facts() {
		about[f.name] = f.value
	}
	return printJSON(w, statement{
		Type: "https://in-toto.io/Statement/v1",
		Subject: []descriptor{{
			Name: d.Recording.Name, Digest: map[string]string{"sha256": d.Recording.SHA256}, Annotations: about,
		}},
		PredicateType: "https://in-toto.io/attestation/test-result/v0.1",
		Predicate:     newTestResult(&d),
	})
}

func newTestResult(d *document) testResult {
	r := testResult{
		Result: "PASSED", PassedTests: []string{}, WarnedTests: []string{}, FailedTests: []string{},
		Configuration: configuration(d),
	}
	switch {
	case d.ExitCode != 0 || d.Verdict != verdict.Passed: // what a policy accepts failed all the same
		r.Result = "FAILED"
	case d.Totals.Warnings > 0:
		r.Result = "WARNED"
	}
	for _, total := range d.Totals.Checks {
		name := total.Code + " " + titleOf(total.Code)
		switch _, status := d.gravest(total.Code); status {
		case verdict.Pass:
			r.PassedTests = append(r.PassedTests, name)
		case verdict.Warn:
			r.WarnedTests = append(r.WarnedTests, name)
		case verdict.Fail, verdict.Inconclusive:
			r.FailedTests = append(r.FailedTests, name)
		}
	}
	return r
}

// configuration is what made the evidence and judged it: the plugin, and the images
// of its pods.
func configuration(d *document) []descriptor {
	plugin := descriptor{
		Name: "kubectl-wg", URI: "pkg:golang/github.com/kubectl-wg/kubectl-wg",
		Annotations: map[string]string{"version": d.Run.Version},
	}
	if d.Run.Revision != "" {
		plugin.Digest = gitCommit(d.Run.Revision)
		plugin.Annotations["revision"] = d.Run.Revision
	}
	all := []descriptor{plugin}
	for _, image := range d.Run.Images {
		one := descriptor{Name: image}
		if _, hex, ok := strings.Cut(image, "sha256:"); ok {
			one.Digest = map[string]string{"sha256": hex}
		}
		all = append(all, one)
	}
	return all
}

// gitCommit is the digest of what was built from a commit, nil for what was changed
// after it.
func gitCommit(revision string) map[string]string {
	if strings.Contains(revision, "-") {
		return nil
	}
	return map[string]string{"gitCommit": revision}
}
