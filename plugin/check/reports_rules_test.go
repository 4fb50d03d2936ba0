package check

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Rules of egress gateways and VPNs that lead pods past the tunnel: they are the
// first cause, also where the test pods' own packets left in clear, and what is
// advised is not to switch to a backend that is there.
func TestReportsOfRules(t *testing.T) {
	seen := evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx", Source: 0,
		Target: 1, Family: 4, By: "mark", Layers: "ethernet ipv4 udp", Count: 7}}
	bridge := evidence.Selector{In: []string{"cni0"}, To: []netip.Prefix{cidr("10.42.1.0/24")}}
	for _, test := range []struct {
		name    string
		with    []evidence.Message
		variant string
		text    string
	}{
		{"report 2a: by source",
			[]evidence.Message{ruled(evidence.Rule{Priority: 100, From: cidr("10.42.0.0/24"), Table: 100}), seen},
			"rule", "from 10.42.0.0/24 lookup 100"},
		{"report 2b: by mark",
			[]evidence.Message{marking(bridge, 0x26),
				ruled(evidence.Rule{Priority: 100, Mark: 0x26, Mask: 0xffffffff, Table: 100}), seen},
			"mark", "fwmark 0x26 lookup 100"},
		{"report 2c: by input link",
			[]evidence.Message{ruled(evidence.Rule{Priority: 100, In: "cni0", To: cidr("10.42.1.0/24"), Table: 100}),
				seen},
			"rule", "iif cni0 lookup 100"},
		{"report 20: of one pod",
			[]evidence.Message{ruled(evidence.Rule{Priority: 100, From: cidr("10.42.0.7/32"), Table: 100})},
			"rule", "from 10.42.0.7 lookup 100"},
	} {
		s := healthy(2)
		onNode1(append(test.with, past("10.42.1.0/24", 100))...)(s)
		j := Judge(record(t, s))
		if j.FirstCause == nil {
			t.Errorf("%s: %v without a first cause", test.name, j.Verdict)
			continue
		}
		first := j.FirstCause
		at := slices.IndexFunc(j.Findings, func(f verdict.Finding) bool {
			return f.Code == "WG0402" && f.Status == verdict.Fail && f.CausedBy.Code == ""
		})
		if at < 0 {
			t.Errorf("%s: no WG0402, the first cause is %s", test.name, first.Code)
			continue
		}
		f := j.Findings[at]
		hint, ok := remedyOf(j, &f)
		t.Logf("%s\n\t%s: %s\n\t%s", test.name, f.Code, f.Text, hint)
		if j.Verdict != verdict.Failed || first.Code != "WG0402" ||
			f.Variant != test.variant || !strings.Contains(f.Text, test.text) {
			t.Errorf("%s: %s, variant %q: %s", test.name, first.Code, f.Variant, f.Text)
		}
		if !ok || strings.Contains(strings.ToLower(hint), "switch") || !strings.Contains(hint, "rule") {
			t.Errorf("%s: %s", test.name, hint)
		}
	}
}
