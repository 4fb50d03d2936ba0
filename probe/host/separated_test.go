//go:build linux

package host

import (
	"net/netip"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A pod's pair is made with both ends on the host, and one end is moved into the pod.
// Until the other is heard of again, its last notification names the end that is gone;
// a change of an address in between, as of the link-local one that it gets by itself,
// must not make an uplink of it.
//
//	lxcD ── tmpD, which is moved into the pod
func TestEndOfAPairIsMoved(t *testing.T) {
	w := &Watch{
		pods:  []netip.Prefix{netip.MustParsePrefix("10.42.0.0/24")},
		state: &state{links: map[int]*link{}, addresses: map[int][]netip.Prefix{}, routes: map[int][]netip.Prefix{}},
	}
	end := func(name string, index, parent int) *link {
		return &link{Link: evidence.Link{Name: name, Index: index, Kind: "veth", Up: true}, parent: parent}
	}
	w.link(end("tmpD", 22, 23), false)
	w.link(end("lxcD", 23, 22), false)
	w.link(end("tmpD", 22, 23), true)
	w.decideAll(23)
	for _, e := range w.events {
		if e.Role == evidence.RoleOutside && e.Link == "lxcD" {
			t.Errorf("%+v", e)
		}
	}
	if l := w.state.links[23]; l.Role != evidence.RoleInside || !l.PeerNS {
		t.Errorf("%s, %v", l.Role, l.PeerNS)
	}
}
