//go:build linux

package host

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// attribute encodes a netlink attribute of values, or of attributes.
func attribute(kind uint16, values ...[]byte) []byte {
	value := slices.Concat(values...)
	b := native.AppendUint16(native.AppendUint16(nil, uint16(4+len(value))), kind)
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func number(n uint32) []byte { return native.AppendUint32(nil, n) }

func text(s string) []byte { return append([]byte(s), 0) }

// linkMessage is RTM_NEWLINK of link 9, named x.
func linkMessage(hardware uint16, flags uint32, attributes ...[]byte) []byte {
	b := make([]byte, sizeofLinkMessage)
	native.PutUint16(b[2:], hardware)
	native.PutUint32(b[4:], 9)
	native.PutUint32(b[8:], flags)
	return slices.Concat(b, attribute(unix.IFLA_IFNAME, text("x")), slices.Concat(attributes...))
}

func TestParseLink(t *testing.T) {
	const up, live = unix.IFF_UP, unix.IFF_UP | unix.IFF_LOWER_UP
	info := func(kind string, more ...[]byte) []byte {
		return attribute(unix.IFLA_LINKINFO, attribute(unix.IFLA_INFO_KIND, text(kind)), slices.Concat(more...))
	}
	slave := func(kind string, state byte) []byte {
		data := attribute(unix.IFLA_INFO_SLAVE_DATA, attribute(unix.IFLA_BOND_SLAVE_STATE, []byte{state}))
		return attribute(unix.IFLA_LINKINFO, attribute(unix.IFLA_INFO_SLAVE_KIND, text(kind)), data)
	}
	xdp := func(mode byte) []byte {
		program := attribute(unix.IFLA_XDP_PROG_ID, number(77))
		return attribute(unix.IFLA_XDP, attribute(unix.IFLA_XDP_ATTACHED, []byte{mode}), program)
	}
	over := attribute(unix.IFLA_INFO_DATA, attribute(unix.IFLA_VXLAN_LINK, number(3)))
	const ether = `{"index":9,"name":"x","type":"ether","mtu":0,"up":true,`
	for _, test := range []struct {
		name    string
		message []byte
		want    string // its JSON without role, then master and parent
	}{
		{"a card", linkMessage(1, live, attribute(unix.IFLA_MTU, number(1500)), attribute(unix.IFLA_LINK, number(9)),
			attribute(unix.IFLA_ADDRESS, []byte{2, 0, 0, 0, 0, 1}), attribute(unix.IFLA_GROUP, number(4))),
			`{"index":9,"name":"x","type":"ether","mtu":1500,"up":true,"group":4,"ether":"02:00:00:00:00:01",` +
				`} 0 0`},
		{"a card without carrier", linkMessage(1, up), ether + `"noCarrier":true,` + `} 0 0`},
		{"a card that is down", linkMessage(1, 0),
			`{"index":9,"name":"x","type":"ether","mtu":0,"up":false,` + `} 0 0`},
		{"WireGuard", linkMessage(unix.ARPHRD_NONE, live, info("wireguard")),
			`{"index":9,"name":"x","kind":"wireguard","type":"none","mtu":0,"up":true,` + `} 0 0`},
		{"an unknown type", linkMessage(999, live),
			`{"index":9,"name":"x","type":"type 999","mtu":0,"up":true,` + `} 0 0`},
		{"a port of a bridge", linkMessage(1, live, attribute(unix.IFLA_MASTER, number(5))), ether + `} 5 0`},
		{"a pair", linkMessage(1, live, attribute(unix.IFLA_LINK, number(3))), ether + `} 0 3`},
		{"a pair with a pod", linkMessage(1, live, attribute(unix.IFLA_LINK, number(3)),
			attribute(unix.IFLA_LINK_NETNSID, number(0))), ether + `"peerNS":true,` + `} 0 0`},
		{"VXLAN", linkMessage(1, live, info("vxlan", over)),
			`{"index":9,"name":"x","kind":"vxlan","type":"ether","mtu":0,"up":true,` + `} 0 3`},
		{"another kind with such data", linkMessage(1, live, info("macvlan", over)),
			`{"index":9,"name":"x","kind":"macvlan","type":"ether","mtu":0,"up":true,` + `} 0 0`},
		{"a routing domain",
			linkMessage(1, live, info("vrf", attribute(unix.IFLA_INFO_DATA, attribute(1, number(77))))),
			`{"index":9,"name":"x","kind":"vrf","type":"ether","mtu":0,"up":true,"table":77,` + `} 0 0`},
		{"a bond's backup", linkMessage(1, live, slave("bond", 1)), ether + `"backup":true,` + `} 0 0`},
		{"a bond's active member", linkMessage(1, live, slave("bond", 0)), ether + `} 0 0`},
		{"a port of something else", linkMessage(1, live, slave("bridge", 1)), ether + `} 0 0`},
		{"XDP", linkMessage(1, live, xdp(2)), ether + `"xdp":{"mode":"generic","id":77},` + `} 0 0`},
		{"XDP of a later kind", linkMessage(1, live, xdp(9)), ether + `"xdp":{"mode":"mode 9","id":77},` + `} 0 0`},
		{"no XDP", linkMessage(1, live, xdp(0)), ether + `} 0 0`},
	} {
		l, ok := parseLink(test.message)
		if !ok {
			t.Errorf("%s: not read", test.name)
			continue
		}
		line, _ := json.Marshal(l.Link)
		got := fmt.Sprintf("%s %d %d", line, l.master, l.parent)
		want := test.want[:len(test.want)-len("} 0 0")] + `"role":"","why":""` + test.want[len(test.want)-len("} 0 0"):]
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.name, got, want)
		}
	}
	bridged := linkMessage(1, live)
	bridged[0] = unix.AF_BRIDGE
	for name, message := range map[string][]byte{
		"of a bridge about a port": bridged, "cut off": bridged[:10], "without a name": make([]byte, sizeofLinkMessage),
	} {
		if _, ok := parseLink(message); ok {
			t.Errorf("read: %s", name)
		}
	}
}

