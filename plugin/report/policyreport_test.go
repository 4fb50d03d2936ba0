package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

const maxPolicyObject = 512 << 10 // bytes; etcd takes 1.5 MiB

// The objects are what the custom resource definitions allow, have nothing more,
// and count what they list.
func TestPolicyReports(t *testing.T) {
	for _, format := range []string{"policyreport", "openreports"} {
		for name, text := range rendered(t, format) {
			converted, err := yaml.YAMLToJSON([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			validate(t, "testdata/"+format+".schema.json", name, string(converted))
			var report policyReport
			if err := yaml.UnmarshalStrict([]byte(text), &report); err != nil {
				t.Errorf("%s of %s: %v", format, name, err)
			}
			counted := policyReport{}
			for _, r := range report.Results {
				counted.add(r, r.Timestamp)
			}
			if counted.Summary != report.Summary || len(text) > maxPolicyObject {
				t.Errorf("%s of %s: summary %+v, counted %+v; %d bytes", format, name, report.Summary, counted.Summary, len(text))
			}
		}
	}
}

// A run that came to no verdict is an object of the same kind, with one error.
func TestNoVerdict(t *testing.T) {
	for _, format := range []string{"policyreport", "openreports"} {
		var text bytes.Buffer
		if err := WriteNoVerdict(&text, format, "no\x1b[2J: node-1\n", time.Unix(1_800_000_000, 0)); err != nil {
			t.Fatal(err)
		}
		converted, err := yaml.YAMLToJSON(text.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		validate(t, "testdata/"+format+".schema.json", format, string(converted))
		var report policyReport
		if err := yaml.UnmarshalStrict(text.Bytes(), &report); err != nil || report.Summary != (policySummary{Error: 1}) ||
			report.Results[0].Timestamp.Seconds != 1_800_000_000 || strings.Contains(text.String(), "\x1b") {
			t.Errorf("%v\n%s", err, &text)
		}
	}
}

// The first result is the verdict. What is inconclusive is an error.
func TestPolicyVerdict(t *testing.T) {
	all := verdicts(t)
	for name, want := range map[string]policyResult{
		"pass": policyWarn, "pass-100": policyPass, "leak": policyFail, "inconclusive": policyError, "no-pair": policyError,
	} {
		d := newDocument(all[name], Options{})
		if got := verdictResult(&d); got.Result != want {
			t.Errorf("%s: %s, want %s", name, got.Result, want)
		}
	}
	d := newDocument(all["leak"], Options{})
	if got := verdictResult(&d); got.Severity != "critical" {
		t.Errorf("a leak is %s", got.Severity)
	}
	d = newDocument(all["pass"], Options{FailOnWarn: true})
	if got := verdictResult(&d); got.Result != policyFail {
		t.Errorf("with --fail-on warn: %s", got.Result)
	}
}

// However many nodes are concerned, an object fits where it is to be kept.
func TestPolicyObjectsAreBounded(t *testing.T) {
	findings := make([]verdict.Finding, 5000)
	for i := range findings {
		findings[i].Subject.Node = string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
	}
	if n := len(nodesOf(findings)); n != maxPolicyObjects {
		t.Errorf("%d nodes", n)
	}
}
