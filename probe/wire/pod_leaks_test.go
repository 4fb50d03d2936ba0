package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// watching is a subject of node 0, which watches all pods of three nodes.
func watching() Subject {
	s := testSubject()
	s.Ranges = []evidence.PodRange{
		{Index: 0, Prefixes: prefixes("10.42.0.0/24", "fd42::/64", "10.77.0.9/32")},
		{Index: 1, Prefixes: prefixes("10.42.1.0/24", "fd42:1::/64")},
		{Index: 2, Prefixes: prefixes("10.42.2.0/24", "fd42:2::/64")},
	}
	s.Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::10")}
	s.Ethers = [][6]byte{[6]byte(macA)}
	return s
}

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// db is a packet of a pod that is none of the test's.
func db(t testing.TB) []byte {
	return build(t, ip4("10.42.0.33", "10.42.1.44", layers.IPProtocolTCP),
		&layers.TCP{SrcPort: 40001, DstPort: 5432, DataOffset: 5, SYN: true},
		raw([]byte("secret of a customer")))
}

// firstFragment is the first half of a datagram that carries a packet.
func firstFragment(t testing.TB, packet []byte) []byte {
	packet = bytes.Clone(packet)
	binary.BigEndian.PutUint16(packet[10:], ^uint16(checksum(packet[:20])))
	whole := build(t, udp(9, 5555), raw(packet))
	outer := ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolUDP).(*layers.IPv4)
	outer.Flags = layers.IPv4MoreFragments
	return build(t, eth(layers.EthernetTypeIPv4), outer, raw(whole[:48]))
}

// A packet's header that does not reach to the end is a quote or a sample, and
// one that does not prove itself is none.
func TestQuotesOfOtherPods(t *testing.T) {
	sample := db(t)
	broken := bytes.Clone(sample)
	broken[10]++
	for name, payload := range map[string][]byte{
		"a sample that was cut": sample[:36], "one of several samples": append(bytes.Clone(sample),
			make([]byte, 200)...), "a wrong checksum": broken,
	} {
		frame := build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolUDP),
			udp(9, 6343), raw(make([]byte, 6)), raw(payload))
		stats := newStats(t, watching())
		stats.Link("eth0", evidence.RoleOutside).Add(tx(frame))
		if seen := pick(t, stats.Messages(), leakOf); len(seen) != 0 {
			t.Errorf("%s: %+v", name, seen)
		}
	}
}

