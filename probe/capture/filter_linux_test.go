package capture

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"golang.org/x/net/bpf"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

const testSnap = 1 << 16

// stacked serialises layers with gopacket, so that the filter is tried on
// headers that someone else wrote.
func stacked(t *testing.T, stack ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, stack...); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(b.Bytes())
}

func raw(parts ...[]byte) gopacket.Payload { return slices.Concat(parts...) }

func ip4(next layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{Version: 4, TTL: 64, Protocol: next, SrcIP: net.IP{10, 42, 1, 9}, DstIP: net.IP{10, 42, 0, 7}}
}

func ip6(next layers.IPProtocol) *layers.IPv6 {
	return &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: next, SrcIP: net.ParseIP("fd42:1::9"),
		DstIP: net.ParseIP("fd42::7")}
}

func udp(to layers.UDPPort) *layers.UDP { return &layers.UDP{SrcPort: 40000, DstPort: to} }

func ethernetOf(kind layers.EthernetType) *layers.Ethernet {
	return &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2},
		EthernetType: kind}
}

// passes reports whether the filter of a WireGuard link lets a packet in. What
// asks for the link's type is the kernel's alone and left out.
func passes(t *testing.T, vm *bpf.VM, packet []byte) bool {
	t.Helper()
	n, err := vm.Run(packet)
	if err != nil || n != 0 && n != testSnap {
		t.Fatalf("%d of %x, %v", n, packet, err)
	}
	return n > 0
}

