package pcap

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Printer writes frames as lines of text, as tcpdump -i any does, with the node
// before the link.
type Printer struct {
	Cluster Cluster
	Zone    *time.Location // of the times, nil for UTC
}

// Line returns one line for a frame, without its end.
func (p Printer) Line(node string, frame *evidence.Frame) string {
	zone := p.Zone
	if zone == nil {
		zone = time.UTC
	}
	direction := "In "
	if frame.Direction == evidence.DirectionTX {
		direction = "Out"
	}
	d := decoder{wireguard: frame.WireGuard}
	if frame.RawIP {
		d.ip(frame.Data)
	} else {
		d.ethernet(frame.Data)
	}
	line := fmt.Sprintf("%s %s %s %s %s, length %d", time.Unix(0, frame.Time).In(zone).Format("15:04:05.000000"),
		node, plain(frame.Link), direction, strings.Join(d.parts, ": "), frame.Length)
	if other := p.other(node, d); other != "" {
		line += " (" + other + ")"
	}
	if frame.Leak != nil {
		source, target := p.Cluster.Name(frame.Leak.Source), p.Cluster.Name(frame.Leak.Target)
		line += fmt.Sprintf(" LEAK: pods of %s to pods of %s", source, target)
	}
	return line
}

// other names the node at the other end, if the outermost addresses show it.
func (p Printer) other(node string, d decoder) string {
	for _, address := range []netip.Addr{d.source, d.target} {
		if owner := p.Cluster.Owner(address); owner != node && address.IsValid() {
			return owner
		}
	}
	return ""
}

// maxDepth bounds the encapsulations of one frame that are named.
const maxDepth = 8

// decoder reads headers, outermost first, and has a text for each part. Where a
// header is cut off or not known, it ends.
type decoder struct {
	parts          []string
	source, target netip.Addr // of the outermost IP header
	wireguard      bool       // the outermost datagram is a WireGuard message
	depth          int
}

func (d *decoder) add(format string, args ...any) {
	d.parts = append(d.parts, fmt.Sprintf(format, args...))
}

func (d *decoder) ethernet(b []byte) {
	var header layers.Ethernet
	if d.depth++; d.depth > maxDepth || header.DecodeFromBytes(b, gopacket.NilDecodeFeedback) != nil {
		d.add("Ethernet")
		return
	}
	d.ethertype(header.EthernetType, header.Payload)
}

func (d *decoder) ethertype(kind layers.EthernetType, b []byte) {
	for kind == layers.EthernetTypeDot1Q || kind == layers.EthernetTypeQinQ {
		var tag layers.Dot1Q
		if tag.DecodeFromBytes(b, gopacket.NilDecodeFeedback) != nil {
			return
		}
		d.add("vlan %d", tag.VLANIdentifier)
		kind = tag.Type
		b = tag.Payload
	}
	switch kind {
	case layers.EthernetTypeIPv4, layers.EthernetTypeIPv6:
		d.ip(b)
	case layers.EthernetTypeARP:
		d.add("ARP")
	default:
		d.add("ethertype 0x%04x", uint16(kind))
	}
}

// ip reads an IP header of either version.
func (d *decoder) ip(b []byte) {
	if d.depth++; d.depth > maxDepth || len(b) == 0 {
		return
	}
	var v4 layers.IPv4
	var v6 layers.IPv6
	switch {
	case b[0]>>4 == 4 && v4.DecodeFromBytes(b, gopacket.NilDecodeFeedback) == nil:
		later := v4.FragOffset > 0
		d.packet("IP", v4.SrcIP, v4.DstIP, v4.Protocol, v4.Payload, later)
	case b[0]>>4 == 6 && len(b) >= 40 && v6.DecodeFromBytes(b, gopacket.NilDecodeFeedback) == nil:
		d.packet("IP6", v6.SrcIP, v6.DstIP, v6.NextHeader, v6.Payload, false)
	default:
		d.add("IP, cut off")
	}
}

