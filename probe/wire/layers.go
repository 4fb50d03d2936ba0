package wire

import (
	"net/netip"
	"strconv"
	"strings"
)

// Class is what a frame is, by the outermost thing that decides it. Zero is not
// known yet.
type Class uint8

// The classes of Capture.Classes.
const (
	ClassWireGuard Class = iota + 1
	ClassControl         // a genuine control of this run
	ClassMalformed       // on a WireGuard port and no WireGuard message
	ClassVXLAN
	ClassGeneve
	ClassIPIP
	ClassGRE
	ClassESP
	ClassFOU      // IP directly in UDP
	ClassFragment // a later fragment: no transport header
	ClassTCP
	ClassUDP
	ClassICMP
	ClassARP
	ClassOther
	classCount
)

var classNames = [classCount]string{
	"", "wireguard", "control", "malformed", "vxlan", "geneve", "ipip", "gre", "esp", "fou", "fragment",
	"tcp", "udp", "icmp", "arp", "other",
}

// String returns the name that evidence.Capture.Classes has for it.
func (c Class) String() string { return classNames[c] }

type layer uint8

const (
	layerEthernet layer = iota
	layerVLAN
	layerMPLS
	layerPPPoE
	layerARP
	layerIPv4
	layerIPv6
	layerFragment
	layerAH
	layerESP
	layerGRE
	layerUDP
	layerTCP
	layerICMP
	layerVXLAN
	layerGeneve
	layerWireGuard
	layerMarked
	layerUnknown
	layerCount
)

var layerNames = [layerCount]string{
	"ethernet", "vlan", "mpls", "pppoe", "arp", "ipv4", "ipv6", "fragment", "ah", "esp", "gre",
	"udp", "tcp", "icmp", "vxlan", "geneve", "wireguard", "marked", "unknown",
}

// maxLayers bounds how deep a frame is read; deeper nesting stays undecoded,
// which does not matter to the search through the raw frame.
const maxLayers = 20

type stacked struct {
	layer layer
	port  uint16 // destination port of a UDP layer that carries more; else 0
}

// dissection is what one frame is made of.
type dissection struct {
	stack [maxLayers]stacked
	depth int
	class Class
	// headers is where the decoded headers end in the frame.
	headers int

	// The outermost IP header and, if it carries UDP or TCP, the ports.
	source, target         netip.Addr
	sourcePort, targetPort uint16
	// wireguard: the outermost datagram is UDP on a WireGuard port.
	// Its payload as captured and its length by the UDP header follow; the
	// length is more where the datagram is fragmented or truncated.
	wireguard bool
	payload   []byte
	size      int

	pods podHeader
}

// podHeader is the outermost IP header from one node's pods to another's.
type podHeader struct {
	found          bool
	bare           bool // there is no IP header outside of it
	protocol       uint8
	source, target int // node indexes
	at             int // where it begins in the frame
	family         int // 4 or 6
	// transport is where its transport header begins, 0 where it has none: a
	// later fragment, or what could not be read.
	transport int
}

func (d *dissection) push(l layer) bool {
	if d.depth == maxLayers {
		return false
	}
	d.stack[d.depth].layer = l
	d.depth++
	return true
}

// text renders the stack as evidence.Sighting.Layers wants it.
func (d *dissection) text() string {
	var b strings.Builder
	for i, l := range d.stack[:d.depth] {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(layerNames[l.layer])
		if l.port != 0 {
			b.WriteByte(':')
			b.WriteString(strconv.Itoa(int(l.port)))
		}
	}
	return b.String()
}

// nameCarrier gives the last layer its port if it is the outermost datagram:
// it carries something that could not be decoded.
func (d *dissection) nameCarrier() {
	if last := &d.stack[max(d.depth-1, 0)]; last.layer == layerUDP && d.class == ClassUDP {
		last.port = d.targetPort
	}
}

// settle gives the frame its class unless an outer layer already did.
func (d *dissection) settle(c Class) {
	if d.class == 0 {
		d.class = c
	}
}
