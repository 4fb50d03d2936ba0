//go:build linux

package filter

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// Rules as the kernel lists them, in the words of linux/netfilter/nf_tables.h and
// read without a kernel: what their conditions leave, to the port.

// What loads, compares or decides. All use register 1.
var (
	loadPort     = loadHeader(unix.NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2)
	loadSource   = loadHeader(unix.NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2)
	loadProtocol = loadMeta(unix.NFT_META_L4PROTO)
	loadIn       = loadMeta(unix.NFT_META_IIFNAME)
	loadOut      = loadMeta(unix.NFT_META_OIFNAME)
	dropIt       = decideTo(codeDrop)
	acceptIt     = decideTo(codeAccept)
)

func loadHeader(base, offset, size uint32) expression {
	return expr("payload", map[uint16]uint32{unix.NFTA_PAYLOAD_DREG: 1, unix.NFTA_PAYLOAD_BASE: base,
		unix.NFTA_PAYLOAD_OFFSET: offset, unix.NFTA_PAYLOAD_LEN: size})
}

func loadMeta(key uint32) expression {
	return expr("meta", map[uint16]uint32{unix.NFTA_META_DREG: 1, unix.NFTA_META_KEY: key})
}

func onPort(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }

func is(op uint32, data ...byte) expression {
	return expr("cmp", map[uint16]uint32{unix.NFTA_CMP_SREG: 1, unix.NFTA_CMP_OP: op},
		value(unix.NFTA_CMP_DATA, data...))
}

func isPort(op uint32, n uint16) expression { return is(op, onPort(n)...) }

func between(op uint32, from, to []byte) expression {
	return expr("range", map[uint16]uint32{unix.NFTA_RANGE_SREG: 1, unix.NFTA_RANGE_OP: op},
		value(unix.NFTA_RANGE_FROM_DATA, from...), value(unix.NFTA_RANGE_TO_DATA, to...))
}

func portsBetween(op uint32, from, to uint16) expression {
	return between(op, onPort(from), onPort(to))
}

func decideTo(code int32) expression {
	verdict := encode(unix.NFTA_DATA_VERDICT, encode(unix.NFTA_VERDICT_CODE,
		binary.BigEndian.AppendUint32(nil, uint32(code))))
	return expression{"immediate", kernel.Attributes{{Kind: unix.NFTA_IMMEDIATE_DATA, Value: verdict}}}
}

// inSet looks register 1 up in a set; flags is 1 for what is not in it.
func inSet(flags uint32) expression {
	return expr("lookup", map[uint16]uint32{unix.NFTA_LOOKUP_SREG: 1, unix.NFTA_LOOKUP_FLAGS: flags})
}

// readRule reads a rule of the input chain of a table, with its one set.
func readRule(family uint8, values set, body ...expression) *reading {
	at := chainName{family: family, table: "filter", chain: "input"}
	return rule{chainName: at, body: nftRule(body)}.read(condition{}, nil, func(string, field) set { return values })
}

// firewallOf reads a firewall whose chain input has one rule, with its one set.
// Of the chains that the rule leads to it returns the names.
func firewallOf(family uint8, ports []uint16, values set,
	body ...expression) (found []evidence.Firewall, led []string) {
	at := chainName{family: family, table: "filter", chain: "input"}
	w := newFirewall(Traffic{Ports: ports}, nil)
	w.set = func(chainName, string) set { return values }
	w.rules = func(of chainName) ([]numberedRule, error) {
		if of != at {
			led = append(led, of.chain)
			return nil, nil
		}
		return []numberedRule{{rule: rule{chainName: at, body: nftRule(body)}, number: 1}}, nil
	}
	w.enter(firewallBase{baseChain: baseChain{chainName: at, hook: "input"}, policy: codeAccept})
	return w.found, led
}

// ofPorts returns the ports of some that a rule decides about.
func ofPorts(r *reading, some ...uint16) (decides []uint16) {
	for _, p := range some {
		about := func(d decision) bool {
			_, ok := d.condition.udpTo([]uint16{p})
			return ok
		}
		if slices.ContainsFunc(r.decisions, about) {
			decides = append(decides, p)
		}
	}
	return decides
}

