package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Ten nodes without machines behind a real control plane, once as they are and once with one pair that leaks:
//
//	kubectl-wg ── API server ── hollow nodes: agents over synthetic hosts
func TestScaleFindsTheOnePair(t *testing.T) {
	lab := labCommand(t)
	kubectlPath(t)
	plugin := filepath.Join(t.TempDir(), "kubectl-wg")
	must(t, "go", "build", "-C", "../..", "-o", plugin, "./cmd/kubectl-wg")
	for _, test := range []struct {
		name, verdict, exit string
		faults              []string
		bad                 []string // pairs that are not proven
	}{
		{"test-sound", "PASS", "0", nil, nil},
		{"test-leak", "FAIL", "1", []string{"--fault", "leak:3:9"}, []string{"node-0003 → node-0009"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			kept := filepath.Join(t.TempDir(), "report.json")
			args := append([]string{"scale", "--name", test.name, "--nodes", "10", "--verify", plugin, "--report", kept}, test.faults...)
			output := must(t, lab, append(args, "--", "-o", "json")...)
			expectNothingLeft(t, test.name)
			rows := map[string]string{}
			for line := range strings.Lines(output) {
				fields := strings.Fields(line)
				if len(fields) > 1 {
					rows[strings.Join(fields[:len(fields)-1], " ")] = fields[len(fields)-1]
				}
			}
			bad := unproven(t, kept)
			for row, want := range map[string]string{"verdict": test.verdict, "exit code": test.exit, "sessions at a time": "20", "create jobs": "2.90", "left": "0"} {
				if rows[row] != want {
					t.Errorf("%s is %q, want %q", row, rows[row], want)
				}
			}
			if !slices.Equal(bad, test.bad) {
				t.Errorf("not proven are %q, want %q", bad, test.bad)
			}
			if t.Failed() {
				t.Log(output)
			}
		})
	}
}

// unproven lists the pairs of a report that are not proven. Those that are proven may be left out of it.
func unproven(t *testing.T, path string) (bad []string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Pairs []struct{ Node, Peer, Status string }
	}
	if err := json.Unmarshal(data, &report); err != nil {
		t.Fatalf("reading the report: %v", err)
	}
	for _, pair := range report.Pairs {
		if pair.Status != "pass" && pair.Status != "warn" {
			bad = append(bad, pair.Node+" → "+pair.Peer)
		}
	}
	return bad
}