func (d *decoder) packet(name string, from, to []byte, protocol layers.IPProtocol, payload []byte, fragment bool) {
	source, _ := netip.AddrFromSlice(from)
	target, _ := netip.AddrFromSlice(to)
	if outermost := !d.source.IsValid(); outermost {
		d.source = source
		d.target = target
	} else {
		d.wireguard = false
	}
	ported := protocol == layers.IPProtocolUDP || protocol == layers.IPProtocolTCP
	if fragment || !ported || len(payload) < 4 {
		d.add("%s %s > %s", name, source, target)
		d.protocol(protocol, payload, fragment)
		return
	}
	sourcePort, targetPort := binary.BigEndian.Uint16(payload), binary.BigEndian.Uint16(payload[2:])
	d.add("%s %s.%d > %s.%d", name, source, sourcePort, target, targetPort)
	d.protocol(protocol, payload, fragment)
}

func (d *decoder) protocol(protocol layers.IPProtocol, b []byte, fragment bool) {
	switch {
	case fragment:
		d.add("%s, later fragment", protocol)
	case protocol == layers.IPProtocolUDP:
		d.udp(b)
	case protocol == layers.IPProtocolTCP:
		d.add("TCP%s", flags(b))
	case protocol == layers.IPProtocolIPv4 || protocol == layers.IPProtocolIPv6:
		d.ip(b)
	case protocol == layers.IPProtocolGRE && len(b) >= 4 && b[0]&0xb0 == 0:
		d.add("GRE")
		d.ethertype(layers.EthernetType(binary.BigEndian.Uint16(b[2:])), b[4:])
	default:
		d.add("%s", protocol)
	}
}

// flags are those of a TCP header, as tcpdump writes them.
func flags(b []byte) string {
	if len(b) < 14 {
		return ""
	}
	var set string
	for i, letter := range "FSRP.UEW" {
		if b[13]&(1<<i) != 0 {
			set += string(letter)
		}
	}
	return " [" + cmp.Or(set, "none") + "]"
}

// Ports of VXLAN: IANA's and the kernel's own, which flannel uses.
const (
	portVXLAN      = 4789
	portVXLANLinux = 8472
)

func (d *decoder) udp(b []byte) {
	const header = 8
	const vxlanHeader = 8
	switch {
	case len(b) < header:
		d.add("UDP")
	case d.wireguard:
		d.add("%s", message(b[header:]))
	case vxlan(binary.BigEndian.Uint16(b[2:])) && len(b) >= header+vxlanHeader:
		d.add("VXLAN vni %d", binary.BigEndian.Uint32(b[header+4:])>>8)
		d.ethernet(b[header+vxlanHeader:])
	default:
		d.add("UDP")
	}
}

func vxlan(port uint16) bool { return port == portVXLAN || port == portVXLANLinux }

// Types of WireGuard messages, drivers/net/wireguard/messages.h.
const (
	initiation = 1
	response   = 2
	cookie     = 3
	data       = 4
)

// message describes a WireGuard message as far as it can be read without a key.
func message(b []byte) string {
	if len(b) < 16 {
		return "WireGuard, cut off"
	}
	index := binary.LittleEndian.Uint32(b[4:])
	switch b[0] {
	case initiation:
		return fmt.Sprintf("WireGuard handshake initiation, sender 0x%08x", index)
	case response:
		receiver := binary.LittleEndian.Uint32(b[8:])
		return fmt.Sprintf("WireGuard handshake response, sender 0x%08x, receiver 0x%08x", index, receiver)
	case cookie:
		return fmt.Sprintf("WireGuard cookie reply, receiver 0x%08x", index)
	case data:
		return fmt.Sprintf("WireGuard data, receiver 0x%08x, counter %d", index, binary.LittleEndian.Uint64(b[8:]))
	}
	return "WireGuard"
}