// A rule decides about the ports that its conditions leave, and its text names
// them as nft writes them.
func TestRulePorts(t *testing.T) {
	const eq, neq, lt, lte, gt, gte = unix.NFT_CMP_EQ, unix.NFT_CMP_NEQ, unix.NFT_CMP_LT, unix.NFT_CMP_LTE,
		unix.NFT_CMP_GT, unix.NFT_CMP_GTE
	edges := []uint16{0, 1, 99, 100, 101, 199, 200, 201, 65534, 65535}
	for _, test := range []struct {
		name  string
		exprs []expression
		ports []uint16 // of edges
		text  string   // "" if no port is left
	}{
		{"one", []expression{loadPort, isPort(eq, 100)}, []uint16{100}, "udp dport 100 drop"},
		{"the first", []expression{loadPort, isPort(eq, 0)}, []uint16{0}, "udp dport 0 drop"},
		{"the last", []expression{loadPort, isPort(eq, 65535)}, []uint16{65535}, "udp dport 65535 drop"},
		{"all but one", []expression{loadPort, isPort(neq, 100)}, []uint16{0, 1, 99, 101, 199, 200, 201, 65534, 65535},
			"udp dport { 0-99, 101-65535 } drop"},
		{"all but the first", []expression{loadPort, isPort(neq, 0)}, edges[1:], "udp dport 1-65535 drop"},
		{"all but the last", []expression{loadPort, isPort(neq, 65535)}, edges[:9], "udp dport 0-65534 drop"},
		{"below", []expression{loadPort, isPort(lt, 100)}, []uint16{0, 1, 99}, "udp dport 0-99 drop"},
		{"below the first", []expression{loadPort, isPort(lt, 0)}, nil, ""},
		{"up to", []expression{loadPort, isPort(lte, 100)}, []uint16{0, 1, 99, 100}, "udp dport 0-100 drop"},
		{"above", []expression{loadPort, isPort(gt, 200)}, []uint16{201, 65534, 65535}, "udp dport 201-65535 drop"},
		{"above the last", []expression{loadPort, isPort(gt, 65535)}, nil, ""},
		{"above all but the last", []expression{loadPort, isPort(gt, 65534)}, []uint16{65535}, "udp dport 65535 drop"},
		{"from", []expression{loadPort, isPort(gte, 200)}, []uint16{200, 201, 65534, 65535},
			"udp dport 200-65535 drop"},
		{"a range", []expression{loadPort, portsBetween(unix.NFT_RANGE_EQ, 100, 200)}, []uint16{100, 101, 199, 200},
			"udp dport 100-200 drop"},
		{"outside a range", []expression{loadPort, portsBetween(unix.NFT_RANGE_NEQ, 100, 200)},
			[]uint16{0, 1, 99, 201, 65534, 65535}, "udp dport { 0-99, 201-65535 } drop"},
		{"two conditions", []expression{loadPort, isPort(gte, 100), isPort(lte, 200)}, []uint16{100, 101, 199, 200},
			"udp dport 100-200 drop"},
		{"two that leave one", []expression{loadPort, isPort(gte, 100), isPort(lte, 100)}, []uint16{100},
			"udp dport 100 drop"},
		{"two that leave none", []expression{loadPort, isPort(gt, 100), isPort(lt, 101)}, nil, ""},
		{"the source port", []expression{loadSource, isPort(eq, 100)}, nil, "udp sport 100 drop"},
		{"a range of source ports", []expression{loadSource, portsBetween(unix.NFT_RANGE_EQ, 100, 200)}, nil,
			"udp sport 100-200 drop"},
		{"an IPv6 address in a range",
			[]expression{loadPort, between(unix.NFT_RANGE_EQ, make([]byte, 16), make([]byte, 16))}, nil,
			"(a condition that is not read) drop"},
	} {
		r := readRule(unix.NFPROTO_INET, set{}, append(slices.Clone(test.exprs), dropIt)...)
		if got := ofPorts(r, edges...); !slices.Equal(got, test.ports) {
			t.Errorf("%s: decides about %v, want %v", test.name, got, test.ports)
		}
		if got := words(r.condition, 0, "drop"); test.text != "" && got != test.text {
			t.Errorf("%s: %q, want %q", test.name, got, test.text)
		}
	}
}

