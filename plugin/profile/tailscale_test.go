package profile

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Where Tailscale runs the scope says what of it cannot be read. Its name on a link of
// another kind, or with a control socket, is not its TUN device.
func TestTailscaleIsInTheScope(t *testing.T) {
	link := func(kind string, role evidence.LinkRole, up bool) surveyed {
		return surveyed{
			also: []evidence.Message{{Link: &evidence.Link{Name: "tailscale0", Kind: kind, Role: role, Up: up}}},
		}
	}
	for _, test := range []struct {
		name string
		node surveyed
		want bool
	}{
		{"its device", link("tun", evidence.RoleInside, true), true},
		{"down", link("tun", evidence.RoleInside, false), false},
		{"with a control socket", link("tun", evidence.RoleWireGuard, true), false},
		{"of another kind", link("dummy", evidence.RoleInside, true), false},
		{"none", surveyed{}, false},
	} {
		found := false
		p := Decide(cluster(evidence.Run{}, evidence.Cluster{}, surveyed{}, test.node))
		wantEqual(t, test.name+": its port is looked at", slices.Contains(p.Wire, 41641), test.want)
		for _, line := range p.Scope {
			found = found || strings.Contains(line.What, "Tailscale") && !line.Proven
		}
		wantEqual(t, test.name, found, test.want)
	}
}
