//go:build linux

package host

import (
	"encoding/binary"

	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
)

// match reads the conditions that iptables-nft carries over.
func (r *readRule) match(e *expr.Match) {
	switch info := e.Info.(type) {
	case *xt.Udp:
		if info.SrcPorts != [2]uint16{0, 65535} {
			r.other("…")
		}
		if info.DstPorts != [2]uint16{0, 65535} {
			r.restrict(info.InvFlags&xt.UdpInvDestPorts != 0, span{info.DstPorts[0], info.DstPorts[1]})
		}
	case *xt.Tcp:
		r.notUDP = true
	case *xt.Comment:
	case *xt.Unknown:
		if spans, inverted, ok := multiport(e.Name, *info); ok {
			r.restrict(inverted, spans...)
		} else if e.Name != "comment" {
			r.other("…")
		}
	default:
		r.other("…")
	}
}

// multiport reads struct xt_multiport_v1 of linux/netfilter/xt_multiport.h.
func multiport(name string, info []byte) (spans []span, inverted, ok bool) {
	const source, list, size = 0, 15, 2 + 2*15 + 15 + 1
	if name != "multiport" || len(info) < size || info[0] == source || info[1] > list {
		return nil, false, false
	}
	for i := 0; i < int(info[1]); i++ {
		s := span{from: binary.NativeEndian.Uint16(info[2+2*i:])}
		s.to = s.from
		if info[32+i] != 0 && i+1 < int(info[1]) {
			i++
			s.to = binary.NativeEndian.Uint16(info[2+2*i:])
		}
		spans = append(spans, s)
	}
	return spans, info[size-1] != 0, true
}