// Sets list ports, or where ranges begin and end: an end is the first port that
// is not in it, and a range without one goes to the last port.
func TestRuleSets(t *testing.T) {
	at := func(n uint16) element { return element{key: onPort(n)} }
	end := func(n uint16) element { return element{key: onPort(n), stop: true} }
	edges := []uint16{0, 99, 100, 101, 199, 200, 201, 299, 300, 65535}
	for _, test := range []struct {
		name      string
		intervals bool
		elements  []element
		negated   uint32
		ports     []uint16
	}{
		{"single ports in any order", false, []element{at(200), at(100)}, 0, []uint16{100, 200}},
		{"all others", false, []element{at(200), at(100)}, 1, []uint16{0, 99, 101, 199, 201, 299, 300, 65535}},
		{"ranges", true, []element{end(0), at(100), end(200), at(300), end(301)}, 0, []uint16{100, 101, 199, 300}},
		{"a range to the last port", true, []element{end(0), at(200)}, 0, []uint16{200, 201, 299, 300, 65535}},
		{"one range after the other", true, []element{at(100), at(200), end(201)}, 0, []uint16{100, 101, 199, 200}},
		{"nothing", false, nil, 0, nil},
		{"all but nothing", false, nil, 1, edges},
		{"keys of another length", false, []element{{key: []byte{100}}, {key: []byte{0, 0, 0, 100}}}, 0, nil},
	} {
		values := set{intervals: test.intervals, whole: true, elements: test.elements}
		r := readRule(unix.NFPROTO_INET, values, loadPort, inSet(test.negated), dropIt)
		if got := ofPorts(r, edges...); !slices.Equal(got, test.ports) {
			t.Errorf("%s: decides about %v, want %v", test.name, got, test.ports)
		}
	}
	values := set{whole: true, elements: []element{at(100)}}
	if got := ofPorts(readRule(unix.NFPROTO_INET, values, loadSource, inSet(0), dropIt), edges...); got != nil {
		t.Errorf("source ports: decides about %v", got)
	}
}

// A verdict map decides by port; only its decisions about the asked ports count.
func TestVerdictMap(t *testing.T) {
	by := expr("lookup", map[uint16]uint32{unix.NFTA_LOOKUP_SREG: 1, unix.NFTA_LOOKUP_DREG: 0})
	at := func(n uint16, v verdict) element { return element{key: onPort(n), verdict: v, decides: true} }
	end := func(n uint16) element { return element{key: onPort(n), stop: true} }
	drop := verdict{code: codeDrop}
	accept := verdict{code: codeAccept}
	for _, test := range []struct {
		name      string
		intervals bool
		elements  []element
		want      string
	}{
		{"single ports", false, []element{at(22, accept), at(51820, drop)}, "[drop udp dport 51820 drop]"},
		{"the tunnel's accepted", false, []element{at(22, drop), at(51820, accept)}, "[accept udp dport 51820 accept]"},
		{"others", false, []element{at(22, drop), at(51821, accept)}, "[]"},
		{"ranges", true, []element{at(51000, drop), end(52000), at(52000, accept), end(53000)},
			"[drop udp dport 51000-51999 drop]"},
		{"a range before the port", true, []element{at(51000, drop), end(51820)}, "[]"},
		{"no decision", false, []element{{key: onPort(51820)}}, "[]"},
	} {
		values := set{intervals: test.intervals, whole: true, elements: test.elements}
		found, _ := firewallOf(unix.NFPROTO_INET, []uint16{51820}, values, loadPort, by)
		got := []string{}
		for _, f := range found {
			got = append(got, f.Effect+" "+f.Rule)
		}
		if fmt.Sprint(got) != test.want {
			t.Errorf("%s: %v, want %s", test.name, got, test.want)
		}
	}
	// Of the chains that it leads to, only the asked ports' is followed.
	jumps := set{whole: true, elements: []element{
		at(22, verdict{code: codeJump, chain: "others"}), at(51820, verdict{code: codeJump, chain: "tunnels"})}}
	found, led := firewallOf(unix.NFPROTO_INET, []uint16{51820}, jumps, loadPort, by)
	if !slices.Equal(led, []string{"tunnels"}) || len(found) != 0 {
		t.Errorf("%q %+v", led, found)
	}
}

