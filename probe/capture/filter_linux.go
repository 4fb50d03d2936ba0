package capture

import (
	"encoding/binary"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// Types of ICMP that are common: echo request and reply.
var (
	echoes4 = [...]uint32{8, 0}     // RFC 792
	echoes6 = [...]uint32{128, 129} // RFC 4443
)

// Lengths of headers, in bytes.
const (
	udpHeader      = 8
	echoHeader     = 8
	ipv6Header     = 40
	vxlanHeader    = 8
	ethernetHeader = 14
)

// filterOf is what decides in the kernel how much of each frame of a link is
// copied: at most snap bytes, or none of it.
//
// On a link that leaves the host it chooses nothing: the mark may stand at any
// offset of any frame, which classic BPF, having no loops, cannot exclude for
// less than it costs to look at the frame (docs/performance.md).
//
// On a WireGuard link, and on other tunnels, there is nothing to find but the
// run's own packets on their way, and the datagrams of the WireGuard devices that
// send into it, by their local ports; so the rest goes by without being copied.
func filterOf(link evidence.Link, mark [wire.MarkSize]byte, snap uint32, inner []uint16) []bpf.Instruction {
	own := passing{mark: binary.BigEndian.Uint32(mark[:]), snap: snap, inner: inner}
	switch link.Role {
	case evidence.RoleWireGuard:
		// Of a link of this type alone it is sure that frames begin at the IP header.
		return slices.Concat([]bpf.Instruction{
			bpf.LoadExtension{Num: bpf.ExtLinkLayerType},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ARPHRD_NONE, SkipTrue: 1},
		}, whole(snap), own.packet())
	case evidence.RoleInside:
		return own.tunnel()
	}
	return whole(snap)
}

// bareIP are the types of tunnels whose frames begin at an IP header: the
// pods', or with a tunnel to many (ipgre_header_ops) its own.
var bareIP = [...]uint32{
	unix.ARPHRD_NONE, unix.ARPHRD_RAWIP, unix.ARPHRD_TUNNEL, unix.ARPHRD_TUNNEL6, unix.ARPHRD_SIT,
	unix.ARPHRD_IPGRE, unix.ARPHRD_IP6GRE,
}

// tunnel is a filter of frames of a tunnel, whatever they begin with.
func (p passing) tunnel() []bpf.Instruction {
	program := []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtLinkLayerType},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.ARPHRD_ETHER, SkipTrue: 1},
	}
	// A conditional jump leads over at most 255 instructions, and both parts are long.
	frame := p.frame()
	program = append(program, bpf.Jump{Skip: 1}, bpf.Jump{Skip: uint32(len(frame))})
	program = append(program, frame...)
	for i, kind := range bareIP { // past the others and the verdict
		program = append(program, bpf.JumpIf{Cond: bpf.JumpEqual, Val: kind, SkipTrue: uint8(len(bareIP) - i)})
	}
	return slices.Concat(program, whole(p.snap), p.packet())
}

// frame is packet for frames of Ethernet. A tag that stands in the frame is rare.
func (p passing) frame() []bpf.Instruction {
	return slices.Concat(
		[]bpf.Instruction{
			bpf.LoadConstant{Dst: bpf.RegX},
			bpf.LoadAbsolute{Off: ethernetHeader - 2, Size: 2},
		},
		when(unix.ETH_P_IP, slices.Concat(skip(ethernetHeader), p.ipv4(p.unmarked()))),
		when(unix.ETH_P_IPV6, slices.Concat(skip(ethernetHeader), p.ipv6(p.unmarked()))),
		whole(p.snap),
	)
}

// whole copies up to snap bytes of every frame; 0 lets no frame in.
func whole(snap uint32) []bpf.Instruction { return []bpf.Instruction{bpf.RetConstant{Val: snap}} }

// passing is a filter of IP packets. It lets in every packet whose payload, by
// UDP, TCP or an ICMP echo, begins with the mark, bare or in VXLAN: flannel's,
// where the WireGuard is the machines' own; and questions. It also lets in what is rare and
// what it cannot look into: later fragments, ICMP errors, extension headers,
// other encapsulations and protocols, and WireGuard's messages from and to
// the inner ports. It keeps out those segments of a marked TCP stream that
// begin amid a header: the stream is recognised by its first one.
//
// Its parts are lists of instructions that end in a verdict, so that what
// stands behind a part is for what the part is not about. Each part finds in X
// where in the frame its header begins. To read beyond a frame's end is the
// verdict that it stays out.
type passing struct {
	mark  uint32 // how a marked payload begins
	snap  uint32
	inner []uint16 // UDP ports of datagrams to let in, at most maxInner
}

func (p passing) packet() []bpf.Instruction {
	return slices.Concat(
		[]bpf.Instruction{
			bpf.LoadAbsolute{Size: 1},
			bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4},
			bpf.LoadConstant{Dst: bpf.RegX},
		},
		when(4, p.ipv4(p.unmarked())),
		when(6, p.ipv6(p.unmarked())),
		whole(p.snap),
	)
}

