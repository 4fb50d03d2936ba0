package report

import (
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// The first line claims what was shown: of a recording of an earlier version
// less than of one of this.
func TestHeadline(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(j *check.Judgement)
		want   string
	}{
		{"host-healthy-wireguard", func(*check.Judgement) {}, "Pod traffic between the 2 nodes is encrypted by WireGuard: every test packet was seen inside the tunnel, " +
			"and none outside it. Other pods' packets and other paths were not read by the version that recorded this."},
		{"host-healthy-wireguard", func(j *check.Judgement) { j.Graph.Run.Minor = evidence.Minor },
			"Pod traffic between the 2 nodes is encrypted by WireGuard: every test packet was inside the tunnel, " +
				"no packet of any pod was seen outside it, and no rule or route leads past it."},
		{"host-healthy-wireguard", func(j *check.Judgement) {
			j.Graph.Run.Minor = evidence.Minor
			paths := j.Totals.Of("WG0402")
			paths.Statuses[verdict.Warn] = 2
		}, "seen outside it. Programs that cannot be read decide about paths: their decision was seen on the test packets only."},
		{"host-healthy-dual", func(*check.Judgement) {}, "Pod traffic between the 2 nodes over IPv4 and IPv6 is encrypted"},
		{"host-healthy-dual-one-family", func(*check.Judgement) {}, "Pod traffic between the 2 nodes over IPv6 alone is encrypted"},
		{"host-stale-flannel-route", func(*check.Judgement) {}, "the more specific one. So pod traffic from node-1 to node-2 crosses the wire in clear inside VXLAN"},
		{"host-host-gw", func(j *check.Judgement) { j.Besides = &verdict.Finding{Text: "node-3 is down"} }, "in clear without any encapsulation: seen"},
		{"host-host-gw", func(j *check.Judgement) { j.Besides = &verdict.Finding{Text: "node-3 is down"} }, ". Besides, node-3 is down."},
		{"host-udp-blocked", func(*check.Judgement) {}, "reach eth0 of node-2, and its kernel drops them"},
		{"host-image-missing", func(j *check.Judgement) { j.FirstCause = nil }, "The proof is incomplete."},
	} {
		j := judged(t, test.name)
		test.change(j)
		if got := headline(j); !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q in it", test.name, got, test.want)
		}
	}
}

// A scope is read to its end only if it is short.
func TestScopeIsShort(t *testing.T) {
	for _, name := range []string{"host-healthy-wireguard", "host-healthy-eight", "host-vxlan", "host-cilium-native"} {
		j := judged(t, name)
		if lines := len(j.Profile.Scope); lines > 8 {
			t.Errorf("%s: %d lines", name, lines)
		}
	}
}
