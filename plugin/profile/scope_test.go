package profile

import (
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func nodes(n int) []surveyed { return make([]surveyed, n) }

// The scope counts the ordered pairs that were tested and those that were left
// out: of n nodes there are n × (n - 1), and each sends to as many others as
// were asked for.
func TestScopeOfPairs(t *testing.T) {
	for _, test := range []struct {
		name   string
		run    evidence.Run
		nodes  int
		proven string
		out    string // "" if no pair was left out
	}{
		{"all", evidence.Run{Families: []int{4}}, 5, "pod to pod between these nodes, IPv4", ""},
		{"both families", evidence.Run{Families: []int{4, 6}, Pairs: "all"}, 3,
			"pod to pod between these nodes, IPv4 and IPv6", ""},
		{"a ring of two is all", evidence.Run{Families: []int{4}, Pairs: "ring"}, 2,
			"pod to pod between these nodes, IPv4", ""},
		{"no node", evidence.Run{Families: []int{4}, Pairs: "ring"}, 0, "pod to pod between these nodes, IPv4", ""},
		{"a ring", evidence.Run{Families: []int{6}, Pairs: "ring"}, 5,
			"pod to pod for 5 of the 20 directions between these nodes (a ring through all nodes by name), IPv6",
			"the other 15 directions between these nodes"},
		{"some others", evidence.Run{Families: []int{4}, Pairs: "3", ID: "x"}, 7,
			"pod to pod for 21 of the 42 directions between these nodes (each node to 3 others, chosen from the run " +
				"ID), IPv4",
			"the other 21 directions between these nodes"},
		{"few others", evidence.Run{Families: []int{4}, Pairs: "2", ID: "x"}, 9,
			"pod to pod for 18 of the 72 directions between these nodes (each node to 2 others, chosen from the run " +
				"ID), IPv4",
			"the other 54 directions between these nodes"},
	} {
		scope := Decide(cluster(test.run, evidence.Cluster{}, nodes(test.nodes)...)).Scope
		if !scope[0].Proven || scope[0].What != test.proven {
			t.Errorf("%s: %+v, want %q", test.name, scope[0], test.proven)
		}
		out := ""
		why := ""
		for _, line := range scope[1:] {
			if line.Proven {
				t.Errorf("%s: more is proven: %+v", test.name, line)
			}
			if strings.Contains(line.What, "directions") {
				out = line.What
				why = line.Why
			}
		}
		wantEqual(t, test.name, out, test.out)
		if out != "" {
			wantEqual(t, test.name, why, "--pairs "+test.run.Pairs+" left them out")
		}
	}
}

// A node on which no new pod was made shows nothing of the first packets of pods.
func TestScopeOfNewPods(t *testing.T) {
	for _, test := range []struct {
		name  string
		nodes int
		made  []int
		want  string
	}{
		{"on every node", 3, []int{0, 1, 2}, ""},
		{"on one of three", 3, []int{1}, "first packets of new pods on 2 of 3 nodes"},
		{"on all but one", 3, []int{0, 1}, "first packets of new pods on 1 of 3 nodes"},
		{"on none", 2, nil, "first packets of new pods on 2 of 2 nodes"},
	} {
		run := evidence.Run{Families: []int{4}}
		for _, node := range test.made {
			run.Newcomers = append(run.Newcomers, evidence.Newcomer{Node: node})
		}
		got := ""
		for _, line := range Decide(cluster(run, evidence.Cluster{}, nodes(test.nodes)...)).Scope {
			if strings.Contains(line.What, "new pods") {
				got = line.What
				wantEqual(t, test.name, line.Why,
					"no new pod was started there while every link was captured, see --new-pods")
			}
		}
		wantEqual(t, test.name, got, test.want)
	}
}

// What no run tries is in the scope of every report, whatever the system.
func TestScopeNamesWhatIsLeftOut(t *testing.T) {
	for name, node := range map[string]surveyed{
		"unknown": {}, "wireguard": {annotations: lease(0, "wireguard")}, "vxlan": {annotations: lease(0, "vxlan")},
	} {
		out := ""
		for _, line := range Decide(cluster(evidence.Run{}, evidence.Cluster{}, node)).Scope {
			if !line.Proven {
				out += line.What + "\n"
			}
		}
		for _, part := range []string{"pods on the same node", "host network", "Services", "egress gateways",
			"Multus", "network cards"} {
			if !strings.Contains(out, part) {
				t.Errorf("%s: %q is not in the scope", name, part)
			}
		}
	}
}
