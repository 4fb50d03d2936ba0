package command

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
)

// keeping has a trial keep its result.
func (tr *trial) keeping() {
	tr.results = &results{
		client: tr.client(), run: "test22",
		report: &cluster.Place{Namespace: "acceptance", Name: "wg-report"},
		ledger: &cluster.Place{Namespace: "acceptance", Name: "wg-ledger"}, policyReport: "openreports",
	}
}

// policyReport is what a trial applied, the result of its verdict first.
func (tr *trial) policyReport(t *testing.T) (verdict string, results []struct{ Result, Message string }) {
	t.Helper()
	var object struct {
		Kind     string
		Metadata struct{ Labels map[string]string }
		Results  []struct{ Result, Message string }
	}
	if err := json.Unmarshal(tr.applied, &object); err != nil || object.Kind != "ClusterReport" || len(object.Results) == 0 {
		t.Fatalf("%v\n%s", err, tr.applied)
	}
	return object.Metadata.Labels["kubectl-wg.io/verdict"], object.Results
}

func (tr *trial) configMap(t *testing.T, name string) *corev1.ConfigMap {
	t.Helper()
	kept, err := tr.api.CoreV1().ConfigMaps("acceptance").Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// The report, the recording, the ledger and an event are there after a run, and the
// recording judged again comes to the same.
func TestResultIsKept(t *testing.T) {
	tr := newTrial(t)
	tr.keeping()
	code := tr.verify(t)
	kept := tr.configMap(t, "wg-report")
	want := map[string]string{"verdict": "INCONCLUSIVE", "exitCode": "3", "run": "test22"}
	for key, value := range want {
		if kept.Data[key] != value || code != exitInconclusive {
			t.Errorf("exit %d, %s is %s\n%s", code, key, kept.Data[key], &tr.errs)
		}
	}
	if kept.Labels["kubectl-wg.io/verdict"] != "INCONCLUSIVE" || !strings.Contains(kept.Data["report.json"], kept.Data["headline"]) {
		t.Errorf("%v", kept.Labels)
	}
	unpacked, err := unpack(bytes.NewReader(kept.BinaryData["recording.ndjson.gz"]))
	if err != nil {
		t.Fatal(err)
	}
	read, err := recording.Read(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	if again := check.Judge(read); string(again.Verdict) != kept.Data["verdict"] || again.Graph.Run.ID != "test22" {
		t.Errorf("judged again it is %s", again.Verdict)
	}
	if summary := tr.configMap(t, "wg-ledger").Data["summary"]; !strings.Contains(summary, "0 of ") {
		t.Errorf("ledger: %s", summary)
	}
	events, err := tr.api.CoreV1().Events("acceptance").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(events.Items) != 1 || events.Items[0].Reason != "Inconclusive" || events.Items[0].Type != "Warning" {
		t.Errorf("%+v, %v", events, err)
	}
	if verdict, results := tr.policyReport(t); verdict != "INCONCLUSIVE" || results[0].Result != "error" || len(results) < 10 {
		t.Errorf("%s", tr.applied)
	}
}

// A run that came to no verdict leaves that, and its error stays what it was.
func TestFailureIsKept(t *testing.T) {
	tr := newTrial(t)
	tr.keeping()
	tr.refuseJobs = true
	if code := tr.verify(t); code != exitCouldNotRun {
		t.Errorf("exit %d", code)
	}
	kept := tr.configMap(t, "wg-report")
	if kept.Data["verdict"] != "ERROR" || kept.Data["exitCode"] != "4" {
		t.Errorf("%v", kept.Data)
	}
	if kept.Data["report.txt"] == "" || kept.Data["report.json"] != "" {
		t.Errorf("%v", kept.Data)
	}
	verdict, results := tr.policyReport(t)
	if verdict != "ERROR" || len(results) != 1 || results[0].Result != "error" || results[0].Message != kept.Data["headline"] {
		t.Errorf("%s", tr.applied)
	}
}

// Whatever a result holds, it fits a ConfigMap, and the report is in it.
func TestResultFits(t *testing.T) {
	random := make([]byte, 1<<20)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	long := bytes.Repeat([]byte("words and words, "), 100_000)
	for name, test := range map[string]struct {
		result  result
		leftOut string
	}{
		"small":           {result{text: "t", document: []byte("{}"), recording: []byte("r")}, ""},
		"long document":   {result{text: "t", document: long, recording: []byte("r")}, ""},
		"large recording": {result{text: "t", document: []byte("{}"), recording: random}, keyRecording + "\n"},
		"all too large": {
			result{text: string(long), headline: string(long), document: random, recording: random},
			keyJSON + "\n" + keyRecording + "\n",
		},
	} {
		c := test.result.content()
		if size(&c) > maxResult || c.Data[keyText] == "" || c.Data[keyLeftOut] != test.leftOut {
			t.Errorf("%s: %d bytes, left out %q", name, size(&c), c.Data[keyLeftOut])
		}
		if test.leftOut == "" {
			text, err := taken(&corev1.ConfigMap{Data: c.Data, BinaryData: c.Binary}, keyJSON)
			if err != nil || !bytes.Equal(text, test.result.document) {
				t.Errorf("%s: %d bytes, %v", name, len(text), err)
			}
		}
	}
}

func TestReasons(t *testing.T) {
	for want, r := range map[string]result{
		"Verified": {verdict: "PASS"}, "NotAccepted": {verdict: "PASS", code: 1}, "Accepted": {verdict: "FAIL"},
		"NotVerified": {verdict: "FAIL", code: 1}, "Inconclusive": {verdict: "INCONCLUSIVE", code: 3},
		"CouldNotRun": {verdict: "ERROR", code: 4},
	} {
		if got := r.reason(); got != want {
			t.Errorf("%s with exit code %d: %s, want %s", r.verdict, r.code, got, want)
		}
	}
}

// What a ConfigMap holds is not trusted: neither how large it is nor what it says.
func TestHostileLedger(t *testing.T) {
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	w.Write(make([]byte, 64<<20))
	w.Close()
	for name, kept := range map[string]*corev1.ConfigMap{
		"nothing": {}, "no JSON": {Data: map[string]string{keyLedger: "x"}},
		"no gzip": {BinaryData: map[string][]byte{keyLedger + packed: []byte("x")}},
		"a bomb":  {BinaryData: map[string][]byte{keyLedger + packed: bomb.Bytes()}},
	} {
		if l, err := ledgerIn(kept); err == nil {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

func TestResultFlags(t *testing.T) {
	for line, want := range map[string]string{
		"--part 1/3":                                    "no kubeconfig",
		"--part 1/3 --pairs 8":                          "no kubeconfig",
		"--part 0/3":                                    "--part: a part is K/M",
		"--part 3":                                      "--part: a part is K/M",
		"--part next/3":                                 "--part next/3 needs --ledger",
		"--part next/3 --ledger l":                      "no kubeconfig",
		"--part next/x --ledger l":                      "invalid value \"next/x\" for --part",
		"--part 1/3 --pairs ring":                       "exclude each other",
		"--ledger a/b/c":                                "invalid value \"a/b/c\" for --ledger",
		"--report-configmap A":                          "invalid value \"A\" for --report-configmap",
		"--report-configmap /a":                         "invalid value \"/a\"",
		"--report-configmap a --ledger a":               "name the same",
		"--report-configmap ns/a --ledger other/a":      "no kubeconfig",
		"--policy-report html":                          "invalid value \"html\" for --policy-report",
		"--policy-report openreports":                   "no kubeconfig",
		"--report-configmap=":                           "--report-configmap is empty",
		"--print-manifests --report-configmap ns/a-b.c": "no kubeconfig",
	} {
		_, _, stderr := main(t, append([]string{"verify"}, strings.Fields(line)...)...)
		if !strings.Contains(stderr, want) {
			t.Errorf("%s: %s, want %q", line, stderr, want)
		}
	}
}
