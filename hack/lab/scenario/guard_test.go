package scenario

import (
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

func TestJudgeCrossings(t *testing.T) {
	for _, test := range []struct {
		name string
		all  map[string]crossing
		want string
	}{
		{"holds", map[string]crossing{"a to b": {allowed: 1, dropped: 1}, "b to a": {allowed: 1, dropped: 1}}, ""},
		{
			"opened", map[string]crossing{"a to b": {allowed: 1, dropped: 1}, "b to a": {allowed: 1, denied: 1}},
			"denies: UDP 7001 from the pod on b to a",
		},
		{"nothing passes", map[string]crossing{"a to b": {}}, "UDP 7002 from the pod on a to b"},
		{"lost on the way", map[string]crossing{"a to b": {allowed: 1}}, "its rule counted no packet"},
	} {
		err := judgeCrossings(test.all)
		if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

func TestJudgePorts(t *testing.T) {
	one, two := map[string]bool{"1": true}, map[string]bool{"1": true, "2": true}
	if err := judgePorts(two, one); err != nil {
		t.Errorf("a port was closed: %v", err)
	}
	if err := judgePorts(one, two); err == nil || !strings.Contains(err.Error(), "of no node: 2") {
		t.Errorf("a port was opened: %v", err)
	}
}

func TestGuardedPods(t *testing.T) {
	for families, want := range map[topology.Families]string{
		topology.OnlyIPv4: "10.42.1.249",
		topology.OnlyIPv6: "2001:db8:42:1::249",
		topology.Dual:     "10.42.1.249 2001:db8:42:1::249",
	} {
		g := standInGuard{&state.Lab{Network: topology.Network{Families: families}}}
		var got []string
		for _, pod := range g.pods(2) {
			got = append(got, pod.address)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", families, got, want)
		}
	}
}
