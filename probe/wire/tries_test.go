package wire

import (
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func tryPacket(t testing.TB, id uint16, key []byte) []byte {
	t.Helper()
	payload, err := Marked{Kind: KindTry, Family: 4, Transport: TransportUDP, Target: 1,
		Sequence: id}.Payload(MarkedSize, testMark, key)
	if err != nil {
		t.Fatal(err)
	}
	return podPacket(t, payload)
}

// A try is counted by its number on a WireGuard link, and only there: it does not
// count among the canaries, and on any other link it is a leak.
func TestTries(t *testing.T) {
	stats := newStats(t, testSubject())
	inside := stats.Link("wg0", evidence.RoleWireGuard)
	for _, id := range []uint16{7, 7, 3} {
		frame := tx(tryPacket(t, id, testKey))
		frame.Header = RawIP
		inside.Add(frame)
	}
	forged := tx(tryPacket(t, 9, []byte("another key, of another run 3456")))
	forged.Header = RawIP
	inside.Add(forged)
	stats.Link("eth0", evidence.RoleOutside).Add(tx(build(t, eth(layers.EthernetTypeIPv4),
		raw(tryPacket(t, 7, testKey)))))
	var seen []evidence.TrySeen
	for _, m := range stats.Messages() {
		if m.TrySeen != nil {
			seen = append(seen, *m.TrySeen)
		}
		if m.Witness != nil {
			t.Errorf("a try stands in for a canary: %+v", m.Witness)
		}
	}
	want := []evidence.TrySeen{{ID: 3, Link: "wg0", Direction: "tx", Count: 1},
		{ID: 7, Link: "wg0", Direction: "tx", Count: 2}}
	if len(seen) != 2 || seen[0] != want[0] || seen[1] != want[1] {
		t.Errorf("%+v, want %+v", seen, want)
	}
	leaks := pick(t, stats.Messages(), leakOf)
	if len(leaks) != 1 || leaks[0].By != evidence.LeakedByMark || leaks[0].Source != 0 || leaks[0].Target != 1 {
		t.Errorf("%+v", leaks)
	}
}

func TestTriesAreBounded(t *testing.T) {
	var all tries
	for id := range 2 * maxTriesSeen {
		all.add(&Frame{Direction: "tx"}, &Marked{Sequence: uint16(id)})
	}
	if n := len(all.messages("wg0")); n != maxTriesSeen {
		t.Errorf("%d are kept", n)
	}
}
