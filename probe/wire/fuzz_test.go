package wire

import (
	"bytes"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// FuzzFrame feeds anything at all: nothing may panic or grow, whatever holds
// the run's mark in clear is a leak, and messages stay fit to be written.
func FuzzFrame(f *testing.F) {
	pod := podPacket(f, canary(f, 100))
	for _, seed := range [][]byte{
		{}, underlay(f, data(1, 2, 96)), underlay(f, append(data(1, 2, 96), data(1, 3, 96)...)),
		underlay(f, append([]byte{1}, make([]byte, 147)...)), underlay(f, control(f, TransportUDP, 3)),
		build(f, eth(layers.EthernetTypeIPv4), raw(pod)),
		build(f, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", 17), udp(9, 8472),
			raw([]byte{8, 0, 0, 0, 0, 0, 1, 0}), eth(layers.EthernetTypeIPv4), raw(pod)),
		build(f, eth(layers.EthernetTypeIPv6), ip6("fd42::7", "fd42:1::9", 0),
			raw([]byte{43, 0, 0, 0, 0, 0, 0, 0, 44, 1})),
	} {
		f.Add(seed, 0, false)
		f.Add(seed, 96, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, segment int, rawIP bool) {
		stats := newStats(t, watching())
		link := stats.Link("eth0", evidence.RoleOutside)
		inside := stats.Link("wg0", evidence.RoleWireGuard)
		frame := Frame{Data: b, Segment: segment, Direction: evidence.DirectionTX}
		if rawIP {
			frame.Header = RawIP
		}
		link.Add(frame)
		inside.Add(frame)
		messages := stats.Messages()
		leaks, controls := pick(t, messages, leakOf), pick(t, messages, captureOf)[0].Classes["control"]
		// A control that a router quotes may be cut in its header.
		cut := bytes.Index(b, testMark[:]) > len(b)-MarkedSize
		if bytes.Contains(b, testMark[:]) && len(leaks) == 0 && controls == 0 && !cut {
			t.Error("a mark was not seen")
		}
		for _, leak := range leaks {
			if len(leak.Sample) > maxSample {
				t.Error("the sample is too long")
			}
		}
		pick(t, messages, tunnelOf)
	})
}

// FuzzMarked: what parses with a key was made with it, and what was made parses.
func FuzzMarked(f *testing.F) {
	f.Add(canary(f, 48))
	f.Add(control(f, TransportFrame, 0))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok := ParseMarked(b, testMark, testKey)
		if !ok {
			return
		}
		again := m.Append(nil, testMark, testKey)
		if b[19] == 0 && !bytes.Equal(again, b[:MarkedSize]) {
			t.Errorf("made % x, parsed % x", again, b[:MarkedSize])
		}
	})
}
