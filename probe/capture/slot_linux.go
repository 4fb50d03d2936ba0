package capture

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

const (
	// vnetSize is the length of struct virtio_net_hdr, linux/virtio_net.h.
	vnetSize = 10
	// vnetUDP is VIRTIO_NET_HDR_GSO_UDP_L4.
	vnetUDP = 5
)

// slot is the kernel's description of one frame in a block: a tpacket3_hdr and,
// aligned behind it, a sockaddr_ll.
type slot struct {
	header  unix.Tpacket3Hdr
	address unix.RawSockaddrLinklayer
}

func slotAt(block []byte, at int) (*slot, error) {
	if at < 0 || at%8 != 0 || at+int(unsafe.Sizeof(slot{})) > len(block) {
		return nil, errRing
	}
	return (*slot)(unsafe.Pointer(&block[at])), nil
}

// frame describes the frame of a slot that begins b.
func (s *slot) frame(b []byte, vnet bool) (wire.Frame, error) {
	from := int(s.header.Mac)
	to := from + int(s.header.Snaplen)
	if from < int(unsafe.Sizeof(slot{})) || to < from || to > len(b) {
		return wire.Frame{}, errRing
	}
	f := wire.Frame{
		Data: b[from:to:to], Length: int(s.header.Len), Direction: evidence.DirectionRX,
		Time:   int64(s.header.Sec)*1e9 + int64(s.header.Nsec),
		Tagged: s.header.Status&unix.TP_STATUS_VLAN_VALID != 0, ToLink: s.address.Pkttype == unix.PACKET_HOST,
	}
	if s.address.Pkttype == unix.PACKET_OUTGOING {
		f.Direction = evidence.DirectionTX
	}
	if !ethernet(s.address.Hatype) {
		f.Header = wire.RawIP
	}
	if f.Tagged {
		f.VLAN = uint16(s.header.Hv1.Vlan_tci) & 0x0fff
	}
	if f.SegmentKnown = vnet; vnet {
		if header := b[from-vnetSize : from]; header[1]&0x7f == vnetUDP {
			f.Segment = int(binary.NativeEndian.Uint16(header[4:]))
		}
	}
	return f, nil
}

// ethernet reports whether frames of an ARPHRD type begin with an Ethernet header.
func ethernet(hardware uint16) bool {
	return hardware == unix.ARPHRD_ETHER || hardware == unix.ARPHRD_LOOPBACK
}
