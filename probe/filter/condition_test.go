//go:build linux

package filter

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

func portRanges(numbers ...uint16) (list []evidence.Ports) {
	for pair := range slices.Chunk(numbers, 2) {
		list = append(list, evidence.Ports{From: pair[0], To: pair[1]})
	}
	return list
}

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

func TestPorts(t *testing.T) {
	for _, test := range []struct{ ports, complement []evidence.Ports }{
		{nil, portRanges(0, 65535)},
		{portRanges(0, 65535), nil},
		{portRanges(80, 80), portRanges(0, 79, 81, 65535)},
		{portRanges(0, 9), portRanges(10, 65535)},
		{portRanges(9, 65535), portRanges(0, 8)},
		{portRanges(20, 29, 10, 19), portRanges(0, 9, 30, 65535)},
		{portRanges(10, 40, 20, 25), portRanges(0, 9, 41, 65535)},
	} {
		if got := complement(test.ports); !slices.Equal(got, test.complement) {
			t.Errorf("not %v: %v, want %v", test.ports, got, test.complement)
		}
	}
	both := common(portRanges(1, 10, 20, 30), portRanges(5, 20, 40, 50))
	if !slices.Equal(both, portRanges(5, 10, 20, 20)) {
		t.Error(both)
	}
}

func TestPrefixesBetween(t *testing.T) {
	for _, test := range []struct{ first, last, want string }{
		{"10.0.0.0", "10.0.0.255", "[10.0.0.0/24]"},
		{"10.0.0.7", "10.0.0.7", "[10.0.0.7/32]"},
		{"10.0.0.1", "10.0.0.4", "[10.0.0.1/32 10.0.0.2/31 10.0.0.4/32]"},
		{"0.0.0.0", "255.255.255.255", "[0.0.0.0/0]"},
		{"2001:db8::", "2001:db8::ffff", "[2001:db8::/112]"},
		{"10.0.0.9", "10.0.0.1", "[]"},
		{"10.0.0.9", "2001:db8::", "[]"},
	} {
		got := prefixesBetween(netip.MustParseAddr(test.first), netip.MustParseAddr(test.last))
		if fmt.Sprint(got) != test.want {
			t.Errorf("%s to %s: %v, want %s", test.first, test.last, got, test.want)
		}
	}
	for mask, want := range map[[2]byte]string{
		{0xff, 0xf0}: "12 true", {0xff, 0xf1}: "12 false", {0, 0}: "0 true", {0xff, 0xff}: "16 true", {0, 1}: "0 false",
	} {
		bits, ok := maskBits(mask[:])
		if got := fmt.Sprint(bits, ok); got != want {
			t.Errorf("%x: %s, want %s", mask, got, want)
		}
	}
}