func newVM(t *testing.T, inner ...uint16) *bpf.VM {
	t.Helper()
	program := filterOf(evidence.Link{Role: evidence.RoleWireGuard}, [wire.MarkSize]byte(testMark), testSnap, inner)
	vm, err := bpf.NewVM(program[3:])
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

type passage struct {
	name   string
	packet []byte
	passes bool
}

// passages are packets of either family on a WireGuard link, bare and in VXLAN.
func passages(t *testing.T) (all []passage) {
	canary, bulk := slices.Repeat(marked(t, wire.KindCanary, 48), 4), make([]byte, 1300)
	port, echo := layers.UDPPort(9), []byte{0, 0, 0, 0, 0, 9, 0, 1}
	tcp := &layers.TCP{SrcPort: 9, DstPort: 9, ACK: true}
	longTCP := &layers.TCP{SrcPort: 9, DstPort: 9, ACK: true, Options: []layers.TCPOption{
		{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: make([]byte, 8)},
		{OptionType: layers.TCPOptionKindNop}}}
	question, err := wire.Question(1, canary[:wire.MarkedSize], "cluster.local")
	if err != nil {
		t.Fatal(err)
	}
	options := func(next layers.IPProtocol) *layers.IPv4 {
		ip := ip4(next)
		ip.Options = []layers.IPv4Option{{OptionType: 148, OptionLength: 4, OptionData: []byte{0, 0}}} // router alert
		return ip
	}
	fragment := func(offset uint16) *layers.IPv4 {
		ip := ip4(layers.IPProtocolUDP)
		ip.FragOffset, ip.Flags = offset, layers.IPv4MoreFragments
		return ip
	}
	bare := []passage{
		{"udp canary", stacked(t, ip4(17), udp(port), raw(canary)), true},
		{"udp canary behind options", stacked(t, options(17), udp(port), raw(canary)), true},
		{"udp of others", stacked(t, ip4(17), udp(port), raw(bulk)), false},
		{"udp of others behind options", stacked(t, options(17), udp(port), raw(bulk)), false},
		{"udp of others with a mark further on", stacked(t, ip4(17), udp(port), raw([]byte("amid"), canary)), false},
		{"question", stacked(t, ip4(17), udp(53), raw(question)), true},
		{"question behind options", stacked(t, options(17), udp(53), raw(question)), true},
		{"question, IPv6", stacked(t, ip6(17), udp(53), raw(question)), true},
		{"question of others", stacked(t, ip4(17), udp(53), raw(question[:wire.QuestionAt], bulk)), false},
		{"empty udp", stacked(t, ip4(17), udp(port)), false},
		{"first fragment of a canary", stacked(t, fragment(0), udp(port), raw(canary)), true},
		{"first fragment of others", stacked(t, fragment(0), udp(port), raw(bulk)), false},
		{"later fragment", stacked(t, fragment(6), raw(bulk)), true},
		{"tcp canary", stacked(t, ip4(6), tcp, raw(canary)), true},
		{"tcp canary behind options", stacked(t, options(6), longTCP, raw(canary)), true},
		{"tcp of others", stacked(t, ip4(6), longTCP, raw(bulk)), false},
		{"tcp of nothing", stacked(t, ip4(6), longTCP), false},
		{"echo canary", stacked(t, ip4(1), raw([]byte{8}, echo[1:], canary)), true},
		{"echoed canary", stacked(t, ip4(1), raw([]byte{0}, echo[1:], canary)), true},
		{"echo of others", stacked(t, ip4(1), raw([]byte{8}, echo[1:], bulk)), false},
		{"unreachable", stacked(t, ip4(1), raw([]byte{3, 3}, echo[2:],
			stacked(t, ip4(17), udp(port), raw(canary)))), true},
		{"time exceeded", stacked(t, ip4(1), raw([]byte{11, 0}, echo[2:], bulk)), true},
		{"gre", stacked(t, ip4(47), raw(bulk)), true},
		{"ip in ip", stacked(t, ip4(4), ip4(17), udp(port), raw(canary)), true},

		{"udp canary, IPv6", stacked(t, ip6(17), udp(port), raw(canary)), true},
		{"udp of others, IPv6", stacked(t, ip6(17), udp(port), raw(bulk)), false},
		{"tcp canary, IPv6", stacked(t, ip6(6), longTCP, raw(canary)), true},
		{"tcp of others, IPv6", stacked(t, ip6(6), longTCP, raw(bulk)), false},
		{"echo canary, IPv6", stacked(t, ip6(58), raw([]byte{128}, echo[1:], canary)), true},
		{"echoed canary, IPv6", stacked(t, ip6(58), raw([]byte{129}, echo[1:], canary)), true},
		{"echo of others, IPv6", stacked(t, ip6(58), raw([]byte{129}, echo[1:], bulk)), false},
		{"packet too big", stacked(t, ip6(58), raw([]byte{2}, echo[1:], bulk)), true},
		{"fragment, IPv6", stacked(t, ip6(44), raw([]byte{17, 0, 5, 0x61, 0, 0, 0, 9}, bulk)), true},
		{"options for every hop", stacked(t, ip6(0), raw([]byte{17, 0, 1, 4, 0, 0, 0, 0}, bulk)), true},
	}
	all = append(all, bare...)
	vxlan := []byte{8, 0, 0, 0, 0, 0, 1, 0}
	for _, one := range bare {
		kind := layers.EthernetTypeIPv4
		if one.packet[0]>>4 == 6 {
			kind = layers.EthernetTypeIPv6
		}
		inner := stacked(t, ethernetOf(kind), raw(one.packet))
		all = append(all,
			passage{one.name + ", in vxlan", stacked(t, ip4(17), udp(8472), raw(vxlan, inner)), one.passes},
			passage{one.name + ", in vxlan over IPv6", stacked(t, ip6(17), udp(8472), raw(vxlan, inner)), one.passes})
	}
	policy := []byte{0x88, 0, 0, 7, 0, 0, 1, 0}
	return append(all,
		passage{"geneve", stacked(t, ip4(17), udp(6081), raw(bulk)), true},
		passage{"flannel's udp", stacked(t, options(17), udp(8285), raw(bulk)), true},
		passage{"canary in vxlan with a group policy", stacked(t, options(17), udp(port),
			raw(policy, stacked(t, ethernetOf(layers.EthernetTypeIPv4), raw(bare[0].packet)))), true},
		passage{"arp in vxlan", stacked(t, ip4(17), udp(8472),
			raw(vxlan, stacked(t, ethernetOf(layers.EthernetTypeARP), raw(bulk)))), false},
		passage{"vxlan in vxlan", stacked(t, ip4(17), udp(8472),
			raw(vxlan, stacked(t, ethernetOf(layers.EthernetTypeIPv4),
				raw(all[len(bare)].packet)))), false},
	)
}

func TestPassages(t *testing.T) {
	vm := newVM(t)
	for _, row := range passages(t) {
		if got := passes(t, vm, row.packet); got != row.passes {
			t.Errorf("%s: passes is %v", row.name, got)
		}
	}
	if passes(t, vm, nil) {
		t.Error("nothing passes")
	}
}

// TestInnerPassages: of a WireGuard device that sends into the tunnel all datagrams
// pass, whichever end has its port, as many devices as there may be; of others
// the same as ever.
func TestInnerPassages(t *testing.T) {
	inner := []uint16{1, 2, 3, 4, 5, 6, 7, 51820}
	if len(inner) != maxInner {
		t.Fatalf("the longest list has %d ports", maxInner)
	}
	vm := newVM(t, inner...)
	frames, err := bpf.NewVM(passing{mark: binary.BigEndian.Uint32(testMark), snap: testSnap, inner: inner}.frame())
	if err != nil {
		t.Fatal(err)
	}
	rows := passages(t)
	message := raw(make([]byte, 148))
	tunnel := func(source, target layers.UDPPort) *layers.UDP { return &layers.UDP{SrcPort: source, DstPort: target} }
	rows = append(rows,
		passage{"leaving", stacked(t, ip4(17), tunnel(51820, 40000), message), true},
		passage{"arriving", stacked(t, ip4(17), tunnel(40000, 51820), message), true},
		passage{"leaving, IPv6", stacked(t, ip6(17), tunnel(7, 40000), message), true},
		passage{"arriving, IPv6", stacked(t, ip6(17), tunnel(40000, 1), message), true},
		passage{"between other ports", stacked(t, ip4(17), tunnel(51821, 51821), message), false},
		passage{"of TCP", stacked(t, ip4(6), &layers.TCP{SrcPort: 51820, DstPort: 51820}, message), false})
	for _, row := range rows {
		if got := passes(t, vm, row.packet); got != row.passes {
			t.Errorf("%s: passes is %v", row.name, got)
		}
		kind := layers.EthernetTypeIPv4
		if row.packet[0]>>4 == 6 {
			kind = layers.EthernetTypeIPv6
		}
		if got := passes(t, frames, stacked(t, ethernetOf(kind), raw(row.packet))); got != row.passes {
			t.Errorf("%s, framed: passes is %v", row.name, got)
		}
	}
	for _, link := range []evidence.Link{{Role: evidence.RoleWireGuard}, {Role: evidence.RoleInside}} {
		if _, err := bpf.Assemble(filterOf(link, [wire.MarkSize]byte(testMark), testSnap, inner)); err != nil {
			t.Errorf("%s: %v", link.Role, err)
		}
	}
}

// TestFramedPassages: on a tunnel whose frames are Ethernet's the same pass, and
// what the filter does not look into.
func TestFramedPassages(t *testing.T) {
	vm, err := bpf.NewVM(passing{mark: binary.BigEndian.Uint32(testMark), snap: testSnap}.frame())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range passages(t) {
		kind := layers.EthernetTypeIPv4
		if row.packet[0]>>4 == 6 {
			kind = layers.EthernetTypeIPv6
		}
		if got := passes(t, vm, stacked(t, ethernetOf(kind), raw(row.packet))); got != row.passes {
			t.Errorf("%s: passes is %v", row.name, got)
		}
	}
	if !passes(t, vm, stacked(t, ethernetOf(layers.EthernetTypeDot1Q), raw(make([]byte, 60)))) {
		t.Error("a tagged frame does not pass")
	}
}

// TestPassagesInKernel: the kernel lets in the same as the test's interpreter.
//
//	a: tun0, role wireguard: what the test writes into it arrives
func TestPassagesInKernel(t *testing.T) {
	noLeftovers(t)
	a, tun := newTun(t)
	a.run(t, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/tun0/disable_ipv6") // the kernel itself sends nothing there
	a.ip(t, "link set tun0 up")
	for _, passing := range []bool{true, false} {
		s := a.start(t, config(a.link(t, "tun0", evidence.RoleWireGuard)))
		frames, bytes := uint64(0), uint64(0)
		for _, row := range passages(t) {
			if row.passes != passing {
				continue
			}
			if _, err := tun.Write(row.packet); err != nil {
				t.Fatal(err)
			}
			if passing {
				frames, bytes = frames+1, bytes+uint64(len(row.packet))
			}
		}
		got := captures(s.Stop(t.Context()))["tun0"]
		if got.Frames != frames || got.Bytes != bytes || got.Truncated+got.Drops > 0 {
			t.Errorf("of %d frames, %d bytes: %+v", frames, bytes, got)
		}
	}
}

// TestWitnessedPasses: a packet that begins a marked payload is counted by the
// stats and passes the filter, whatever headers are around it and wherever a
// whole first header is all that is left of it.
func TestWitnessedPasses(t *testing.T) {
	vm := newVM(t)
	random := rand.New(rand.NewPCG(1, 1))
	for range 5000 {
		m := wire.Marked{
			Kind: uint8(1 + random.IntN(5)), Family: []uint8{4, 6}[random.IntN(2)],
			Transport: uint8(1 + random.IntN(3)),
			Source:    random.Uint32(), Target: random.Uint32(), Sequence: uint16(random.Uint32()),
		}
		key := testKey
		if m.Kind == wire.KindFirst || m.Kind == wire.KindFirstAnswer {
			key = evidence.FirstKey(key)
		}
		payload, err := m.Payload(wire.MarkedSize+random.IntN(1400), [wire.MarkSize]byte(testMark), key)
		if err != nil {
			t.Fatal(err)
		}
		packet := carried(t, random, m, payload[:wire.MarkedSize+random.IntN(len(payload)-wire.MarkedSize+1)])
		if !counted(t, packet) {
			t.Fatalf("%+v is not counted: %x", m, packet)
		}
		if !passes(t, vm, packet) {
			t.Fatalf("%+v does not pass: %x", m, packet)
		}
	}
}

// carried puts a payload behind headers as m asks, with options of random
// lengths, bare or in VXLAN.
func carried(t *testing.T, random *rand.Rand, m wire.Marked, payload []byte) []byte {
	four := m.Family == 4
	next, header := layers.IPProtocolUDP, stacked(t, udp(layers.UDPPort(random.Uint32())), raw(payload))
	switch m.Transport {
	case wire.TransportTCP:
		tcp := &layers.TCP{ACK: true}
		for range random.IntN(41) {
			tcp.Options = append(tcp.Options, layers.TCPOption{OptionType: layers.TCPOptionKindNop})
		}
		next, header = layers.IPProtocolTCP, stacked(t, tcp, raw(payload))
	case wire.TransportICMP:
		kind := []byte{128, 129}
		if next = layers.IPProtocolICMPv6; four {
			next, kind = layers.IPProtocolICMPv4, []byte{8, 0}
		}
		header = slices.Concat([]byte{kind[random.IntN(2)], 0, 0, 0, 0, 0, 0, 0}, payload)
	}
	packet := stacked(t, ip6(next), raw(header))
	if four {
		packet = stacked(t, optional(random, next), raw(header))
	}
	if random.IntN(2) == 0 {
		return packet
	}
	inner := stacked(t, ethernetOf(layers.EthernetTypeIPv6), raw(packet))
	if four {
		inner = stacked(t, ethernetOf(layers.EthernetTypeIPv4), raw(packet))
	}
	return stacked(t, optional(random, layers.IPProtocolUDP), udp(8472), raw([]byte{8, 0, 0, 0, 0, 0, 1, 0}, inner))
}

func optional(random *rand.Rand, next layers.IPProtocol) *layers.IPv4 {
	ip := ip4(next)
	for range random.IntN(11) * 4 {
		ip.Options = append(ip.Options, layers.IPv4Option{OptionType: 1}) // no operation
	}
	return ip
}

// counted reports whether the stats count a packet of a WireGuard link, with
// no pods whose flow would make of a control what it is not.
func counted(t *testing.T, packet []byte) bool {
	t.Helper()
	stats, err := wire.NewStats(wire.NewSubject(config().Run, 0, evidence.CaptureRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	stats.Link("wg0", evidence.RoleWireGuard).Add(wire.Frame{Data: packet, Header: wire.RawIP,
		Direction: evidence.DirectionTX})
	return slices.ContainsFunc(stats.Messages(), func(m evidence.Message) bool { return m.Witness != nil })
}

// TestEthernetWireGuard: a WireGuard link whose frames do not begin at the IP
// header is captured whole.
//
//	a: eth0, role wireguard ── 1300 bytes of others ──► eth0 :b
func TestEthernetWireGuard(t *testing.T) {
	noLeftovers(t)
	a, b := quietPair(t)
	s := b.start(t, config(b.link(t, "eth0", evidence.RoleWireGuard)))
	a.transmit(t, a.link(t, "eth0", "").Index, slices.Concat(unheard, make([]byte, 1300)))
	time.Sleep(100 * time.Millisecond)
	if got := captures(s.Stop(t.Context()))["eth0"]; got.Classes["other"] == 0 {
		t.Errorf("%+v", got)
	}
}

// newTun makes a namespace with tun0, which is down.
func newTun(t *testing.T) (*namespace, *os.File) {
	t.Helper()
	a := newNamespace(t)
	var tun *os.File
	var err error
	a.do(func() { tun, err = openTun("tun0") })
	if err != nil {
		t.Skipf("needs a TUN device: %v", err)
	}
	t.Cleanup(func() { tun.Close() })
	return a, tun
}
