package wire

import (
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Two packets of a pair are one if kind, transport, size and sequence are the same.
// Each of them alone makes another packet.
func TestWhatMakesAPacketAnother(t *testing.T) {
	base := about(func(*Marked) {})
	all := []Marked{base}
	for _, change := range []func(*Marked){
		func(m *Marked) { m.Kind = KindAnswer },
		func(m *Marked) { m.Kind = KindTry },
		func(m *Marked) { m.Transport = TransportTCP },
		func(m *Marked) { m.Transport = TransportICMP },
		func(m *Marked) { m.Size++ },
		func(m *Marked) { m.Size += 256 },
		func(m *Marked) { m.Sequence++ },
		func(m *Marked) { m.Sequence += 256 },
		func(m *Marked) { m.Source = 1 }, // an echo that comes back
		func(m *Marked) { m.Source, m.Sequence = 1, 2 },
		func(m *Marked) { m.Source, m.Kind = 1, KindAnswer },
	} {
		all = append(all, about(change))
	}
	w := seenPair{}
	for i := range all {
		if !w.fresh(&all[i]) {
			t.Errorf("%+v counts as seen", all[i])
		}
	}
	for i := range all {
		if w.fresh(&all[i]) {
			t.Errorf("%+v counts twice", all[i])
		}
	}
}

// So many packets of a pair are distinguished from each other, and so many pairs
// are counted; a count can only become too small.
func TestSeenPairsAreBounded(t *testing.T) {
	w := seenPair{}
	for n := range maxDistinct {
		m := about(func(m *Marked) { m.Sequence = uint16(n) })
		if !w.fresh(&m) {
			t.Fatalf("packet %d counts as seen", n)
		}
	}
	if m := about(func(m *Marked) { m.Sequence = maxDistinct }); w.fresh(&m) {
		t.Error("one packet too many is counted")
	}
	pairs := seenPairs{}
	for n := range maxPairs {
		if pairs.of(pairKey{direction: "tx", family: 4, source: n}) == nil {
			t.Fatalf("there is no room for pair %d", n)
		}
	}
	if pairs.of(pairKey{direction: "tx", family: 4, source: maxPairs}) != nil || len(pairs) != maxPairs {
		t.Error("one pair too many is kept")
	}
	link := newStats(t, testSubject()).Link("eth0", evidence.RoleOutside)
	for n := range maxPairs + 1 {
		link.note(&Marked{Transport: TransportUDP, Target: uint32(n)})
	}
	if !link.ControlLeft(maxPairs-1) || link.ControlLeft(maxPairs) {
		t.Error("controls for so many nodes are noted, and no more")
	}
}

// Each message is of one direction and family, with 64 pairs at most.
func TestSeenPairsByDirectionAndFamily(t *testing.T) {
	pairs := seenPairs{}
	for _, key := range []pairKey{{"rx", 4, 1, 0}, {"tx", 4, 0, 1}, {"tx", 6, 0, 1}, {"rx", 6, 1, 0}, {"rx", 6, 0, 1}} {
		pairs.of(key).UDP = 1
	}
	for n := range maxSeen + 1 {
		pairs.of(pairKey{"tx", 4, 0, 1 + n}).UDP = 1
	}
	type group struct {
		direction string
		family    int
		pairs     int
	}
	var got []group
	for _, m := range pairs.messages("wg0") {
		got = append(got, group{m.Witness.Direction, m.Witness.Family, len(m.Witness.Seen)})
		if m.Witness.Link != "wg0" {
			t.Errorf("of link %s", m.Witness.Link)
		}
	}
	if want := []group{{"rx", 4, 1}, {"rx", 6, 2}, {"tx", 4, 64},
		{"tx", 4, 1}, {"tx", 6, 1}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Echo requests and replies of both families, RFC 792 and RFC 4443: the type, and
// a code of 0, eight bytes before what they carry.
func TestEchoTypes(t *testing.T) {
	for _, row := range []struct {
		b      []byte
		family uint8
		want   int
	}{
		{[]byte{8, 0, 1, 2, 3, 4, 5, 6}, 4, echoRequest},
		{[]byte{0, 0, 1, 2, 3, 4, 5, 6}, 4, echoReply},
		{[]byte{128, 0, 1, 2, 3, 4, 5, 6}, 6, echoRequest},
		{[]byte{129, 0, 1, 2, 3, 4, 5, 6}, 6, echoReply},
		{[]byte{9, 9, 8, 0, 1, 2, 3, 4, 5, 6}, 4, echoRequest},
		{[]byte{8, 0, 1, 2, 3, 4, 5, 6}, 6, 0},
		{[]byte{128, 0, 1, 2, 3, 4, 5, 6}, 4, 0},
		{[]byte{8, 1, 1, 2, 3, 4, 5, 6}, 4, 0},
		{[]byte{3, 0, 1, 2, 3, 4, 5, 6}, 4, 0},
		{[]byte{8, 0, 1, 2, 3, 4, 5}, 4, 0},
		{nil, 4, 0},
	} {
		if got := echoType(row.b, row.family); got != row.want {
			t.Errorf("% x over IPv%d: %d, want %d", row.b, row.family, got, row.want)
		}
	}
}

// Tries are distinguished by number, and those of both directions are apart, the
// arriving ones first.
func TestTriesInOrder(t *testing.T) {
	var all tries
	for _, one := range []struct {
		id        uint16
		direction string
	}{{7, "tx"}, {3, "tx"}, {7, "rx"}, {300, "rx"}, {7, "tx"}} {
		all.add(&Frame{Direction: one.direction}, &Marked{Sequence: one.id})
	}
	var got []evidence.TrySeen
	for _, m := range all.messages("wg0") {
		got = append(got, *m.TrySeen)
	}
	want := []evidence.TrySeen{
		{ID: 3, Link: "wg0", Direction: "tx", Count: 1}, {ID: 7, Link: "wg0", Direction: "rx", Count: 1},
		{ID: 7, Link: "wg0", Direction: "tx", Count: 2}, {ID: 300, Link: "wg0", Direction: "rx", Count: 1},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
