package profile

import (
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Every profile promises something of every class, or says why not.
func TestPromises(t *testing.T) {
	vxlan := surveyed{annotations: map[string]string{flannelPrefix + "backend-type": "vxlan"}}
	wireguard := surveyed{annotations: map[string]string{flannelPrefix + "backend-type": "wireguard"}}
	for _, row := range []struct {
		name    string
		node    surveyed
		flannel bool
		nodePod bool
	}{{"unknown", surveyed{}, false, false}, {"vxlan", vxlan, true, false}, {"wireguard", wireguard, true, true}} {
		p := Decide(cluster(evidence.Run{Families: []int{4}}, evidence.Cluster{}, row.node, row.node))
		for _, one := range evidence.Classes {
			promise := p.Promise(one.Class)
			want := one.Class == evidence.ClassClusterIP || one.Class == evidence.ClassDNS ||
				one.Class == evidence.ClassEnded ||
				one.Class == evidence.ClassNodePort && row.flannel || one.Class == evidence.ClassNodePod && row.nodePod
			if promise.Encrypted != want || (promise.Why == "") != want {
				t.Errorf("%s: %s: %+v", row.name, one.Class, promise)
			}
		}
	}
	for _, one := range evidence.Classes {
		if !AllHops()[one.Class].Encrypted {
			t.Errorf("AllHops lacks %s", one.Class)
		}
	}
}

// The scope says what a run for more than pods shows of it.
func TestScopeOfClasses(t *testing.T) {
	asked := Decide(cluster(evidence.Run{Families: []int{4}, Scope: []string{evidence.ScopeHosts}},
		evidence.Cluster{}, nodes(2)...))
	alone := Decide(cluster(evidence.Run{Families: []int{4}}, evidence.Cluster{}, nodes(2)...))
	if len(asked.Scope) != len(alone.Scope)+1 {
		t.Errorf("%+v, %+v", asked.Scope, alone.Scope)
	}
}