// TestOtherPods: a packet of any pod is found bare and in each encapsulation
// that can be read, and nothing of its payload is kept.
func TestOtherPods(t *testing.T) {
	outer := func(protocol layers.IPProtocol, payload ...[]byte) []byte {
		return build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", protocol),
			raw(bytes.Join(payload, nil)))
	}
	tunnel := func(port uint16, payload ...[]byte) []byte {
		return build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolUDP),
			udp(9, port), raw(bytes.Join(payload, nil)))
	}
	framed := build(t, eth(layers.EthernetTypeIPv4), raw(db(t)))
	inner6 := build(t, ip6("fd42::33", "fd42:1::44", layers.IPProtocolTCP),
		&layers.TCP{SrcPort: 40001, DstPort: 5432, DataOffset: 5})
	vxlanHeader, greHeader := []byte{8, 0, 0, 0, 0, 0, 1, 0}, []byte{0, 0, 8, 0}
	fragment := build(t, &layers.IPv4{Version: 4, IHL: 5, FragOffset: 100, TTL: 9, Protocol: 6,
		SrcIP: []byte{10, 42, 0, 33}, DstIP: []byte{10, 42, 1, 44}},
		raw(make([]byte, 64)))
	fragment6 := build(t, ip6("fd42::33", "fd42:1::44", layers.IPProtocolIPv6Fragment),
		raw([]byte{6, 0, 0, 0x88, 0, 0, 0, 1}), raw(make([]byte, 64)))
	chained6 := build(t, ip6("fd42::33", "fd42:1::44", layers.IPProtocolIPv6Destination),
		raw([]byte{6, 0, 1, 4, 0, 0, 0, 0}),
		&layers.TCP{SrcPort: 40001, DstPort: 5432, DataOffset: 5})
	for _, row := range []struct {
		name, layers string
		frame        []byte
		port         uint16
	}{
		{"bare", "ethernet ipv4 tcp", framed, 5432},
		{"bare IPv6", "ethernet ipv6 tcp", build(t, eth(layers.EthernetTypeIPv6), raw(inner6)), 5432},
		{"IPv6 with options", "ethernet ipv6 tcp", build(t, eth(layers.EthernetTypeIPv6), raw(chained6)), 5432},
		{"a later fragment", "ethernet ipv4 fragment", build(t, eth(layers.EthernetTypeIPv4), raw(fragment)), 0},
		{"a later fragment of IPv6", "ethernet ipv6 fragment",
			build(t, eth(layers.EthernetTypeIPv6), raw(fragment6)), 0},
		{"VLAN", "ethernet vlan ipv4 tcp", build(t, eth(layers.EthernetTypeDot1Q), raw([]byte{0, 7, 8, 0}),
			raw(db(t))), 5432},
		{"MPLS", "ethernet mpls ipv4 tcp", build(t, eth(layers.EthernetTypeMPLSUnicast), raw([]byte{0, 1, 1, 9}),
			raw(db(t))), 5432},
		{"PPPoE", "ethernet pppoe ipv4 tcp", build(t, eth(layers.EthernetTypePPPoESession),
			raw([]byte{0x11, 0, 0, 1, 0, 62, 0, 0x21}), raw(db(t))), 5432},
		{"VXLAN", "ethernet ipv4 udp:4789 vxlan ethernet ipv4 tcp", tunnel(4789, vxlanHeader, framed), 5432},
		{"VXLAN on another port", "ethernet ipv4 udp:7777 vxlan ethernet ipv4 tcp",
			tunnel(7777, vxlanHeader, framed), 5432},
		{"Geneve", "ethernet ipv4 udp:6081 geneve ethernet ipv4 tcp",
			tunnel(6081, []byte{0, 0, 0x65, 0x58, 0, 0, 1, 0}, framed), 5432},
		{"GRE", "ethernet ipv4 gre ipv4 tcp", outer(layers.IPProtocolGRE, greHeader, db(t)), 5432},
		{"IP-in-IP", "ethernet ipv4 ipv4 tcp", outer(layers.IPProtocolIPv4, db(t)), 5432},
		{"6in4", "ethernet ipv4 ipv6 tcp", outer(layers.IPProtocolIPv6, inner6), 5432},
		{"FOU", "ethernet ipv4 udp:5555 ipv4 tcp", tunnel(5555, db(t)), 5432},
		{"a shim in UDP", "ethernet ipv4 udp:5555 unknown ipv4", tunnel(5555, []byte{1, 2, 3, 4, 5, 6}, db(t)), 5432},
		{"a shim before IPv6", "ethernet ipv4 udp:5555 unknown ipv6",
			tunnel(5555, []byte{1, 2, 3, 4, 5, 6}, inner6), 5432},
		{"MPLS in UDP", "ethernet ipv4 udp:6635 unknown ipv4", tunnel(6635, []byte{0, 1, 1, 9}, db(t)), 5432},
		{"VXLAN-GPE", "ethernet ipv4 udp:4790 unknown ipv4",
			tunnel(4790, []byte{0x0c, 0, 0, 1, 0, 0, 1, 0}, db(t)), 5432},
		{"GTP-U", "ethernet ipv4 udp:2152 unknown ipv4",
			tunnel(2152, []byte{0x30, 255, 0, 60, 0, 0, 0, 7}, db(t)), 5432},
		{"L2TP in UDP", "ethernet ipv4 udp:1701 unknown ipv4",
			tunnel(1701, []byte{0, 2, 0, 1, 0, 2, 0xff, 3, 0, 0x21}, db(t)), 5432},
		{"GUE", "ethernet ipv4 udp:6080 unknown ipv4", tunnel(6080, []byte{1, 4, 0, 0, 0, 0, 0, 0}, db(t)), 5432},
		{"ESP without encryption", "ethernet ipv4 esp unknown ipv4",
			outer(layers.IPProtocolESP, []byte{0, 0, 0, 9, 0, 0, 0, 1}, db(t), []byte{1, 2, 2, 4},
				make([]byte, 12)), 5432},
		{"ESP in UDP without encryption", "ethernet ipv4 udp:4500 unknown ipv4",
			tunnel(4500, []byte{0, 0, 0, 9, 0, 0, 0, 1}, db(t), []byte{1, 2, 2, 4}, make([]byte, 12)), 5432},
		{"EtherIP", "ethernet ipv4 unknown ipv4", outer(97, []byte{0x30, 0}, framed), 5432},
		{"MPLS in IP", "ethernet ipv4 unknown ipv4", outer(layers.IPProtocolMPLSInIP, []byte{0, 1, 1, 9}, db(t)), 5432},
		{"L2TPv3", "ethernet ipv4 unknown ipv4", outer(115, []byte{0, 0, 0, 7, 0, 0, 0, 0}, framed), 5432},
		{"ERSPAN", "ethernet ipv4 gre unknown ipv4",
			outer(layers.IPProtocolGRE, []byte{0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 1, 0, 0, 0, 0, 0, 0},
				framed), 5432},
		{"NSH", "ethernet unknown ipv4", build(t, eth(0x894f), raw([]byte{0, 2, 2, 1, 0, 0, 1, 255}),
			raw(db(t))), 5432},
		{"MACsec without encryption", "ethernet unknown ipv4",
			build(t, eth(0x88e5), raw([]byte{0, 0, 0, 0, 0, 1, 8, 0}), raw(db(t)), raw(make([]byte, 16))), 5432},
		{"LLC and SNAP", "ethernet unknown ipv4", build(t, eth(72), raw([]byte{0xaa, 0xaa, 3, 0, 0, 0, 8, 0}),
			raw(db(t))), 5432},
		{"provider bridging", "ethernet unknown ipv4",
			build(t, eth(0x88e7), raw([]byte{0, 0, 0, 7}), raw(framed)), 5432},
		{"the first fragment of IP in UDP", "ethernet ipv4 udp:5555 unknown ipv4", firstFragment(t, db(t)), 5432},
		{"VXLAN in GRE", "ethernet ipv4 gre ipv4 udp:4789 vxlan ethernet ipv4 tcp",
			outer(layers.IPProtocolGRE, greHeader,
				build(t, ip4("198.51.100.1", "198.51.100.2", layers.IPProtocolUDP), udp(9, 4789), raw(vxlanHeader),
					raw(framed))), 5432},
		{"quoted by a router", "ethernet ipv4 icmp",
			outer(layers.IPProtocolICMPv4, []byte{11, 0, 0, 0, 0, 0, 0, 0}, db(t)[:28]), 5432},
		{"sent by the node itself", "ethernet ipv4 udp",
			build(t, eth(layers.EthernetTypeIPv4), ip4("10.42.0.0", "10.42.1.44", layers.IPProtocolUDP),
				udp(9, 53)), 53},
		{"of a pod that only the run knows of", "ethernet ipv4 udp",
			build(t, eth(layers.EthernetTypeIPv4), ip4("10.77.0.9", "10.42.1.44", layers.IPProtocolUDP),
				udp(9, 53)), 53},
	} {
		t.Run(row.name, func(t *testing.T) {
			stats := newStats(t, watching())
			link := stats.Link("eth0", evidence.RoleOutside)
			for range 3 {
				link.Add(tx(row.frame))
			}
			seen := pick(t, stats.Messages(), leakOf)
			if len(seen) != 1 {
				t.Fatalf("%d leaks", len(seen))
			}
			s := seen[0]
			if s.By != evidence.LeakedByRange || s.Source != 0 || s.Target != 1 || s.Count != 3 ||
				s.Layers != row.layers || s.TargetPort != row.port {
				t.Errorf("seen as %+v", s)
			}
			if !s.InnerSource.IsValid() || !s.InnerTarget.IsValid() || s.Protocol == 0 {
				t.Errorf("the packet is not named: %+v", s)
			}
			if bytes.Contains(s.Sample, []byte("secr")) || !bytes.HasPrefix(row.frame, s.Sample) || len(s.Sample) < 34 {
				t.Errorf("the sample is %q", s.Sample)
			}
		})
	}
}

