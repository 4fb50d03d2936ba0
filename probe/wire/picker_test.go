package wire

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func newPicker(t *testing.T, request evidence.LiveRequest) *Picker {
	t.Helper()
	p, err := NewPicker(watching(), request)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPicker(t *testing.T) {
	message := underlay(t, data(7, 1, 96))
	leak := build(t, eth(layers.EthernetTypeIPv4), raw(db(t)))
	vxlan := build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolUDP),
		udp(9, 8472), raw([]byte{8, 0, 0, 0, 0, 0, 1, 0}), raw(leak))
	malformed := underlay(t, []byte("cleartext on a WireGuard port"))
	kubelet := build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolTCP),
		&layers.TCP{SrcPort: 10250, DstPort: 40000, DataOffset: 5}, raw([]byte("a frame in base64")))
	arp := build(t, eth(layers.EthernetTypeARP), raw(make([]byte, 28)))
	inner := db(t)

	const outside, tunnel = evidence.RoleOutside, evidence.RoleWireGuard
	without := evidence.LiveRequest{Pick: evidence.PickAll, Without: []uint16{10250}}
	to := func(pick, prefix string) evidence.LiveRequest {
		return evidence.LiveRequest{Pick: pick, Ends: []netip.Prefix{netip.MustParsePrefix(prefix)}}
	}
	for _, row := range []struct {
		name    string
		request evidence.LiveRequest
		role    evidence.LinkRole
		frame   Frame
		want    int // bytes that are shown, 0 if it is not wanted
		leak    bool
	}{
		{"a message, whole", evidence.LiveRequest{Pick: evidence.PickWireGuard}, outside, tx(message), len(message), false},
		{"a message, by snap", evidence.LiveRequest{Pick: evidence.PickWireGuard, Snap: 60}, outside, tx(message), 60, false},
		{"what is no message on its port, headers", evidence.LiveRequest{Pick: evidence.PickWireGuard}, outside,
			tx(malformed), 14 + 20 + 8, false},
		{"a leak is no message", evidence.LiveRequest{Pick: evidence.PickWireGuard}, outside, tx(leak), 0, false},
		{"a leak, headers", evidence.LiveRequest{Pick: evidence.PickLeaks}, outside, tx(leak), 14 + 20 + 20, true},
		{"a leak, payload", evidence.LiveRequest{Pick: evidence.PickLeaks, Payload: true}, outside, tx(leak), len(leak), true},
		{"a leak in VXLAN, inner headers", evidence.LiveRequest{Pick: evidence.PickLeaks}, outside, tx(vxlan),
			14 + 20 + 8 + 8 + 14 + 20 + 20, true},
		{"a leak of another host", evidence.LiveRequest{Pick: evidence.PickLeaks}, outside, rx(leak), 0, false},
		{"a message is no leak", evidence.LiveRequest{Pick: evidence.PickLeaks}, outside, tx(message), 0, false},
		{"all", evidence.LiveRequest{Pick: evidence.PickAll}, outside, tx(kubelet), 14 + 20 + 20, false},
		{"without the capture itself", without, outside, tx(kubelet), 0, false},
		{"without it, others", without, outside, tx(leak), 14 + 20 + 20, true},
		{"ARP", evidence.LiveRequest{Pick: evidence.PickAll}, outside, rx(arp), 14 + 28, false},
		{"in the tunnel all is wanted", evidence.LiveRequest{Pick: evidence.PickWireGuard}, tunnel,
			Frame{Data: inner, Header: RawIP, Direction: evidence.DirectionTX}, 20 + 20, false},
		{"in the tunnel nothing leaks", evidence.LiveRequest{Pick: evidence.PickLeaks}, tunnel,
			Frame{Data: inner, Header: RawIP, Direction: evidence.DirectionTX}, 0, false},
		{"to a peer", to(evidence.PickWireGuard, "192.0.2.11/32"), outside, tx(message), len(message), false},
		{"to another peer", to(evidence.PickWireGuard, "192.0.2.12/32"), outside, tx(message), 0, false},
		{"a leak to a peer's pods", to(evidence.PickLeaks, "10.42.1.0/24"), outside, tx(vxlan),
			14 + 20 + 8 + 8 + 14 + 20 + 20, true},
	} {
		got, wanted := newPicker(t, row.request).Link("eth0", row.role, false).Pick(row.frame)
		if wanted != (row.want > 0) || len(got.Data) != row.want || (got.Leak != nil) != row.leak {
			t.Errorf("%s: wanted %v with %d bytes, leak %v; want %d, %v",
				row.name, wanted, len(got.Data), got.Leak, row.want, row.leak)
		}
		if wanted && (got.Length != len(row.frame.Data) || got.Link != "eth0") {
			t.Errorf("%s: %+v", row.name, got)
		}
		if bytes.Contains(got.Data, []byte("customer")) && !row.request.Payload {
			t.Errorf("%s: payload was kept", row.name)
		}
	}
}

// The VLAN tag that the kernel took off stands where it was.
func TestPickerVLAN(t *testing.T) {
	frame := tx(underlay(t, data(7, 1, 96)))
	frame.Tagged, frame.VLAN = true, 300
	got, wanted := newPicker(t, evidence.LiveRequest{Pick: evidence.PickWireGuard}).Link("eth0", evidence.RoleOutside, false).Pick(frame)
	want := bytes.Join([][]byte{frame.Data[:12], {0x81, 0, 1, 44}, frame.Data[12:]}, nil)
	if !wanted || !bytes.Equal(got.Data, want) || got.Length != len(want) {
		t.Errorf("%x of %d bytes, want %x", got.Data, got.Length, want)
	}
}

// The longest frame with the longest names is a message.
func TestPickedFrameIsAMessage(t *testing.T) {
	frame := tx(underlay(t, data(7, 1, 64000)))
	name := strings.Repeat("\x01", 15)
	got, wanted := newPicker(t, evidence.LiveRequest{Pick: evidence.PickWireGuard}).Link(name, evidence.RoleOutside, false).Pick(frame)
	if !wanted || len(got.Data) != evidence.MaxFrameData {
		t.Fatalf("%d bytes, want %d", len(got.Data), evidence.MaxFrameData)
	}
	got.Leak = &evidence.FrameLeak{Source: 99999, Target: 99999}
	message := evidence.Message{Stream: "probe/" + strings.Repeat("n", 253), Seq: 1 << 31, Frame: &got}
	if _, err := evidence.Encode(&message); err != nil {
		t.Error(err)
	}
}