// A rule for another protocol concerns no tunnel. In the header the protocol
// stands at byte 9 of IPv4 and at byte 6 of IPv6. Protocols that are excluded are a
// condition that no list expresses.
func TestRuleProtocol(t *testing.T) {
	const eq, neq, v4, v6, both = unix.NFT_CMP_EQ, unix.NFT_CMP_NEQ, unix.NFPROTO_IPV4, unix.NFPROTO_IPV6,
		unix.NFPROTO_INET
	header := func(offset, size uint32) expression {
		return loadHeader(unix.NFT_PAYLOAD_NETWORK_HEADER, offset, size)
	}
	for _, test := range []struct {
		name   string
		family uint8
		exprs  []expression
		udp    bool // a packet of UDP can meet the conditions
		others bool // there are some that are not understood
	}{
		{"udp", both, []expression{loadProtocol, is(eq, unix.IPPROTO_UDP)}, true, false},
		{"any", both, nil, true, false},
		{"tcp", both, []expression{loadProtocol, is(eq, unix.IPPROTO_TCP)}, false, false},
		{"not udp", both, []expression{loadProtocol, is(neq, unix.IPPROTO_UDP)}, false, true},
		{"not tcp", both, []expression{loadProtocol, is(neq, unix.IPPROTO_TCP)}, true, true},
		{"IPv4 header", v4, []expression{header(9, 1), is(eq, unix.IPPROTO_TCP)}, false, false},
		{"IPv6 header", v6, []expression{header(6, 1), is(eq, unix.IPPROTO_TCP)}, false, false},
		{"hop limit of IPv6", v6, []expression{header(7, 1), is(eq, unix.IPPROTO_TCP)}, true, true},
		{"byte 9 of IPv6", v6, []expression{header(9, 1), is(eq, unix.IPPROTO_TCP)}, true, true},
		{"byte 6 of IPv4", v4, []expression{header(6, 1), is(eq, unix.IPPROTO_TCP)}, true, true},
		{"two bytes of IPv4", v4, []expression{header(9, 2), is(eq, unix.IPPROTO_TCP)}, true, true},
		{"two bytes of IPv6", v6, []expression{header(6, 2), is(eq, unix.IPPROTO_TCP)}, true, true},
		{"a protocol of two bytes", both, []expression{loadProtocol, is(eq, 0, unix.IPPROTO_TCP)}, true, true},
	} {
		r := readRule(test.family, set{}, append(slices.Clone(test.exprs), dropIt)...)
		if udp, others := r.condition.ofUDP(), len(r.condition.Other) > 0; udp != test.udp || others != test.others {
			t.Errorf("%s: UDP %v, other conditions %v: %+v", test.name, udp, others, r.condition)
		}
		found, _ := firewallOf(test.family, []uint16{51820}, set{}, append(slices.Clone(test.exprs), dropIt)...)
		if concerns := len(found) > 0; concerns != test.udp {
			t.Errorf("%s: concerns a tunnel: %v", test.name, concerns)
		}
	}
}

