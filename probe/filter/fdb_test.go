//go:build linux

package filter

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Where an overlay sends what is for pods: of each neighbour in their ranges the
// host, but for one that is asked for anyway.
//
//	10.42.1.0 ── 02:…:01 ── 198.18.0.12 (known)
//	10.42.1.7 ── 02:…:07 ── 203.0.113.9
func TestForwarding(t *testing.T) {
	enter(t)
	for _, line := range []string{
		"ip link add eth0 type veth peer name wan", "ip link set eth0 up", "ip link set wan up",
		"ip link add flannel.1 type vxlan id 1 dstport 8472 nolearning", "ip link set flannel.1 up",
		"ip neigh add 10.42.1.0 lladdr 02:00:00:00:00:01 dev flannel.1 nud permanent",
		"ip neigh add 10.42.1.7 lladdr 02:00:00:00:00:07 dev flannel.1 nud permanent",
		"ip neigh add 10.99.0.1 lladdr 02:00:00:00:00:09 dev flannel.1 nud permanent",
		"ip neigh add 10.42.1.8 lladdr 02:00:00:00:00:07 dev eth0 nud permanent",
		"bridge fdb append 02:00:00:00:00:01 dev flannel.1 dst 198.18.0.12",
		"bridge fdb append 02:00:00:00:00:07 dev flannel.1 dst 203.0.113.9",
		"bridge fdb append 02:00:00:00:00:09 dev flannel.1 dst 203.0.113.9",
		"bridge fdb append 02:00:00:00:00:77 dev flannel.1 dst 203.0.113.9",
		"bridge fdb append 00:00:00:00:00:00 dev flannel.1 dst 203.0.113.10",
	} {
		run(t, line)
	}
	found, inventories, problems := Reader{}.Diversions(links(),
		podNetwork, []netip.Addr{netip.MustParseAddr("198.18.0.12")}, nil)
	var said []string
	for _, d := range found {
		if d.By == "fdb" {
			said = append(said, d.Link+" "+d.To+" "+d.Rule)
		}
	}
	want := "flannel.1 203.0.113.9 to 10.42.1.7/32 lladdr 02:00:00:00:00:07 dst 203.0.113.9"
	if len(said) != 2 || !strings.Contains(strings.Join(said, "\n"), want) ||
		!strings.Contains(strings.Join(said, "\n"), "203.0.113.10") {
		t.Errorf("%q", said)
	}
	for _, i := range inventories {
		if i.What == evidence.InventoryFDB && (!i.Complete || i.Count != 2) || len(problems) > 0 {
			t.Error(i, problems)
		}
	}
}

func FuzzNeighbour(f *testing.F) {
	f.Add(append(make([]byte, sizeofNeighbour), encode(ndaDestination, []byte{10, 0, 0, 1})...))
	f.Fuzz(func(t *testing.T, message []byte) {
		if m, ok := parseNeighbour(message, 0); ok {
			remote("vx", nil, m)
		}
	})
}