// ipv4 is a packet whose datagrams, if they bear no mark, are for others to judge.
func (p passing) ipv4(others []bpf.Instruction) []bpf.Instruction {
	return slices.Concat(
		[]bpf.Instruction{
			bpf.LoadIndirect{Off: 6, Size: 2},
			bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: 0x1fff, SkipTrue: 1}, // the fragment's offset
		},
		whole(p.snap),
		[]bpf.Instruction{
			bpf.LoadIndirect{Off: 9, Size: 1},
			bpf.StoreScratch{Src: bpf.RegA},
			bpf.LoadIndirect{Off: 0, Size: 1},
			bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0x0f},
			bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 2},
			bpf.ALUOpX{Op: bpf.ALUOpAdd},
			bpf.TAX{},
			bpf.LoadScratch{Dst: bpf.RegA},
		},
		when(unix.IPPROTO_UDP, p.udp(others)),
		when(unix.IPPROTO_TCP, p.tcp()),
		when(unix.IPPROTO_ICMP, p.icmp(echoes4)),
		whole(p.snap),
	)
}

func (p passing) ipv6(others []bpf.Instruction) []bpf.Instruction {
	return slices.Concat(
		[]bpf.Instruction{bpf.LoadIndirect{Off: 6, Size: 1}, bpf.StoreScratch{Src: bpf.RegA}},
		skip(ipv6Header),
		[]bpf.Instruction{bpf.LoadScratch{Dst: bpf.RegA}},
		when(unix.IPPROTO_UDP, p.udp(others)),
		when(unix.IPPROTO_TCP, p.tcp()),
		when(unix.IPPROTO_ICMPV6, p.icmp(echoes6)),
		whole(p.snap),
	)
}

// udp also lets in questions to a DNS, which bear the mark a little further on.
func (p passing) udp(others []bpf.Instruction) []bpf.Instruction {
	return slices.Concat(p.marked(udpHeader), p.marked(udpHeader+wire.QuestionAt), others)
}

func (p passing) tcp() []bpf.Instruction {
	return slices.Concat(
		[]bpf.Instruction{
			bpf.LoadIndirect{Off: 12, Size: 1},
			bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4},
			bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 2},
			bpf.ALUOpX{Op: bpf.ALUOpAdd},
			bpf.TAX{},
		},
		p.marked(0),
		whole(0),
	)
}

func (p passing) icmp(echoes [2]uint32) []bpf.Instruction {
	echo := slices.Concat(p.marked(echoHeader), whole(0))
	return slices.Concat([]bpf.Instruction{bpf.LoadIndirect{Off: 0, Size: 1}},
		when(echoes[0], echo), when(echoes[1], echo), whole(p.snap))
}

// unmarked is a datagram without a mark: of another WireGuard device of this host,
// or one that may bear another packet.
func (p passing) unmarked() (program []bpf.Instruction) {
	if len(p.inner) > 0 {
		for _, end := range [...]uint32{0, 2} { // source, target
			program = append(program, bpf.LoadIndirect{Off: end, Size: 2})
			for _, port := range p.inner {
				program = append(program, when(uint32(port), whole(p.snap))...)
			}
		}
	}
	return append(program, p.tunnelled()...)
}

// overlays are UDP ports of other encapsulations, which are rare above WireGuard:
// Geneve (RFC 8926) and flannel's backend udp (Documentation/backends.md there).
var overlays = [...]uint32{6081, 8285}

// tunnelled is a datagram that may be VXLAN (RFC 7348: flag I) with an IP packet
// in it, whatever its ports and its other flags.
func (p passing) tunnelled() []bpf.Instruction {
	const inner = udpHeader + vxlanHeader + ethernetHeader
	return slices.Concat(
		[]bpf.Instruction{bpf.LoadIndirect{Off: 2, Size: 2}},
		when(overlays[0], whole(p.snap)),
		when(overlays[1], whole(p.snap)),
		[]bpf.Instruction{
			bpf.LoadIndirect{Off: udpHeader, Size: 1},
			bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0x08, SkipTrue: 1},
		},
		whole(0),
		[]bpf.Instruction{bpf.LoadIndirect{Off: inner - 2, Size: 2}},
		when(unix.ETH_P_IP, slices.Concat(skip(inner), p.ipv4(whole(0)))),
		when(unix.ETH_P_IPV6, slices.Concat(skip(inner), p.ipv6(whole(0)))),
		whole(0),
	)
}

// marked lets a packet in if its payload, so many bytes on, begins with the
// mark. It is the one part that leaves the rest to what stands behind it.
func (p passing) marked(on uint32) []bpf.Instruction {
	return slices.Concat([]bpf.Instruction{bpf.LoadIndirect{Off: on, Size: 4}}, when(p.mark, whole(p.snap)))
}

// when leads into a part of at most 255 instructions if A has a value, and past
// it if not.
func when(value uint32, part []bpf.Instruction) []bpf.Instruction {
	over := bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: value, SkipTrue: uint8(len(part))}
	return slices.Concat([]bpf.Instruction{over}, part)
}

// skip moves X on, at the cost of A.
func skip(bytes uint32) []bpf.Instruction {
	return []bpf.Instruction{bpf.TXA{}, bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: bytes}, bpf.TAX{}}
}
