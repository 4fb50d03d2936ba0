package pcap

import (
	"encoding/hex"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// twoNodes are a cluster of which the second node takes no part.
//
//	n1 192.0.2.1, pods 10.42.0.0/24      n2 192.0.2.2, pods 10.42.1.0/24
func twoNodes() Cluster {
	node := func(index int, name, address, pods string) evidence.Node {
		return evidence.Node{
			Index: index, Name: name, PodCIDRs: []netip.Prefix{netip.MustParsePrefix(pods)},
			Addresses: []evidence.NodeAddress{{Type: "InternalIP", Addr: address}, {Type: "Hostname", Addr: name}},
		}
	}
	return NewCluster([]evidence.Node{node(0, "n1", "192.0.2.1", "10.42.0.0/24"), node(-1, "n2", "192.0.2.2", "10.42.1.0/24")})
}

func build(t testing.TB, stack ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, stack...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func ethernet(kind layers.EthernetType) *layers.Ethernet {
	return &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, EthernetType: kind}
}

func ipv4(from, to string, next layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: next, SrcIP: net.ParseIP(from), DstIP: net.ParseIP(to)}
}

// underlay is a datagram between the nodes.
func underlay(t testing.TB, port uint16, payload []byte) []byte {
	return build(t, ethernet(layers.EthernetTypeIPv4), ipv4("192.0.2.1", "192.0.2.2", layers.IPProtocolUDP),
		&layers.UDP{SrcPort: 51820, DstPort: layers.UDPPort(port)}, gopacket.Payload(payload))
}

func unhex(text string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

const second = 1e9

func TestLine(t *testing.T) {
	pod := build(t, ipv4("10.42.0.7", "10.42.1.9", layers.IPProtocolTCP), &layers.TCP{SrcPort: 40001, DstPort: 5432, DataOffset: 5, SYN: true})
	framed := build(t, ethernet(layers.EthernetTypeIPv4), gopacket.Payload(pod))
	vxlan := underlay(t, 8472, append(unhex("0800000000000100"), framed...))
	message := func(text string) []byte { return underlay(t, 51820, append(unhex(text), make([]byte, 80)...)) }
	six := build(t, ethernet(layers.EthernetTypeDot1Q), &layers.Dot1Q{VLANIdentifier: 7, Type: layers.EthernetTypeIPv6},
		&layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolICMPv6, SrcIP: net.ParseIP("fd42::1"), DstIP: net.ParseIP("fd42::2")},
		gopacket.Payload(make([]byte, 8)))
	for _, row := range []struct {
		frame evidence.Frame
		want  string
	}{
		{evidence.Frame{Data: message("04000000 78563412 0500000000000000"), Direction: "tx", WireGuard: true},
			"00:00:01.000000 n1 eth0 Out IP 192.0.2.1.51820 > 192.0.2.2.51820: WireGuard data, receiver 0x12345678, counter 5, length 200 (n2)"},
		{evidence.Frame{Data: message("01000000 78563412 0500000000000000"), Direction: "rx", WireGuard: true},
			"00:00:01.000000 n1 eth0 In  IP 192.0.2.1.51820 > 192.0.2.2.51820: WireGuard handshake initiation, sender 0x12345678, length 200 (n2)"},
		{evidence.Frame{Data: message("02000000 78563412 01000000 00000000"), Direction: "tx", WireGuard: true},
			"00:00:01.000000 n1 eth0 Out IP 192.0.2.1.51820 > 192.0.2.2.51820: WireGuard handshake response, sender 0x12345678, receiver 0x00000001, length 200 (n2)"},
		{evidence.Frame{Data: vxlan, Direction: "tx", Leak: &evidence.FrameLeak{Source: 0, Target: 1}},
			"00:00:01.000000 n1 eth0 Out IP 192.0.2.1.51820 > 192.0.2.2.8472: VXLAN vni 1: " +
				"IP 10.42.0.7.40001 > 10.42.1.9.5432: TCP [S], length 200 (n2) LEAK: pods of n1 to pods of n2"},
		{evidence.Frame{Data: pod, Direction: "rx", RawIP: true},
			"00:00:01.000000 n1 eth0 In  IP 10.42.0.7.40001 > 10.42.1.9.5432: TCP [S], length 200"},
		{evidence.Frame{Data: six, Direction: "rx"},
			"00:00:01.000000 n1 eth0 In  vlan 7: IP6 fd42::1 > fd42::2: ICMPv6, length 200"},
		{evidence.Frame{Data: framed[:20], Direction: "rx"}, "00:00:01.000000 n1 eth0 In  IP, cut off, length 200"},
		{evidence.Frame{Data: framed[:3], Direction: "rx"}, "00:00:01.000000 n1 eth0 In  Ethernet, length 200"},
	} {
		row.frame.Link, row.frame.Time, row.frame.Length = "eth0", second, 200
		if got := (Printer{Cluster: twoNodes()}).Line("n1", &row.frame); got != row.want {
			t.Errorf("\ngot  %s\nwant %s", got, row.want)
		}
	}
}

// Whatever a node sends, a line comes of it.
func FuzzLine(f *testing.F) {
	f.Add([]byte("\x45"), true)
	f.Add(make([]byte, 60), false)
	f.Fuzz(func(t *testing.T, b []byte, raw bool) {
		frame := evidence.Frame{Data: b, RawIP: raw, WireGuard: len(b)%2 == 0}
		if line := (Printer{Cluster: twoNodes()}).Line("n1", &frame); strings.Contains(line, "%!") {
			t.Error(line)
		}
	})
}