// TestNotOurs: two clusters may have the same pod ranges on one network.
//
//	this host: 192.0.2.10 (macA)        others: 192.0.2.66, 192.0.2.77 (macB, macC)
func TestNotOurs(t *testing.T) {
	macC, everyone := []byte{2, 0, 0, 0, 0, 0xc}, []byte{255, 255, 255, 255, 255, 255}
	frame := func(target, source []byte, packet ...[]byte) []byte {
		return bytes.Join([][]byte{target, source, {8, 0}, bytes.Join(packet, nil)}, nil)
	}
	vxlanned := func(source, target string) []byte {
		return build(t, ip4(source, target, layers.IPProtocolUDP), udp(9, 4789), raw([]byte{8, 0, 0, 0, 0, 0, 1, 0}),
			eth(layers.EthernetTypeIPv4), raw(db(t)))
	}
	same := build(t, ip4("10.42.0.33", "10.42.0.34", layers.IPProtocolUDP), udp(1, 2))
	for _, row := range []struct {
		name   string
		frame  Frame
		leak   bool
		toLink bool
	}{
		{"sent bare by this host", tx(frame(macB, macA, db(t))), true, false},
		{"a virtual machine's, bridged", tx(frame(macB, macC, db(t))), false, false},
		{"a virtual machine's, in VXLAN", tx(frame(macB, macC, vxlanned("192.0.2.66", "192.0.2.77"))), false, false},
		{"a virtual machine's, in VXLAN, routed by this host",
			tx(frame(macB, macA, vxlanned("192.0.2.66", "192.0.2.77"))), false, false},
		{"sent in VXLAN by this host", tx(frame(macB, macA, vxlanned("192.0.2.10", "192.0.2.11"))), true, false},
		{"sent in VXLAN to a group by this host", tx(frame(macB, macA, vxlanned("192.0.2.10", "239.1.1.1"))),
			true, false},
		{"arrived bare", rx(frame(macA, macB, db(t))), true, true},
		{"arrived bare at a bridge's port", rx(frame(macA, macB, db(t))), true, false},
		{"arrived bare at a link whose address is new", rx(frame(macC, macB, db(t))), true, true},
		{"overheard bare", rx(frame(macC, macB, db(t))), false, false},
		{"broadcast", rx(frame(everyone, macB, db(t))), false, false},
		{"arrived in VXLAN", rx(frame(macA, macB, vxlanned("192.0.2.11", "192.0.2.10"))), true, true},
		{"overheard in VXLAN", rx(frame(macC, macB, vxlanned("192.0.2.66", "192.0.2.77"))), false, false},
		{"overheard in VXLAN for the same address on another network",
			rx(frame(macC, macB, vxlanned("192.0.2.66", "192.0.2.10"))), false, false},
		{"to be forwarded, in VXLAN", rx(frame(macA, macB, vxlanned("192.0.2.66", "192.0.2.77"))), false, true},
		{"heard by a VXLAN group", rx(frame([]byte{1, 0, 0x5e, 1, 1, 1}, macB, vxlanned("192.0.2.66", "239.1.1.1"))),
			false, false},
		{"between pods of one node", tx(frame(macB, macA, same)), false, false},
		{"from a pod to the internet", tx(frame(macB, macA,
			build(t, ip4("10.42.0.33", "203.0.113.1", layers.IPProtocolUDP), udp(1, 2)))), false, false},
		{"to a pod from elsewhere", rx(frame(macA, macB,
			build(t, ip4("203.0.113.1", "10.42.0.33", layers.IPProtocolUDP), udp(1, 2)))), false, true},
		{"forwarded for two other nodes", tx(frame(macB, macA,
			build(t, ip4("10.42.1.3", "10.42.2.3", layers.IPProtocolUDP), udp(1, 2)))), true, false},
		{"sent into a link without Ethernet", Frame{Data: db(t), Header: RawIP, Direction: evidence.DirectionTX},
			true, false},
		{"ciphertext", tx(underlay(t, append(data(1, 1, 32), db(t)...))), false, false},
		{"a router's error to a pod", rx(frame(macA, macB,
			build(t, ip4("198.51.100.1", "10.42.0.33", layers.IPProtocolICMPv4), raw([]byte{11, 0, 0, 0, 0, 0, 0, 0}),
				raw(db(t)[:28])))), true, true},
		{"a router's error to a pod of another host",
			rx(frame(macC, macB, build(t, ip4("198.51.100.1", "10.42.0.33", layers.IPProtocolICMPv4),
				raw([]byte{11, 0, 0, 0, 0, 0, 0, 0}), raw(db(t)[:28])))), false, false},
		{"an echo that only looks like one", rx(frame(macA, macB,
			build(t, ip4("198.51.100.1", "192.0.2.10", layers.IPProtocolICMPv4), raw([]byte{0, 0, 0, 0, 0, 0, 0, 0}),
				raw(db(t)[:28])))), false, true},
		{"empty", tx(nil), false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.frame.ToLink = row.toLink
			stats := newStats(t, watching())
			stats.Link("eth0", evidence.RoleOutside).Add(row.frame)
			seen := pick(t, stats.Messages(), leakOf)
			if (len(seen) == 1) != row.leak {
				t.Errorf("%d leaks: %+v", len(seen), seen)
			}
		})
	}
}