// What may apply to the tunnel's datagrams is reported, whether it names the port
// or not, and nothing else.
func TestRuleConcerns(t *testing.T) {
	tunnel := []expression{loadPort, isPort(unix.NFT_CMP_EQ, 51820)}
	on := func(op uint32, load expression, name string) []expression {
		return []expression{load, is(op, []byte(name)...)}
	}
	const eq, neq = unix.NFT_CMP_EQ, unix.NFT_CMP_NEQ
	target := func(name string) expression {
		return expression{"target", kernel.Attributes{{Kind: unix.NFTA_TARGET_NAME, Value: []byte(name + "\x00")}}}
	}
	for _, test := range []struct {
		name  string
		exprs []expression
		want  string
	}{
		{"drops all", []expression{dropIt}, "[drop 0 drop]"},
		{"accepts all", []expression{acceptIt}, "[accept 0 accept]"},
		{"rejects all", []expression{{name: "reject"}}, "[drop 0 reject]"},
		{"rejects all, by iptables", []expression{target("REJECT")}, "[drop 0 reject]"},
		{"another target of iptables", []expression{target("MARK")}, "[]"},
		{"drops the tunnel", slices.Concat(tunnel, []expression{dropIt}), "[drop 51820 udp dport 51820 drop]"},
		{"accepts the tunnel", slices.Concat(tunnel, []expression{acceptIt}), "[accept 51820 udp dport 51820 accept]"},
		{"only counts", slices.Concat(tunnel, []expression{{name: "counter"}}), "[]"},
		{"logs and drops", []expression{{name: "log"}, dropIt}, "[drop 0 drop]"},
		{"what arrives on a link", append(on(eq, loadIn, "eth0\x00"), dropIt), `[drop 0 iifname "eth0" drop]`},
		{"what leaves by others", append(on(neq, loadOut, "wg0\x00"), dropIt), `[drop 0 oifname != "wg0" drop]`},
		{"the tunnel's on a link", slices.Concat(on(eq, loadIn, "eth0\x00"), tunnel, []expression{dropIt}),
			`[drop 51820 iifname "eth0" udp dport 51820 drop]`},
		{"the tunnel's by others", slices.Concat(on(neq, loadOut, "wg0\x00"), tunnel, []expression{dropIt}),
			`[drop 51820 oifname != "wg0" udp dport 51820 drop]`},
		{"two links", slices.Concat(on(eq, loadIn, "a\x00"), on(eq, loadOut, "b\x00"), tunnel, []expression{dropIt}),
			`[drop 51820 iifname "a" oifname "b" udp dport 51820 drop]`},
		{"two conditions that are not read",
			[]expression{loadMeta(0xff), is(eq, 1), loadMeta(0xff), is(neq, 2), dropIt},
			"[drop 0 (a condition that is not read) drop]"},
		{"the tunnel's, with a condition that is not read",
			slices.Concat([]expression{loadMeta(0xff), is(eq, 1)}, tunnel, []expression{dropIt}),
			"[drop 51820 udp dport 51820 (a condition that is not read) drop]"},
	} {
		found, _ := firewallOf(unix.NFPROTO_INET, []uint16{51821, 51820}, set{}, test.exprs...)
		got := []string{}
		for _, f := range found {
			got = append(got, fmt.Sprint(f.Effect, " ", f.Port, " ", f.Rule))
		}
		if fmt.Sprint(got) != test.want {
			t.Errorf("%s: %v, want %s", test.name, got, test.want)
		}
	}
}

// A rule with many ports shows eight of them.
func TestRuleManyPorts(t *testing.T) {
	for _, test := range []struct {
		ports int
		want  string
	}{
		{2, "udp dport { 10, 20 } drop"},
		{8, "udp dport { 10, 20, 30, 40, 50, 60, 70, 80 } drop"},
		{9, "udp dport { 10, 20, 30, 40, 50, 60, 70, 80, … } drop"},
	} {
		values := set{whole: true}
		for n := range test.ports {
			values.elements = append(values.elements, element{key: onPort(uint16(10 + 10*n))})
		}
		r := readRule(unix.NFPROTO_INET, values, loadPort, inSet(0), dropIt)
		if got := words(r.condition, 0, "drop"); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}