// What goes on behind a rule that ends the way of some packets, and what one
// selector cannot express.
func TestWithout(t *testing.T) {
	ten := prefixes("10.0.0.0/8")
	for _, test := range []struct {
		name  string
		other condition
		want  string // of the JSON-like rendering; empty if it cannot be expressed
	}{
		{"every packet", condition{family: 4}, "never"},
		{"a source", condition{family: 4, Selector: evidence.Selector{From: ten}}, "not from 10.0.0.0/8"},
		{"all but a source", condition{family: 4, Selector: evidence.Selector{NotFrom: ten}}, "from 10.0.0.0/8"},
		{"a target", condition{family: 4, Selector: evidence.Selector{To: ten}}, "not to 10.0.0.0/8"},
		{"all but a target", condition{family: 4, Selector: evidence.Selector{NotTo: ten}}, "to 10.0.0.0/8"},
		{"a link", condition{family: 4, Selector: evidence.Selector{In: []string{"lo"}}}, "not iif lo"},
		{"all but a link", condition{family: 4, Selector: evidence.Selector{NotIn: []string{"lo"}}}, "iif lo"},
		{"a way out", condition{family: 4, Selector: evidence.Selector{Out: []string{"lo"}}}, "not oif lo"},
		{"all but a way out", condition{family: 4, Selector: evidence.Selector{NotOut: []string{"lo"}}}, "oif lo"},
		{"a link and a source", condition{family: 4, Selector: evidence.Selector{In: []string{"lo"}, From: ten}}, ""},
		{"a port", condition{family: 4, Selector: evidence.Selector{Target: portRanges(80, 80)}}, ""},
		{"a protocol", condition{family: 4, Selector: evidence.Selector{Protocol: []uint8{6}}}, ""},
		{"a DSCP", condition{family: 4, Selector: evidence.Selector{DSCP: []uint8{6}}}, ""},
		{"a mark", condition{family: 4, Selector: evidence.Selector{MarkIs: 1, MarkMask: 1}}, ""},
		{"what is not read", condition{family: 4, Selector: evidence.Selector{Other: []string{"x"}}}, ""},
		{"no packet", condition{family: 4, never: true}, ""},
		{"a family", condition{family: 6}, ""},
	} {
		c := condition{family: 4}
		ok := c.without(test.other)
		got := strings.TrimPrefix(strings.TrimSpace(shown(c.selector(), "")), "from 0.0.0.0/0 ")
		switch {
		case c.never:
			got = "never"
		case !ok:
			got = ""
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// To narrow a copy leaves the original and other copies as they are.
func TestConditionIsAValue(t *testing.T) {
	c := condition{}
	for n := range 17 { // so many that a list has room for more behind its end
		c.addresses(fieldSource, prefixes(fmt.Sprintf("10.%d.0.0/16", n)), true)
		c.links(fieldIn, []string{fmt.Sprint("eth", n)}, true)
	}
	for n := range 5 {
		c.other("condition %d", n)
	}
	narrow := func(octet int) condition {
		narrowed := c
		narrowed.addresses(fieldSource, prefixes(fmt.Sprintf("192.0.2.%d/32", octet)), true)
		narrowed.links(fieldIn, []string{fmt.Sprint("wg", octet)}, true)
		narrowed.other("another condition %d", octet)
		return narrowed
	}
	before := fmt.Sprint(c)
	one := narrow(1)
	first := fmt.Sprint(one)
	narrow(2)
	if fmt.Sprint(c) != before || fmt.Sprint(one) != first {
		t.Errorf("%s became %s", first, fmt.Sprint(one))
	}
}

// expr makes an expression of big-endian numbers by attribute.
func expr(name string, numbers map[uint16]uint32, values ...kernel.Attribute) expression {
	e := expression{name: name, Attributes: values}
	for kind, number := range numbers {
		e.Attributes = append(e.Attributes, kernel.Attribute{Kind: kind,
			Value: binary.BigEndian.AppendUint32(nil, number)})
	}
	return e
}

// value makes an attribute with a nested NFTA_DATA_VALUE.
func value(kind uint16, octets ...byte) kernel.Attribute {
	return kernel.Attribute{Kind: kind, Value: encode(unix.NFTA_DATA_VALUE, octets)}
}

// Comparisons by order, on both sides of their bounds.
func TestOrder(t *testing.T) {
	const reg, all, none = 8, "from 0.0.0.0/0", "never"
	port := map[uint16]uint32{
		unix.NFTA_PAYLOAD_DREG: reg, unix.NFTA_PAYLOAD_BASE: unix.NFT_PAYLOAD_TRANSPORT_HEADER,
		unix.NFTA_PAYLOAD_OFFSET: 2, unix.NFTA_PAYLOAD_LEN: 2,
	}
	for _, test := range []struct {
		op   uint32
		data []byte
		want string
	}{
		{unix.NFT_CMP_LT, []byte{0, 80}, "dport 0-79"}, {unix.NFT_CMP_LT, []byte{0, 0}, none},
		{unix.NFT_CMP_LTE, []byte{0, 80}, "dport 0-80"}, {unix.NFT_CMP_LTE, []byte{0xff, 0xff}, "dport 0-65535"},
		{unix.NFT_CMP_GT, []byte{0, 80}, "dport 81-65535"}, {unix.NFT_CMP_GT, []byte{0xff, 0xff}, none},
		{unix.NFT_CMP_GT, []byte{0, 0xff}, "dport 256-65535"}, {unix.NFT_CMP_LT, []byte{1, 0}, "dport 0-255"},
		{unix.NFT_CMP_GTE, []byte{0, 80}, "dport 80-65535"}, {unix.NFT_CMP_EQ, []byte{0, 80}, "dport 80"},
		{unix.NFT_CMP_NEQ, []byte{0, 80}, "dport 0-79,81-65535"}, {unix.NFT_CMP_EQ, []byte{80}, "(" + notRead + ")"},
	} {
		body := nftRule{
			expr("payload", port),
			expr("cmp", map[uint16]uint32{unix.NFTA_CMP_SREG: reg, unix.NFTA_CMP_OP: test.op},
				value(unix.NFTA_CMP_DATA, test.data...)),
		}
		at := chainName{family: unix.NFPROTO_IPV4, table: "t", chain: "c"}
		r := rule{chainName: at, body: body}.glance()
		got := strings.TrimSpace(strings.TrimPrefix(shown(r.condition.selector(), ""), all))
		if r.condition.never {
			got = none
		}
		if got != test.want {
			t.Errorf("op %d, %v: %q, want %q", test.op, test.data, got, test.want)
		}
	}
}

// A rule of a firewall is shown whole, and it is known which ports it is about.
func TestWords(t *testing.T) {
	many := portRanges(1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 11, 11, 13, 13, 15, 15, 17, 17)
	udp := []uint8{unix.IPPROTO_UDP}
	one := []netip.Prefix{netip.MustParsePrefix("192.0.2.11/32")}
	pods := []netip.Prefix{netip.MustParsePrefix("2001:db8:1::/64")}
	for _, test := range []struct {
		selector evidence.Selector
		want     string
	}{
		{evidence.Selector{}, "drop"},
		{evidence.Selector{Protocol: udp}, "meta l4proto udp drop"},
		{evidence.Selector{Protocol: udp, Target: portRanges(51820, 51820)}, "udp dport 51820 drop"},
		{evidence.Selector{Protocol: udp, From: one, Target: portRanges(51820, 51820)},
			"ip saddr 192.0.2.11 udp dport 51820 drop"},
		{evidence.Selector{NotFrom: one, To: one}, "ip saddr != 192.0.2.11 ip daddr 192.0.2.11 drop"},
		{evidence.Selector{Target: many}, "udp dport { 1, 3, 5, 7, 9, 11, 13, 15, … } drop"},
		{evidence.Selector{Protocol: []uint8{6, 17}, Source: portRanges(7, 9)},
			"meta l4proto { tcp, udp } th sport 7-9 drop"},
		{evidence.Selector{NotIn: []string{"lo"}}, `iifname != "lo" drop`},
		{evidence.Selector{Out: []string{"eth0"}, DSCP: []uint8{1}}, `oifname "eth0" ip dscp 1 drop`},
		{evidence.Selector{MarkMask: 1}, "mark 0x0/0x1 drop"},
		{evidence.Selector{Other: []string{"protocol not in [6 50]", "limit"}},
			"meta l4proto != { tcp, 50 } (limit) drop"},
	} {
		c := condition{Selector: test.selector}
		if got := words(c, 0, "drop"); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
	c := condition{Selector: evidence.Selector{Target: portRanges(1, 9), Protocol: []uint8{unix.IPPROTO_TCP}}}
	if _, ok := c.udpTo([]uint16{5}); ok {
		t.Error("TCP is about a port of UDP")
	}
	c.Protocol = []uint8{unix.IPPROTO_TCP, unix.IPPROTO_UDP}
	if port, ok := c.udpTo([]uint16{10, 9, 1}); !ok || port != 9 {
		t.Error(port, ok)
	}
	c = condition{Selector: evidence.Selector{Other: []string{"protocol not in [6 17]"}}}
	if c.ofUDP() {
		t.Error("a rule for all but TCP and UDP is about UDP")
	}
	c = condition{family: 6, Selector: evidence.Selector{From: pods}}
	if got := words(c, 0, "drop"); got != "ip6 saddr 2001:db8:1::/64 drop" {
		t.Error(got)
	}
	c = condition{family: 4}
	if words(c, 0, "drop") != "meta nfproto ipv4 drop" || words(c, 4, "drop") != "drop" {
		t.Error("a condition on the family is not shown, or that of the table is")
	}
}

// Two sets of prefixes that have more in common than is kept narrow a condition to
// nothing less than one of them: a rule never seems to be for fewer packets than it is.
func TestNothingIsNarrowedAway(t *testing.T) {
	var nested, wide []netip.Prefix
	for n := range maxAlternatives {
		wide = append(wide, netip.PrefixFrom(netip.MustParseAddr("10.42.1.9"), maxAlternatives-n))
		nested = append(nested, netip.PrefixFrom(netip.MustParseAddr("10.42.1.9"), maxAlternatives-n))
	}
	var c condition
	c.addresses(fieldTarget, wide, false)
	c.addresses(fieldTarget, nested, false)
	if len(c.To) != maxAlternatives || len(c.Other) != 1 || c.never {
		t.Errorf("%+v", c)
	}
	c.addresses(fieldTarget, prefixes("10.42.1.9/32"), false)
	c.addresses(fieldTarget, prefixes("192.0.2.0/24"), false)
	if !c.never {
		t.Errorf("%+v, want never", c)
	}
}
