package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
)

// The matrix has a line for each class that was asked for, with a mark and words of
// its own for each cell; what is in clear by design bears neither that of a success
// nor that of a failure.
func TestMatrix(t *testing.T) {
	for _, row := range []struct {
		recording string
		lines     []string
		lacks     []string
	}{
		{"live-classes", []string{
			"  ✓ pod → remote pod                   encrypted\n",
			"  ✓ pod → ClusterIP of a remote pod    encrypted\n",
			"  – pod → NodePort at the remote node  in clear by design\n",
			"  – node → remote node                 in clear by design\n",
			"  ✓ node → remote pod                  encrypted\n",
		}, []string{"LEAK", "not proven"}},
		{"live-classes-service-leak", []string{
			"  ✗ pod → ClusterIP of a remote pod    LEAK 1, encrypted 1\n",
			"  – pod → remote node                  in clear by design\n",
		}, nil},
		{"live-classes-untranslated", []string{
			"  ? pod → ClusterIP of a remote pod    not proven 1, encrypted 1",
		}, []string{"LEAK"}},
		{"host-healthy-wireguard", nil, []string{"ClusterIP", "pod → remote pod"}},
	} {
		text := fit(judged(t, row.recording), Options{})
		for _, line := range row.lines {
			if !strings.Contains(text, line) {
				t.Errorf("%s: no %q in\n%s", row.recording, line, text)
			}
		}
		for _, word := range row.lacks {
			if strings.Contains(text, word) {
				t.Errorf("%s: %q in\n%s", row.recording, word, text)
			}
		}
	}
}

// With details each pair has its cells, and each cell its reason.
func TestCellsOfPairs(t *testing.T) {
	text := fit(judged(t, "live-classes"), Options{Details: true, Width: maxWidth})
	const reason = "in clear by design: 12 packets seen in clear: it is for the address of a node"
	if n := strings.Count(text, "\n    – pod → remote node                  "+reason); n != 2 {
		t.Errorf("%d of 2 pairs:\n%s", n, text)
	}
}

// What verifies a cause again asks for the same.
func TestVerifiedAgainWithItsScope(t *testing.T) {
	for recording, want := range map[string]string{
		"host-scope-service-leak": "kubectl wg verify --nodes node-1,node-2 --scope pods,services,hosts",
		"live-classes-node-leak":  "kubectl wg verify --nodes node-0,node-1 --scope pods,hosts",
		"host-udp-blocked":        "kubectl wg verify --nodes node-1,node-2",
	} {
		j := judged(t, recording)
		if d := newDocument(j, Options{}); d.Causes[0].Verify != want {
			t.Errorf("%s: %q, want %q", recording, d.Causes[0].Verify, want)
		}
	}
}

// classLeaks reports whether a class leaks that the network promises to encrypt.
func classLeaks(j *check.Judgement) bool {
	return slices.ContainsFunc(matrix(j), func(row classOf) bool { return row.Cell == check.CellLeak })
}

// The document has the matrix, and the cells of every pair.
func TestClassesInJSON(t *testing.T) {
	var out bytes.Buffer
	if err := Write(&out, "json", judged(t, "live-classes-service-leak"), Options{}); err != nil {
		t.Fatal(err)
	}
	var d struct {
		Classes []classOf
		Pairs   []struct{ Classes []check.ClassCell }
	}
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, row := range d.Classes {
		got[string(row.Class)] = fmt.Sprintf("%s %v %v", row.Cell, row.Promised, row.Counts)
	}
	want := map[string]string{
		"pod-pod":           "notProven true map[encrypted:1 notProven:1]",
		"pod-cluster-ip":    "leak true map[encrypted:1 leak:1]",
		"pod-node-port":     "leak true map[encrypted:1 leak:1]",
		"pod-node-port-far": "clearByDesign false map[clearByDesign:2]",
		"pod-node":          "clearByDesign false map[clearByDesign:2]",
		"node-pod":          "encrypted true map[encrypted:2]",
		"node-node":         "clearByDesign false map[clearByDesign:2]",
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if len(d.Pairs) != 2 || len(d.Pairs[0].Classes) != 6 || d.Pairs[0].Classes[0].Cell != check.CellLeak {
		t.Errorf("%+v", d.Pairs)
	}
	out.Reset()
	if err := Write(&out, "json", judged(t, "host-healthy-wireguard"), Options{}); err != nil || strings.Contains(out.String(), `"classes"`) {
		t.Errorf("a run for pods alone has classes: %v", err)
	}
}
