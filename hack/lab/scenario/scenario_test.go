package scenario

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
)

func TestTable(t *testing.T) {
	seen := map[string]bool{}
	var clusters []Cluster
	for _, s := range All() {
		if seen[s.Name] || s.Name == "" || s.Title == "" {
			t.Errorf("scenario %q: names are unique, and a title says what is true", s.Name)
		}
		seen[s.Name] = true
		if (s.Sabotage == nil) != (s.Restore == nil) {
			t.Errorf("%s: sabotage that is not taken back, or the reverse", s.Name)
		}
		if s.After != nil && s.Disturb == nil {
			t.Errorf("%s: nothing disturbs it, so it has to clean up by itself", s.Name)
		}
		if s.Unmendable != "" && s.Want.Exit == 0 {
			t.Errorf("%s: there is nothing to repair", s.Name)
		}
		if s.Command != "" && (s.Want.Verdict != "" || len(s.Says) == 0) {
			t.Errorf("%s: %s has no verdict, and is judged by what it says", s.Name, s.Command)
		}
		if s.Command == "" && ((s.Want.Verdict == "PASS") != (s.Want.Exit == 0) || (s.Want.Verdict == "FAIL") != (s.Want.Exit == 1)) {
			t.Errorf("%s: verdict %s with exit code %d", s.Name, s.Want.Verdict, s.Want.Exit)
		}
		if n := len(clusters); n == 0 || clusters[n-1] != s.Cluster {
			for _, earlier := range clusters {
				if earlier == s.Cluster {
					t.Errorf("%s is apart from others in its cluster: that costs a start", s.Name)
				}
			}
			clusters = append(clusters, s.Cluster)
		}
	}
}

func TestStaleRoutesCoverAllPairs(t *testing.T) {
	all := ""
	for _, command := range staleRoutes([]string{"node-1", "node-2", "node-3"}) {
		all += command.Node + ": " + strings.Join(command.Argv, " ") + "\n"
	}
	if got := strings.Count(all, "ip route replace"); got != 6 {
		t.Errorf("%d routes, want one per ordered pair of three nodes:\n%s", got, all)
	}
	if strings.Count(all, "ip link add flannel.1") != 3 {
		t.Errorf("want one flannel.1 per node:\n%s", all)
	}
}

// command makes a stand-in for kubectl-wg.
func command(t *testing.T, script string) Verify {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubectl-wg")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return Verify{Path: path, Args: []string{"--image", "x"}, Timeout: 3 * time.Second}
}

func TestTrial(t *testing.T) {
	lab := &state.Lab{Name: "none"}
	for _, test := range []struct {
		name, script string
		disturb      Disturbance
		got          Want
		fails        string
	}{
		{name: "pass", script: `echo '{"verdict":"PASS","firstCause":null}'`, got: Want{Verdict: "PASS"}},
		{name: "fail", script: `echo '{"verdict":"FAIL","firstCause":{"code":"WG0401"},"more":1}'; exit 1`, got: Want{1, "FAIL", "WG0401"}},
		{
			name:   "arguments",
			script: `[ "$*" = "verify -o json --image x -v" ] && [ "$KUBECONFIG" = ` + lab.Kubeconfig() + ` ] && echo '{"verdict":"PASS"}'`,
			got:    Want{Verdict: "PASS"},
		},
		{name: "no verdict", script: `echo no cluster >&2; exit 4`, got: Want{Exit: 4}},
		{name: "no JSON", script: `echo passed`, fails: "no JSON"},
		{name: "too slow", script: `exec sleep 30`, got: Want{Exit: -1}, fails: "did not end"},
		{
			name: "interrupted", script: `trap 'kill $!; exit 4' INT; sleep 30 & echo collecting >&2; wait`,
			disturb: send(syscall.SIGINT, "collecting", 0), got: Want{Exit: 4},
		},
		{
			name: "interrupted later", script: `trap 'kill $!; exit 4' INT; sleep 30 & echo collecting >&2; wait`,
			disturb: send(syscall.SIGINT, "collecting", 10*time.Millisecond), got: Want{Exit: 4},
		},
		{name: "killed", script: `echo collecting >&2; exec sleep 30`, disturb: send(syscall.SIGKILL, "collecting", 0), got: killed},
		{name: "undisturbed", script: `echo placing >&2`, disturb: send(syscall.SIGINT, "collecting", 0), fails: errUndisturbed.Error()},
		{
			name: "nobody reads", disturb: deaf,
			script: `trap '' PIPE; echo starting probe pods >&2; while echo more >&2; do sleep 0.1; done; echo '{"verdict":"PASS"}'`,
			got:    pass,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			trial := &Trial{lab: lab, verify: command(t, test.script), said: newTranscript()}
			got, err := trial.run(t.Context(), Scenario{Args: []string{"-v"}, Disturb: test.disturb})
			if got != test.got {
				t.Errorf("got %+v, want %+v", got, test.got)
			}
			if (err != nil) != (test.fails != "") || err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Errorf("got %v, want an error with %q", err, test.fails)
			}
		})
	}
}

