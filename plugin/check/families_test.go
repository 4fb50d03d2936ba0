package check

import (
	"fmt"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// apart are the pairs and families of recordings whose proof must not be
// complete; that of all others must be. What is wrong with one family's tunnel
// says nothing of the other's.
var apart = map[string][]string{
	"host-healthy-dual":           nil,
	"host-healthy-dual-auto":      nil,
	"host-healthy-dual-ipv4":      nil,
	"host-healthy-dual-ipv6":      nil,
	"host-healthy-eight":          nil,
	"host-v6-udp-blocked":         {"node-1>node-2/6", "node-2>node-1/6"},
	"host-v4-udp-blocked":         {"node-1>node-2/4", "node-2>node-1/4"},
	"host-v6-device-deleted":      {"node-1>node-2/6", "node-2>node-1/6"},
	"host-v6-stale-flannel-route": {"node-1>node-2/6", "node-2>node-1/6"},
	"host-v6-stale-route-one-way": {"node-1>node-2/6"},
	"host-v6-host-gw-route":       {"node-1>node-2/6"},
	"host-v6-allowed-gap":         {"node-1>node-2/6", "node-2>node-1/6"},
	"host-auto-allowed-gap":       {"node-1>node-2/6", "node-2>node-1/6"},
	"host-eight-leak-one-way":     {"node-3>node-6/6"},
}

func TestFamiliesApart(t *testing.T) {
	for name, want := range apart {
		t.Run(name, func(t *testing.T) {
			j := Judge(load(t, name))
			nodes, families := len(j.Graph.Nodes), len(j.Graph.Run.Families)
			if tested := nodes * (nodes - 1) * families; len(j.Pairs) != tested || families != 2 {
				t.Errorf("%d pairs of %d nodes and %d families", len(j.Pairs), nodes, families)
			}
			var got []string
			for _, p := range j.Pairs {
				if p.Status != verdict.Pass {
					got = append(got, fmt.Sprintf("%s>%s/%d", p.Node, p.Peer, p.Family))
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("not proven: %v, want %v", got, want)
			}
			for _, f := range j.Findings {
				if f.Status == verdict.Fail && f.CausedBy.Code == "" &&
					len(want) > 0 && f.Subject.Family != int(want[0][len(want[0])-1]-'0') {
					t.Errorf("%s of %s failed by itself: %s", f.Code, f.Subject.Named(j.Graph.Run.Families), f.Text)
				}
			}
		})
	}
}
