package wire

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A subject keeps its own list of ports, whatever becomes of the request's.
func TestNewSubject(t *testing.T) {
	run, err := NewRun(make([]byte, MarkSize), bytes.Repeat([]byte{7}, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	request := evidence.CaptureRequest{Ports: []uint16{51820},
		Sizes: []int{96}, Keys: []string{publicKey(1)}, Pods: pods,
		Ranges: []evidence.PodRange{{Index: 1}}}
	subject := NewSubject(run, 3, request)
	request.Ports[0] = 1
	if subject.Node != 3 || !bytes.Equal(subject.Key, run.Key) || !slices.Equal(subject.Ports, []uint16{51820}) ||
		len(subject.Sizes) != 1 || len(subject.Keys) != 1 || len(subject.Pods) != 2 || len(subject.Ranges) != 1 {
		t.Errorf("%+v", subject)
	}
}

// Of a frame with packets of both families the first one is reported.
func TestFlowsOfBothFamilies(t *testing.T) {
	four := sum(podPacket(t, make([]byte, 20)))
	other := six(59, 4, make([]byte, 4))
	for _, row := range []struct {
		name   string
		b      []byte
		family int
	}{
		{"IPv4 first", slices.Concat(four, other), 4},
		{"IPv6 first", slices.Concat(other, four), 6},
		{"IPv4 alone", four, 4},
		{"IPv6 alone", other, 6},
	} {
		stats := newStats(t, testSubject())
		stats.Link("eth0", evidence.RoleOutside).Add(tx(build(t, eth(layers.EthernetType(0x9999)), raw(row.b))))
		if seen := pick(t, stats.Messages(), leakOf); len(seen) != 1 || seen[0].Family != row.family {
			t.Errorf("%s: %+v", row.name, seen)
		}
	}
}