// TestPipe: a link that may lead to a pod of this node, and an uplink that is a
// pipe as well, as in a node that is a container.
func TestPipe(t *testing.T) {
	for _, row := range []struct {
		direction, source, target string
		leak                      bool
	}{
		{"tx", "10.42.1.44", "10.42.0.33", false},
		// as between the host and its pod
		{"rx", "10.42.0.33", "10.42.1.44", false},
		{"tx", "10.42.0.33", "10.42.1.44", true}, {"rx", "10.42.1.44", "10.42.0.33", true}, // as between two hosts
		{"tx", "10.42.1.44", "10.42.2.33", true}, {"rx", "10.42.1.44", "10.42.2.33", true}, // forwarded
	} {
		for _, pipe := range []bool{false, true} {
			stats := newStats(t, watching())
			link := stats.Link("veth7", evidence.RoleOutside)
			if pipe {
				link.Pipe()
			}
			target, source := macB, macA
			if row.direction == "rx" {
				target, source = macA, macB
			}
			packet := build(t, ip4(row.source, row.target, layers.IPProtocolUDP), udp(1, 2))
			link.Add(Frame{Data: slices.Concat(target, source, []byte{8, 0}, packet), Direction: row.direction})
			if seen := pick(t, stats.Messages(), leakOf); (len(seen) == 1) != (row.leak || !pipe) {
				t.Errorf("pipe %v, %s %s → %s: %d leaks", pipe, row.direction, row.source, row.target, len(seen))
			}
		}
	}
}