func TestCleanupFindsSomething(t *testing.T) {
	for _, test := range []struct {
		name, said, script string
		ok                 bool
	}{
		{"removed", "hint: kubectl wg cleanup x7k2p\n", `[ "$*" = "cleanup x7k2p" ] && echo removed namespaces kubectl-wg-x7k2p and kubectl-wg-x7k2p-pods`, true},
		{"no hint", "error: interrupted twice\n", `echo removed namespaces kubectl-wg-x7k2p and kubectl-wg-x7k2p-pods`, false},
		{"nothing", "hint: kubectl wg cleanup x7k2p\n", `echo nothing is left`, false},
		{"fails", "hint: kubectl wg cleanup x7k2p\n", `echo removed namespaces kubectl-wg-x7k2p and kubectl-wg-x7k2p-pods; exit 4`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			trial := &Trial{lab: &state.Lab{}, verify: command(t, test.script), said: newTranscript()}
			trial.said.Write([]byte(test.said))
			if err := asHinted(t.Context(), trial); (err == nil) != test.ok {
				t.Error(err)
			}
		})
	}
}

func TestUntil(t *testing.T) {
	left := []string{"namespace", "Job"}
	shrinking := func(context.Context) ([]string, error) {
		left = left[:max(0, len(left)-1)]
		return left, nil
	}
	if err := until(t.Context(), time.Second, shrinking); err != nil {
		t.Error(err)
	}
	staying := func(context.Context) ([]string, error) { return []string{"Job"}, nil }
	if err := until(t.Context(), 10*time.Millisecond, staying); err == nil || !strings.Contains(err.Error(), "Job") {
		t.Errorf("got %v, want an error with what is left", err)
	}
	blind := func(context.Context) ([]string, error) { return nil, errors.New("no answer") }
	if err := until(t.Context(), 10*time.Millisecond, blind); err == nil || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("got %v: nothing was seen, so nothing is known to be gone", err)
	}
}

func TestCompare(t *testing.T) {
	for _, test := range []struct {
		name      string
		got, want Want
		ok        bool
	}{
		{"pass", Want{0, "PASS", ""}, pass, true},
		{"pass with a cause", Want{0, "PASS", "WG0401"}, pass, false},
		{"pass instead of fail", Want{0, "PASS", ""}, fail(codeRoute), false},
		{"inconclusive instead of fail", Want{3, "INCONCLUSIVE", ""}, fail(codeRoute), false},
		{"the right cause", Want{1, "FAIL", codeRoute}, fail(codeRoute), true},
		{"another cause", Want{1, "FAIL", codeBlocked}, fail(codeRoute), false},
		{"any cause", Want{1, "FAIL", "WG0601"}, fail(""), true},
		{"no cause", Want{1, "FAIL", ""}, fail(""), false},
		{"wrong exit code", Want{1, "PASS", ""}, pass, false},
		{"stopped", Want{4, "ERROR", ""}, stopped, true},
		{"a verdict of a stopped run", Want{4, "PASS", ""}, stopped, false},
		{"undecided, whatever the cause", Want{3, "INCONCLUSIVE", "WG0601"}, undecided(""), true},
	} {
		if err := compare(test.got, test.want); (err == nil) != test.ok {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	for _, got := range []Want{{0, "PASS", ""}, {3, "INCONCLUSIVE", "WG0102"}, {4, "ERROR", ""}} {
		if err := compareAny(got, append([]Want{pass}, disturbed...)); err != nil {
			t.Errorf("%+v: %v", got, err)
		}
	}
	if compareAny(Want{1, "FAIL", "WG0501"}, append([]Want{pass}, disturbed...)) == nil {
		t.Error("a cluster that failed the run failed the tunnel")
	}
}
