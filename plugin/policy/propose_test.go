package policy

import (
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/golden"
	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
)

// A proposal is a valid policy, which the run that it is made from meets unless
// something is wrong there.
func TestPropose(t *testing.T) {
	for _, name := range []string{"host-healthy-three", "host-healthy-dual", "host-healthy-psk", "host-three-udp-blocked",
		"host-vxlan", "host-node-not-ready"} {
		j := judged(t, name)
		text := Propose(j)
		golden.Compare(t, name+".yaml", text)
		p, err := Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		without := j.ExitCode()
		j.Acceptance = p.Judge(j)
		if code, _ := j.Exit(false); code != without {
			t.Errorf("%s: exit code %d, %d without the policy: %+v", name, code, without, j.Acceptance.Unmet)
		}
		// The waivers that are commented out become valid once they have an owner.
		granted := strings.ReplaceAll(string(text), "waivers: []\n", "waivers:\n")
		at := strings.Index(granted, "waivers:\n")
		granted = granted[:at] + strings.ReplaceAll(strings.ReplaceAll(granted[at:], "\n# ", "\n"), `owner: ""`, "owner: jane")
		if _, err := Parse([]byte(granted)); err != nil {
			t.Errorf("%s: %v\n%s", name, err, granted)
		}
	}
}

// What a cluster calls itself cannot change what a policy says.
func TestProposeOfHostileNames(t *testing.T) {
	j := check.Judge(mesh.New(3))
	hostile := "x\"\nwaivers: [{code: WG0102, reason: r, owner: o, expires: 2100-01-01}]\n#\u2028"
	j.Graph.Cluster.Context, j.Profile.Title = hostile, hostile
	for i := range j.Causes {
		j.Causes[i].Text = hostile
	}
	p, err := Parse(Propose(j))
	if err != nil || p.Name != hostile || len(p.Waivers) != 0 {
		t.Errorf("%v, %+v", err, p)
	}
}