// TestFloodOfOthers: whatever other pods send, their leaks stay few, and those
// of the run's own packets keep their room.
func TestFloodOfOthers(t *testing.T) {
	stats := newStats(t, watching())
	link := stats.Link("eth0", evidence.RoleOutside)
	random := rand.New(rand.NewPCG(5, 6))
	for range 5000 {
		packet := build(t, ip4(fmt.Sprintf("10.42.0.%d", random.IntN(256)),
			fmt.Sprintf("10.42.1.%d", 10+random.IntN(200)), layers.IPProtocolUDP),
			udp(uint16(random.Uint32()), uint16(random.Uint32())), raw(make([]byte, 20)))
		link.Add(tx(build(t, eth(layers.EthernetTypeIPv4), raw(packet))))
	}
	for protocol := range 256 {
		link.Add(tx(build(t, eth(layers.EthernetTypeIPv4), ip4("10.42.0.33", "10.42.2.44", layers.IPProtocol(protocol)),
			raw(make([]byte, 60)))))
	}
	link.Add(tx(build(t, eth(layers.EthernetTypeIPv4), raw(podPacket(t, canary(t, 100))))))
	seen := pick(t, stats.Messages(), leakOf)
	marked, others, total := 0, 0, uint64(0)
	for _, s := range seen {
		if s.By == evidence.LeakedByMark {
			marked++
		} else {
			others++
			total += s.Count
		}
	}
	if marked != 1 || others > maxLeaks || total != 5000+256 {
		t.Errorf("%d marked, %d others of %d frames", marked, others, total)
	}
}

// TestNoRanges: without ranges nothing is watched, and nothing is a leak for it.
func TestNoRanges(t *testing.T) {
	subject := watching()
	subject.Ranges = []evidence.PodRange{{Index: 0}, {Index: -1, Prefixes: prefixes("10.42.0.0/24")},
		{Index: 1, Prefixes: []netip.Prefix{{}}}}
	stats := newStats(t, subject)
	stats.Link("eth0", evidence.RoleOutside).Add(tx(build(t, eth(layers.EthernetTypeIPv4), raw(db(t)))))
	if seen := pick(t, stats.Messages(), leakOf); len(seen) != 0 {
		t.Errorf("%+v", seen)
	}
}

// TestOtherTunnels: on a tunnel that is not WireGuard's the run's packets are
// counted, and neither they nor those of others are leaks there.
func TestOtherTunnels(t *testing.T) {
	stats := newStats(t, watching())
	link := stats.Link("flannel.1", evidence.RoleInside)
	link.Add(tx(build(t, eth(layers.EthernetTypeIPv4), raw(podPacket(t, canary(t, 100))))))
	link.Add(tx(build(t, eth(layers.EthernetTypeIPv4), raw(db(t)))))
	messages := stats.Messages()
	if seen := pick(t, messages, leakOf); len(seen) != 0 {
		t.Errorf("%+v", seen)
	}
	seen := pick(t, messages, seenOf)
	if len(seen) != 1 || seen[0].Link != "flannel.1" || seen[0].Seen[0].UDP != 1 {
		t.Errorf("%+v", seen)
	}
}
