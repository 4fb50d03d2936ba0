package wire

import (
	"slices"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func classPacket(t testing.TB, change func(*Marked)) []byte {
	t.Helper()
	h := Marked{Kind: KindClass, Family: 4, Transport: TransportUDP, Class: 1, Target: 1, Sequence: 1}
	change(&h)
	payload, err := h.Payload(MarkedSize, testMark, testKey)
	if err != nil {
		t.Fatal(err)
	}
	return podPacket(t, payload)
}

// A packet of a class counts by itself in a tunnel, each once, and stands in for no
// canary, though it has the pods' addresses. In clear it is a sample of its own,
// with its class, and not of the pods' traffic.
func TestClasses(t *testing.T) {
	stats := newStats(t, testSubject())
	inside := stats.Link("wg0", evidence.RoleWireGuard)
	answer := func(m *Marked) { m.Kind, m.Source, m.Target, m.Class = KindClassAnswer, 1, 0, 6 }
	for _, change := range []func(*Marked){
		func(*Marked) {}, func(*Marked) {}, func(m *Marked) { m.Sequence = 2 }, answer,
	} {
		frame := tx(classPacket(t, change))
		frame.Header = RawIP
		inside.Add(frame)
	}
	var merged []byte
	for sequence := range uint16(4) { // two of them were seen already
		b := classPacket(t, func(m *Marked) { m.Sequence = 1 + sequence })
		merged = append(merged, b[len(b)-MarkedSize:]...)
	}
	frame := tx(podPacket(t, merged))
	frame.Header = RawIP
	inside.Add(frame)
	outside := stats.Link("eth0", evidence.RoleOutside)
	for range 2 {
		outside.Add(tx(build(t, eth(layers.EthernetTypeIPv4), raw(classPacket(t, func(*Marked) {})))))
	}
	outside.Add(tx(build(t, eth(layers.EthernetTypeIPv4), raw(classPacket(t, answer)))))
	var seen []evidence.ClassSeen
	for _, m := range stats.Messages() {
		if m.ClassSeen != nil {
			seen = append(seen, *m.ClassSeen)
		}
		if m.Witness != nil {
			t.Errorf("it stands in for a canary: %+v", m.Witness)
		}
	}
	want := []evidence.ClassSeen{
		{Class: evidence.ClassClusterIP, Link: "wg0", Direction: "tx", Target: 1, Family: 4, Count: 4},
		{Class: evidence.ClassNodeNode, Link: "wg0", Direction: "tx", Source: 1, Family: 4, Answer: true, Count: 1},
	}
	if !slices.Equal(seen, want) {
		t.Errorf("%+v, want %+v", seen, want)
	}
	clear := pick(t, stats.Messages(), leakOf)
	if len(clear) != 2 || clear[0].Class != evidence.ClassClusterIP || clear[0].Answer || clear[0].Count != 2 ||
		clear[0].Source != 0 || clear[0].Target != 1 || clear[1].Class != evidence.ClassNodeNode || !clear[1].Answer {
		t.Errorf("%+v", clear)
	}
}

// What nobody of the run made, and what no class has as its number, is a leak as any
// other: nothing in it says whose it is.
func TestForgedClasses(t *testing.T) {
	forged := forgedMark(t, func(m *Marked) { m.Kind, m.Class = KindClass, 4 })
	strange := classPacket(t, func(m *Marked) { m.Class = 77 })
	for name, b := range map[string][]byte{"forged": forged, "of no class": strange} {
		seen := leaksOf(t, Frame{Data: b, Header: RawIP})
		if len(seen) != 1 || seen[0].Class != "" {
			t.Errorf("%s: %+v", name, seen)
		}
	}
}

// Packets of classes crowd out no leak, and keep within bounds of their own.
func TestClassesAreBounded(t *testing.T) {
	var all classes
	for target := range 2 * maxClassSeen {
		all.add(&Frame{Direction: "tx"}, &Marked{Kind: KindClass, Class: 1, Target: uint32(target)})
	}
	if n := len(all.messages("wg0")); n != maxClassSeen {
		t.Errorf("%d are kept", n)
	}
	link := newStats(t, testSubject()).Link("eth0", evidence.RoleOutside)
	for target := range maxLeaks + 1 {
		link.Add(tx(build(t, eth(layers.EthernetTypeIPv4),
			raw(classPacket(t, func(m *Marked) { m.Target = uint32(target) })))))
	}
	link.Add(tx(build(t, eth(layers.EthernetTypeIPv4), raw(podPacket(t, payload(t, about(func(*Marked) {})))))))
	if len(link.clear.all) != maxLeaks+1 || len(link.leaks.all) != 1 {
		t.Errorf("%d of classes, %d leaks", len(link.clear.all), len(link.leaks.all))
	}
}

// An ICMP error that quotes such a packet is not one.
func TestQuotedClass(t *testing.T) {
	quote := classPacket(t, func(m *Marked) { m.Class = 4 })
	frame := build(t, eth(layers.EthernetTypeIPv4), ip4("10.42.1.5", "10.42.0.5", layers.IPProtocolICMPv4),
		raw(slices.Concat([]byte{3, 3, 0, 0, 0, 0, 0, 0}, quote)))
	if seen := leaksOf(t, tx(frame)); len(seen) != 0 {
		t.Errorf("%+v", seen)
	}
}
