package check

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Where a node sent before the run's own packets made the NAT let others in is shown,
// if it was elsewhere.
func TestEndpointBeforeTheRun(t *testing.T) {
	published := netip.AddrPortFrom(underlay(1), 51820)
	for _, before := range []netip.AddrPort{published, netip.MustParseAddrPort("203.0.113.9:40001")} {
		s := healthy(3)
		throughNAT(s, 0)
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Peer != nil && m.Peer.PublicKey == publicKey(1) {
				m.Peer.Endpoint = before
			}
		})
		j := Judge(record(t, s))
		at := slices.IndexFunc(j.Findings, func(f verdict.Finding) bool {
			return f.Code == "WG0702" && f.Subject.Node == "node-2"
		})
		f := j.Findings[at]
		shown := slices.ContainsFunc(f.Readings, func(r verdict.Reading) bool {
			return r.What == "flannel-wg sent to, before this run's own packets" && r.Text == published.String()
		})
		if f.Status != verdict.Warn || shown != (before == published) {
			t.Errorf("%s: %s, %v", before, f.Status, f.Readings)
		}
	}
}

// A leak that was seen arriving is looked for where it was sent.
func TestSenderOfLeak(t *testing.T) {
	if f := Judge(load(t, "host-probe-hides-leak")).FirstCause; f.Subject.Node != "node-1" ||
		f.Facts["node"] != "node-1" {
		t.Errorf("%s: look on %s", f.Subject, f.Facts["node"])
	}
}
