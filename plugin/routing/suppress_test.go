package routing

import (
	"net/netip"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A rule can discard answers by the group of the link that they lead out of.
func TestSuppressedByGroup(t *testing.T) {
	group := 7
	for name, test := range map[string]struct {
		links []*evidence.Link
		want  string
		sure  bool
	}{
		"of the group":    {[]*evidence.Link{{Name: "leak0", Group: 7, Role: evidence.RoleInside}}, "flannel-wg", true},
		"of another":      {[]*evidence.Link{{Name: "leak0", Role: evidence.RoleInside}}, "leak0", true},
		"of none we know": {nil, "leak0", false},
	} {
		plan := Compile(Host{
			Family: 4, MarksRead: true, Links: test.links, Pods: []netip.Prefix{netip.MustParsePrefix("10.42.0.0/24")},
			Rules: []*evidence.Rule{
				{Family: 4, Priority: 0, Table: 255},
				{Family: 4, Priority: 50, Table: 79, SuppressGroup: &group},
				{Family: 4, Priority: 32766, Table: 254},
			},
			Entries: []*evidence.Route{
				{Destination: netip.MustParsePrefix("10.42.1.0/24"), Link: "leak0", Table: 79},
				{Destination: netip.MustParsePrefix("10.42.0.0/16"), Link: "flannel-wg", Table: 254},
			},
		})
		ways, whole := plan.Ways(netip.MustParsePrefix("10.42.1.0/24"))
		if !whole || len(ways) == 0 {
			t.Fatalf("%s: %d ways, whole %v", name, len(ways), whole)
		}
		if ways[0].Link != test.want || (ways[0].Certainty == Certain) != test.sure {
			t.Errorf("%s: %+v", name, ways[0])
		}
	}
}