func TestLinkStats(t *testing.T) {
	stats := make([]byte, sizeofStats)
	for i := range 4 {
		native.PutUint64(stats[8*i:], uint64(i+1))
	}
	l, _ := parseLink(linkMessage(1, 0, attribute(unix.IFLA_STATS64, stats)))
	want := LinkStats{Link: "x", Index: 9, RXPackets: 1, TXPackets: 2, RXBytes: 3, TXBytes: 4}
	if l.stats != want {
		t.Errorf("%+v", l.stats)
	}
}

func TestParseAddress(t *testing.T) {
	message := func(bits byte, attributes ...[]byte) []byte {
		b := make([]byte, sizeofAddressMessage)
		b[1] = bits
		native.PutUint32(b[4:], 9)
		return slices.Concat(b, slices.Concat(attributes...))
	}
	local, peer := []byte{192, 0, 2, 1}, []byte{192, 0, 2, 2}
	six := []byte{0x20, 1, 0xd, 0xb8, 15: 1}
	for _, test := range []struct {
		name    string
		message []byte
		want    string
	}{
		{"IPv4", message(24, attribute(unix.IFA_ADDRESS, local), attribute(unix.IFA_LOCAL, local)), "192.0.2.1/24"},
		{"with a peer", message(24, attribute(unix.IFA_ADDRESS, peer), attribute(unix.IFA_LOCAL, local)),
			"192.0.2.1/32"},
		{"IPv6", message(64, attribute(unix.IFA_ADDRESS, six)), "2001:db8::1/64"},
		{"none", message(24), "invalid Prefix"},
		{"too many bits", message(99, attribute(unix.IFA_ADDRESS, local)), "invalid Prefix"},
	} {
		index, prefix := parseAddress(test.message)
		if index != 9 || prefix.String() != test.want {
			t.Errorf("%s: %d %s", test.name, index, prefix)
		}
	}
	if index, prefix := parseAddress(nil); index != 0 || prefix.IsValid() {
		t.Error(index, prefix)
	}
}
