package report

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-wg/kubectl-wg/hack/golden"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
)

// parsed is a report as a consumer reads it.
func parsed(t *testing.T, j *check.Judgement, format string, options Options) map[string]any {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, format, j, options); err != nil {
		t.Fatal(err)
	}
	text := b.Bytes()
	if format == "yaml" {
		converted, err := yaml.YAMLToJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		text = converted
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	return document
}

// at follows a path of names and indexes.
func at(document any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			fields, _ := document.(map[string]any)
			document = fields[step]
		case int:
			list, _ := document.([]any)
			if step >= len(list) {
				return nil
			}
			document = list[step]
		}
	}
	return document
}

// The fields on which scripts rely, as docs/json.md has them.
func TestDocumentFields(t *testing.T) {
	fail := parsed(t, judged(t, "host-stale-flannel-route"), "json", Options{})
	pass := parsed(t, judged(t, "host-healthy-three"), "json", Options{})
	half := parsed(t, judged(t, "host-probe-blind"), "json", Options{})
	for _, test := range []struct {
		document any
		path     []any
		want     any
	}{
		{fail, []any{"apiVersion"}, "kubectl-wg.io/v2"},
		{fail, []any{"kind"}, "Verification"},
		{fail, []any{"verdict"}, "FAIL"},
		{fail, []any{"failureKind"}, "plaintext"},
		{fail, []any{"exitCode"}, 1.0},
		{fail, []any{"firstCause", "code"}, "WG0401"},
		{fail, []any{"causes", 0, "code"}, "WG0401"},
		{fail, []any{"causes", 0, "failureKind"}, "plaintext"},
		{fail, []any{"causes", 0, "count"}, 2.0},
		{fail, []any{"causes", 0, "leaks"}, 2.0},
		{fail, []any{"causes", 0, "leak", "code"}, "WG0601"},
		{fail, []any{"causes", 0, "subjects", 1, "node"}, "node-2"},
		{fail, []any{"causes", 0, "consequences", 0, "code"}, "WG0402"},
		{fail, []any{"causes", 0, "consequences", 0, "count"}, 2.0},
		{fail, []any{"causes", 0, "remedy", "steps", 0, "on"}, "node-1"},
		{fail, []any{"causes", 0, "verify"}, "kubectl wg verify --nodes node-1,node-2"},
		{fail, []any{"causes", 0, "facts"}, nil},
		{fail, []any{"findings", 0, "facts"}, nil},
		{fail, []any{"findings", 0, "variant"}, nil},
		{fail, []any{"scope", 0, "covered"}, true},
		{fail, []any{"scope", 0, "proven"}, false},
		{fail, []any{"totals", "pairs"}, 2.0},
		{fail, []any{"totals", "complete"}, true},
		{fail, []any{"totals", "figures", "plaintextFrames"}, 226.0},
		{fail, []any{"pairs", 0, "figures", "plaintextFrames"}, 114.0},
		{fail, []any{"run", "started"}, "2026-11-22T02:04:32Z"},

		{pass, []any{"verdict"}, "PASS"},
		{pass, []any{"failureKind"}, nil},
		{pass, []any{"exitCode"}, 0.0},
		{pass, []any{"firstCause"}, nil},
		{pass, []any{"causes"}, []any{}},
		{pass, []any{"scope", 0, "proven"}, true},
		{pass, []any{"scope", 1, "proven"}, false},
		{pass, []any{"totals", "warnings"}, 3.0},
		{pass, []any{"totals", "figures", "framesDropped"}, 0.0},
		{pass, []any{"pairs", 0, "steps", "P1"}, "pass"},

		{half, []any{"verdict"}, "INCONCLUSIVE"},
		{half, []any{"failureKind"}, "unproven"},
		{half, []any{"exitCode"}, 3.0},
		{half, []any{"scope", 0, "proven"}, false},
	} {
		got, want := at(test.document, test.path...), test.want
		if list, ok := want.([]any); ok && len(list) == 0 {
			if empty, ok := got.([]any); !ok || len(empty) > 0 {
				t.Errorf("%v: %v, want an empty list", test.path, got)
			}
			continue
		}
		if got != want {
			t.Errorf("%v: %v, want %v", test.path, got, want)
		}
	}
}

