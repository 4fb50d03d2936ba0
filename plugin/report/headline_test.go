package report

import (
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// The headline says what kind of failure it is, and claims what was observed.
func TestHeadline(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(j *check.Judgement)
		want   string
	}{
		{"host-healthy-wireguard", nil, "Pod traffic between 2 nodes is encrypted by WireGuard"},
		{"host-healthy-dual", nil, "Pod traffic between 2 nodes over IPv4 and IPv6 is encrypted by WireGuard"},
		{"host-healthy-dual-one-family", nil, "Pod traffic between 2 nodes over IPv6 alone is encrypted by WireGuard"},
		{"host-stale-flannel-route", nil, "PLAINTEXT: pod traffic crosses the wire in plaintext (node-1 ⇄ node-2)"},
		{"host-host-gw", nil, "PLAINTEXT: pod traffic crosses the wire in plaintext (node-1 ⇄ node-2)"},
		{"host-obfuscated-udp", nil, "PLAINTEXT: pod traffic bypasses the tunnel (node-1 → node-2)"},
		{"host-udp-blocked", nil, "BLOCKED: the other node does not accept WireGuard's UDP packets (node-1 → node-2); " +
			"no plaintext was seen"},
		{"host-udp-blocked", func(j *check.Judgement) {
			for i := range j.Totals.Steps { // the captures prove nothing
				j.Totals.Steps[i].Statuses = map[verdict.Status]int{verdict.Inconclusive: 2}
			}
		}, "BLOCKED: the other node does not accept WireGuard's UDP packets (node-1 → node-2)"},
		{"host-udp-blocked", func(j *check.Judgement) {
			j.Causes = append(j.Causes, verdict.Cause{Finding: verdict.Finding{Status: verdict.Fail, Title: "t"}})
		}, "BLOCKED: the other node does not accept WireGuard's UDP packets (node-1 → node-2); also: not true: t; " +
			"no plaintext was seen"},
		{"host-udp-blocked", func(j *check.Judgement) {
			j.Causes = append(j.Causes, j.Causes[0], j.Causes[0])
		}, "BLOCKED: the other node does not accept WireGuard's UDP packets (node-1 → node-2); and 2 other causes; " +
			"no plaintext was seen"},
		{"host-published-key", nil, "MISCONFIGURED: a node's published key is not the one in use (node-2); " +
			"no plaintext was seen"},
		{"host-image-missing", func(j *check.Judgement) { j.Causes = nil }, "NOT PROVEN: the proof is incomplete"},
	} {
		j := judged(t, test.name)
		if test.change != nil {
			test.change(j)
		}
		if got := headline(j); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// Of what is not proven the headline says why, and how much is.
func TestHeadlineOfInconclusive(t *testing.T) {
	j := judged(t, "host-probe-blind")
	got := headline(j)
	if !strings.HasPrefix(got, "NOT PROVEN: ") || !strings.HasSuffix(got, "directions proven)") ||
		!strings.Contains(got, strings.TrimSuffix(j.FirstCause.Text, ".")) {
		t.Errorf("%q", got)
	}
}

// A PASS says what it does not rest on.
func TestLimits(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(j *check.Judgement)
		want   string
	}{
		{"host-healthy-wireguard", nil, "were not read by the version that recorded this"},
		{"host-healthy-wireguard", func(j *check.Judgement) { j.Graph.Run.Minor = evidence.Minor }, ""},
		{"host-healthy-wireguard", func(j *check.Judgement) {
			j.Graph.Run.Minor = evidence.Minor
			paths := j.Totals.Of("WG0402")
			paths.Statuses[verdict.Warn] = 2
		}, "Programs that cannot be read decide about paths"},
		{"host-vxlan", nil, ""},
	} {
		j := judged(t, test.name)
		if test.change != nil {
			test.change(j)
		}
		got := strings.Join(limits(j), " ")
		if !strings.Contains(got, test.want) || test.want == "" && got != "" {
			t.Errorf("%s: %q, want %q in it", test.name, got, test.want)
		}
	}
}

// The last line repeats the verdict, and says why the exit code is another.
func TestLastLine(t *testing.T) {
	for _, test := range []struct {
		name    string
		options Options
		want    string
	}{
		{"host-healthy-wireguard", Options{}, "✓ PASS  2 of 2 directions proven, 2 warnings; per pair: --details\n"},
		{"host-healthy-wireguard", Options{Details: true}, "✓ PASS  2 of 2 directions proven, 2 warnings\n"},
		{"host-healthy-wireguard", Options{FailOnWarn: true, Width: 120},
			"✓ PASS  2 of 2 directions proven, 2 warnings (exit 1: --fail-on warn, warnings: 2); per pair: --details\n"},
		{"host-vxlan", Options{}, "✗ FAIL  PLAINTEXT: 0 of 2 directions proven (exit 1); kubectl wg explain WG0601\n"},
	} {
		j := judged(t, test.name)
		if got := fit(j, test.options); !strings.HasSuffix(got, "\n"+test.want) {
			t.Errorf("%s: %q", test.name, got[len(got)-150:])
		}
	}
}

// A scope is read to its end only if it is short.
func TestScopeIsShort(t *testing.T) {
	for _, name := range []string{"host-healthy-wireguard", "host-healthy-eight", "host-vxlan", "host-cilium-native"} {
		j := judged(t, name)
		if lines := len(j.Profile.Scope); lines > 9 { // three are Cilium's own
			t.Errorf("%s: %d lines", name, lines)
		}
	}
}
