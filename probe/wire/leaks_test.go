package wire

import (
	"fmt"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// leaking is a pair of nodes, as samples name it, by what leaked.
type leaking struct {
	source, target int
	by             string
	class          evidence.Class
	outer          byte // of a packet of a class, the last of the outer address
}

// However much leaks, and in however many ways: of each pair it is known. In one way
// more than are kept apart every packet is counted.
func TestEveryLeakingPairIsNamed(t *testing.T) {
	const pairs, ways = 200, 9
	subject := watching()
	subject.Ranges = nil
	for n := range pairs + 1 {
		subject.Ranges = append(subject.Ranges, evidence.PodRange{
			Index: n, Prefixes: prefixes(fmt.Sprintf("10.42.%d.0/24", n))})
	}
	stats := newStats(t, subject)
	link := stats.Link("eth0", evidence.RoleOutside)
	want := map[leaking]uint64{}
	for n := range pairs {
		target := n + 1
		between := ip4("10.42.0.8", fmt.Sprintf("10.42.%d.8", target), layers.IPProtocolUDP)
		canary := payload(t, about(func(m *Marked) { m.Target = uint32(target) }))
		first := payloadWith(t, about(func(m *Marked) { m.Target, m.Kind = uint32(target), KindFirst }),
			evidence.FirstKey(testKey))
		class := classPacket(t, func(m *Marked) { m.Target = uint32(target) })
		for way := range ways { // of which each has outer addresses of its own
			outer := ip4("192.0.2.10", fmt.Sprintf("192.0.2.%d", 20+way), layers.IPProtocolIPv4)
			for _, packet := range [][]byte{
				build(t, between, udp(40000, 40001), raw(canary)),
				build(t, between, udp(40000, 40001), raw(first)),
				build(t, between, udp(5432, 5432), raw(make([]byte, 40))),
			} {
				link.Add(tx(build(t, eth(layers.EthernetTypeIPv4), outer, raw(packet))))
			}
			// Of packets of classes the outer addresses decide what they are.
			link.Add(tx(build(t, eth(layers.EthernetTypeIPv4), outer, raw(class))))
			want[leaking{0, target, evidence.LeakedByMark, evidence.ClassNumbered(1), byte(20 + way)}] = 1
		}
		want[leaking{0, target, evidence.LeakedByMark, "", 0}] = 2 * ways
		want[leaking{0, target, evidence.LeakedByRange, "", 0}] = ways
	}
	got := map[leaking]uint64{}
	samples := pick(t, stats.Messages(), leakOf)
	for _, s := range samples {
		pair := leaking{s.Source, s.Target, s.By, s.Class, 0}
		if s.Class != "" {
			pair.outer = s.OuterTarget.As4()[3]
		}
		got[pair] += s.Count
		if s.Link != "eth0" || s.Direction != evidence.DirectionTX || s.Layers == "" || len(s.Sample) == 0 {
			t.Errorf("%+v", s)
		}
	}
	for pair, count := range want {
		if got[pair] != count {
			t.Errorf("%+v: %d, want %d", pair, got[pair], count)
		}
	}
	if len(got) != len(want) || len(samples) > (3+ways)*pairs+2*maxLeaks {
		t.Errorf("%d pairs of %d, %d samples", len(got), len(want), len(samples))
	}
}

// What is kept has a bound that no number of pairs exceeds, and counts all of them.
func TestLeakingPairsAreBounded(t *testing.T) {
	const pairs = 2 * maxLeakPairs
	var all sightings[leakKey]
	for n := range pairs {
		key := leakKey{target: n, layers: "udp"}
		all.count(key, key.ofPair())
	}
	sum := uint64(0)
	for _, s := range all.all {
		sum += s.Count
	}
	if len(all.all) != maxLeakPairs || len(all.byID) > 2*maxLeakPairs || sum != pairs {
		t.Errorf("%d samples by %d keys of %d leaks", len(all.all), len(all.byID), sum)
	}
}
