package scenario

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	seen := map[string]bool{}
	var clusters []Cluster
	for _, s := range All {
		if seen[s.Name] || s.Name == "" || s.Title == "" {
			t.Errorf("scenario %q: names are unique, and a title says what is true", s.Name)
		}
		seen[s.Name] = true
		if (s.Sabotage == nil) != (s.Restore == nil) {
			t.Errorf("%s: sabotage that is not taken back, or the reverse", s.Name)
		}
		if (s.Want.Verdict == "PASS") != (s.Want.Exit == 0) || (s.Want.Verdict == "FAIL") != (s.Want.Exit == 1) {
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

func TestVerifyReadsTheContract(t *testing.T) {
	for _, test := range []struct {
		name, script string
		got          Want
		fails        string
	}{
		{name: "pass", script: `echo '{"verdict":"PASS","firstCause":null}'`, got: Want{Verdict: "PASS"}},
		{name: "fail", script: `echo '{"verdict":"FAIL","firstCause":{"code":"WG0401"},"more":1}'; exit 1`, got: Want{1, "FAIL", "WG0401"}},
		{name: "arguments", script: `[ "$*" = "verify -o json --image x" ] && [ "$KUBECONFIG" = /k ] && echo '{"verdict":"PASS"}'`, got: Want{Verdict: "PASS"}},
		{name: "no JSON", script: `echo no cluster >&2; exit 4`, got: Want{Exit: 4}, fails: "no JSON"},
		{name: "too slow", script: `sleep 30`, got: Want{Exit: -1}, fails: "no JSON"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "kubectl-wg")
			if err := os.WriteFile(path, []byte("#!/bin/sh\n"+strings.Replace(test.script, "sleep", "exec sleep", 1)), 0o755); err != nil {
				t.Fatal(err)
			}
			got, _, err := Verify{Path: path, Args: []string{"--image", "x"}, Timeout: 3 * time.Second}.run(t.Context(), "/k")
			if got != test.got {
				t.Errorf("got %+v, want %+v", got, test.got)
			}
			if (err != nil) != (test.fails != "") || err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Errorf("got %v, want an error with %q", err, test.fails)
			}
		})
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
	} {
		if err := compare(test.got, test.want); (err == nil) != test.ok {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
