package wire

import (
	"bytes"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// icmp is an ICMP message of IPv4 between hosts with what it quotes.
func icmp(t testing.TB, kind uint8, quote ...[]byte) []byte {
	t.Helper()
	return build(t, ip4("192.0.2.1", "192.0.2.10", layers.IPProtocolICMPv4), raw([]byte{kind, 0, 0, 0, 0, 0, 0, 0}),
		raw(bytes.Join(quote, nil)))
}

// icmp6 is the same for IPv6.
func icmp6(t testing.TB, kind uint8, quote ...[]byte) []byte {
	t.Helper()
	return build(t, ip6("2001:db8::1", "2001:db8::10", layers.IPProtocolICMPv6), raw([]byte{kind, 0, 0, 0, 0, 0, 0, 0}),
		raw(bytes.Join(quote, nil)))
}

// An ICMP error that quotes a packet from one node's pods to another's shows that
// the packet was in clear somewhere. It quotes its header and some of what stands
// behind it (RFC 792, RFC 4443); only errors quote.
func TestQuotedRanges(t *testing.T) {
	ported := []byte{0x11, 0x22, 0x33, 0x44}
	four := func(changes ...[2]byte) []byte {
		packet := append(clear4(t, 0), ported...)
		packet[9] = 132 // SCTP
		for _, change := range changes {
			packet[change[0]] = change[1]
		}
		return packet
	}
	six := func(changes ...[2]byte) []byte {
		packet := append(clear6(t, 0), ported...)
		packet[6] = 132
		for _, change := range changes {
			packet[change[0]] = change[1]
		}
		return packet
	}
	options := append(append(four([2]byte{0, 0x46})[:20], 1, 1, 1, 1), ported...)
	for _, row := range []struct {
		name   string
		four   bool
		packet []byte
		leak   bool
		ported bool
	}{
		{"unreachable", true, icmp(t, 3, four()), true, true},
		{"source quench", true, icmp(t, 4, four()), true, true},
		{"redirect", true, icmp(t, 5, four()), true, true},
		{"time exceeded", true, icmp(t, 11, four()), true, true},
		{"parameter problem", true, icmp(t, 12, four()), true, true},
		{"echo reply", true, icmp(t, 0, four()), false, false},
		{"echo request", true, icmp(t, 8, four()), false, false},
		{"type 1, which is an error of ICMPv6", true, icmp(t, 1, four()), false, false},
		{"the quoted header alone", true, icmp(t, 3, four()[:20]), true, false},
		{"less than a header", true, icmp(t, 3, four()[:19]), false, false},
		{"a header of 16 bytes", true, icmp(t, 3, four([2]byte{0, 0x44})), false, false},
		{"a header with options", true, icmp(t, 3, options), true, true},
		{"a later fragment", true, icmp(t, 3, four([2]byte{7, 9})), true, false},
		{"of one node", true, icmp(t, 3, four([2]byte{18, 0})), false, false},
		{"of another version", true, icmp(t, 3, four([2]byte{0, 0x55})), false, false},
		{"IPv6 quoted by IPv4", true, icmp(t, 3, six()), true, true},

		{"unreachable, IPv6", false, icmp6(t, 1, six()), true, true},
		{"packet too big", false, icmp6(t, 2, six()), true, true},
		{"time exceeded, IPv6", false, icmp6(t, 3, six()), true, true},
		{"parameter problem, IPv6", false, icmp6(t, 4, six()), true, true},
		{"type 0, IPv6", false, icmp6(t, 0, six()), false, false},
		{"type 5, IPv6", false, icmp6(t, 5, six()), false, false},
		{"echo request, IPv6", false, icmp6(t, 128, six()), false, false},
		{"the quoted header of IPv6 alone", false, icmp6(t, 1, six()[:40]), true, false},
		{"less than a header of IPv6", false, icmp6(t, 1, six()[:39]), false, false},
		{"IPv6 of another version", false, icmp6(t, 1, six([2]byte{0, 0x50})), false, false},
		{"IPv6 of one node", false, icmp6(t, 1, six([2]byte{27, 0})), false, false},
	} {
		kind := layers.EthernetTypeIPv6
		if row.four {
			kind = layers.EthernetTypeIPv4
		}
		seen := leaksOf(t, Frame{Data: build(t, eth(kind), raw(row.packet))})
		if (len(seen) == 1) != row.leak {
			t.Errorf("%s: %d leaks", row.name, len(seen))
			continue
		}
		want := [2]uint16{}
		if row.ported {
			want = [2]uint16{0x1122, 0x3344}
		}
		if row.leak && [2]uint16{seen[0].SourcePort, seen[0].TargetPort} != want {
			t.Errorf("%s: %+v, want ports %x", row.name, seen[0], want)
		}
	}
}

// Cut anywhere, an error is read without harm.
func TestQuotesCutAnywhere(t *testing.T) {
	for name, frame := range map[string][]byte{
		"IPv4": build(t, eth(layers.EthernetTypeIPv4), raw(icmp(t, 3, clear4(t, 20)))),
		"IPv6": build(t, eth(layers.EthernetTypeIPv6), raw(icmp6(t, 1, clear6(t, 20)))),
	} {
		for n := range frame {
			seen := leaksOf(t, Frame{Data: frame[:n:n], Length: len(frame)})
			if whole := n >= map[string]int{"IPv4": 14 + 28 + 20,
				"IPv6": 14 + 48 + 40}[name]; (len(seen) == 1) != whole {
				t.Errorf("%s, cut to %d bytes: %d leaks", name, n, len(seen))
			}
		}
	}
}

// An error that is itself in an encapsulation travels between the hosts of that,
// and is this host's if they are.
func TestQuotedInAnEncapsulation(t *testing.T) {
	for _, row := range []struct {
		name   string
		source string
		leak   bool
	}{{"sent by this host", "192.0.2.10", true}, {"of another host, routed here", "192.0.2.66", false}} {
		frame := build(t, eth(layers.EthernetTypeIPv4), ip4(row.source, "192.0.2.77", layers.IPProtocolIPv4),
			raw(icmp(t, 3, clear4(t, 20))))
		seen := leaksOf(t, Frame{Data: frame})
		if (len(seen) == 1) != row.leak {
			t.Errorf("%s: %d leaks", row.name, len(seen))
		}
		if row.leak && (seen[0].OuterSource.String() != row.source || seen[0].By != evidence.LeakedByRange) {
			t.Errorf("%s: %+v", row.name, seen[0])
		}
	}
}