// What explains a finding is named by code and subject.
func TestDocumentCausedBy(t *testing.T) {
	document := parsed(t, judged(t, "host-stale-flannel-route"), "json", Options{})
	list, _ := at(document, "findings").([]any)
	found := false
	for _, f := range list {
		if at(f, "code") == "WG0601" && at(f, "subject", "node") == "node-2" {
			found = true
			by := at(f, "causedBy")
			if at(by, "code") != "WG0401" || at(by, "node") != "node-2" || at(by, "peer") != "node-1" || at(by, "family") != 4.0 {
				t.Errorf("%v", by)
			}
		}
		if at(f, "code") == "WG0401" && at(f, "causedBy") != nil {
			t.Errorf("the cause is caused by %v", at(f, "causedBy"))
		}
	}
	if !found {
		t.Error("no leak is listed")
	}
}

// Each status is one word.
func TestDocumentStatuses(t *testing.T) {
	known := []any{"pass", "warn", "fail", "inconclusive", "notApplicable"}
	for _, name := range []string{"host-healthy-three", "host-vxlan", "host-node-not-ready"} {
		list, _ := at(parsed(t, judged(t, name), "json", Options{}), "findings").([]any)
		for _, f := range list {
			if !slices.Contains(known, at(f, "status")) {
				t.Errorf("%s: %v", name, at(f, "status"))
			}
		}
	}
}

// Every cause has its remedy, not the first alone.
func TestDocumentOfTwoFaults(t *testing.T) {
	document := parsed(t, twoFaults(), "json", Options{})
	for i, code := range []string{"WG0601", "WG0302"} {
		if at(document, "causes", i, "code") != code || at(document, "causes", i, "remedy", "title") == nil {
			t.Errorf("%v", at(document, "causes", i))
		}
	}
	if at(document, "totals", "complete") != false {
		t.Error("what is bounded is called complete")
	}
}

// Exit code and verdict do not contradict each other without a reason.
func TestDocumentOfWarnings(t *testing.T) {
	document := parsed(t, judged(t, "host-healthy-three"), "json", Options{FailOnWarn: true})
	if at(document, "verdict") != "PASS" || at(document, "exitCode") != 1.0 ||
		at(document, "reason") != "--fail-on warn, warnings: 3" {
		t.Errorf("%v %v %v", at(document, "verdict"), at(document, "exitCode"), at(document, "reason"))
	}
}

// The cluster and the times are there if they were recorded.
func TestDocumentOfCluster(t *testing.T) {
	j := judged(t, "host-healthy-three")
	j.Graph.Cluster.Context, j.Graph.Cluster.Server = "lab", "https://192.0.2.1:6443"
	j.Graph.Run.Ended = j.Graph.Run.Started + 9_500_000_000
	document := parsed(t, j, "json", Options{})
	if at(document, "cluster", "context") != "lab" || at(document, "cluster", "server") != "https://192.0.2.1:6443" ||
		at(document, "run", "seconds") != 9.5 || at(document, "run", "ended") == nil {
		t.Errorf("%v %v", at(document, "cluster"), at(document, "run"))
	}
}

// The same data in JSON and YAML.
func TestYAML(t *testing.T) {
	j := judged(t, "host-vxlan")
	one, _ := json.Marshal(parsed(t, j, "json", Options{}))
	two, _ := json.Marshal(parsed(t, j, "yaml", Options{}))
	if !bytes.Equal(one, two) {
		t.Error("JSON and YAML differ")
	}
}

// Where there is no verdict a document says so.
func TestFailure(t *testing.T) {
	for format, want := range map[string]string{
		"json": `"verdict": "ERROR"`, "yaml": "verdict: ERROR", "text": "", "short": "", "jsonpath": "",
	} {
		var b bytes.Buffer
		failed := Failure{APIVersion, Kind, 4, "listing the nodes: \x1b[31mno", "log in"}
		if err := failed.Write(&b, format); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), want) || want == "" && b.Len() > 0 || strings.Contains(b.String(), "\x1b") {
			t.Errorf("%s: %q", format, b.String())
		}
	}
	var b bytes.Buffer
	failed := Failure{APIVersion: "v9", Kind: "Other", ExitCode: 4, Message: "m"}
	if err := failed.Write(&b, "json"); err != nil {
		t.Fatal(err)
	}
	var document any
	if err := json.Unmarshal(b.Bytes(), &document); err != nil || at(document, "error", "message") != "m" ||
		at(document, "error", "hint") != nil || at(document, "exitCode") != 4.0 || at(document, "apiVersion") != "v9" ||
		at(document, "kind") != "Other" {
		t.Errorf("%v: %s", err, b.String())
	}
}

// A golden document of each format shows what a field looks like.
func TestGoldenDocuments(t *testing.T) {
	for name, format := range map[string]string{"host-stale-flannel-route": "json", "host-udp-blocked": "yaml"} {
		var got bytes.Buffer
		if err := Write(&got, format, judged(t, name), Options{}); err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, name+"."+format, got.Bytes())
	}
}
