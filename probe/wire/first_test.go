package wire

import (
	"bytes"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// TestFirstPackets: a new pod's first packets and their answers are seen
// and sighted as such, whoever the key says may have made them.
func TestFirstPackets(t *testing.T) {
	first := func(kind uint8, source, target uint32, key []byte) []byte {
		payload, err := Marked{Kind: kind, Family: 4, Transport: TransportUDP, Source: source, Target: target,
			Sequence: 2}.
			Payload(MarkedSize, testMark, key)
		if err != nil {
			t.Fatal(err)
		}
		return podPacket(t, payload)
	}
	key := evidence.FirstKey(testKey)
	if bytes.Equal(key, testKey) {
		t.Fatal("the key of first packets is the run's own")
	}
	for _, row := range []struct {
		name      string
		packet    []byte
		source    int
		first     bool
		witnessed bool
	}{
		{"first packet", first(KindFirst, 0, 1, key), 0, true, true},
		{"its answer", first(KindFirstAnswer, 1, 0, key), 1, true, true},
		{"first packet under the run's key", first(KindFirst, 0, 1, testKey), 0, true, false},
		{"canary under the key of first packets", first(KindCanary, 0, 1, key), 0, false, false},
		{"canary", first(KindCanary, 0, 1, testKey), 0, false, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			stats := newStats(t, testSubject())
			stats.Link("eth0", evidence.RoleOutside).Add(tx(build(t, eth(layers.EthernetTypeIPv4), raw(row.packet))))
			inside := tx(row.packet)
			inside.Header = RawIP
			stats.Link("wg0", evidence.RoleWireGuard).Add(inside)
			messages := stats.Messages()
			leaks := pick(t, messages, leakOf)
			if len(leaks) != 1 || leaks[0].First != row.first || leaks[0].Source != row.source {
				t.Errorf("sighted %+v", leaks)
			}
			count := uint32(0)
			for _, w := range pick(t, messages, seenOf) {
				for _, seen := range w.Seen {
					if count += seen.First; row.first && seen.UDP > 0 {
						t.Errorf("counted as a canary: %+v", seen)
					}
				}
			}
			if (count == 1) != (row.witnessed && row.first) {
				t.Errorf("%d first packets seen", count)
			}
		})
	}
}
