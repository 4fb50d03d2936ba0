//go:build linux

package host

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// What a rule is made of, as the kernel lists it.
var (
	loadPort     = &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}
	loadSource   = &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 2}
	loadProtocol = &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}
	loadIn       = &expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1}
	loadOut      = &expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1}
	dropIt       = &expr.Verdict{Kind: expr.VerdictDrop}
	acceptIt     = &expr.Verdict{Kind: expr.VerdictAccept}
)

func onPort(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }

func is(op expr.CmpOp, data ...byte) expr.Any { return &expr.Cmp{Op: op, Register: 1, Data: data} }

func isPort(op expr.CmpOp, n uint16) expr.Any { return is(op, onPort(n)...) }

func between(op expr.CmpOp, from, to uint16) expr.Any {
	return &expr.Range{Op: op, Register: 1, FromData: onPort(from), ToData: onPort(to)}
}

// inSet looks the loaded port up in the set "s".
func inSet(invert, decides bool) expr.Any {
	return &expr.Lookup{SourceRegister: 1, SetName: "s", Invert: invert, IsDestRegSet: decides}
}

// reading reads a rule of a table of both families, with the elements of its set.
func reading(elements []nftables.SetElement, exprs ...expr.Any) readRule {
	table := &nftables.Table{Name: "filter", Family: nftables.TableFamilyINet}
	w := filterWalk{
		ports: []uint16{51820},
		sets:  map[string][]nftables.SetElement{chainKey(table, "s"): elements},
	}
	return w.read(&nftables.Rule{Table: table, Exprs: exprs})
}

// ofPorts returns the ports of some that a rule decides about.
func ofPorts(r readRule, some ...uint16) (decides []uint16) {
	for _, p := range some {
		if _, ok := r.concerns([]uint16{p}); ok {
			decides = append(decides, p)
		}
	}
	return decides
}

// A rule decides about the ports that its conditions leave, and its text names
// them as nft writes them.
func TestFirewallRulePorts(t *testing.T) {
	edges := []uint16{0, 1, 99, 100, 101, 199, 200, 201, 65534, 65535}
	for _, test := range []struct {
		name  string
		exprs []expr.Any
		ports []uint16 // of edges
		text  string   // "" if no port is left
	}{
		{"one", []expr.Any{loadPort, isPort(expr.CmpOpEq, 100), dropIt}, []uint16{100}, "udp dport 100 drop"},
		{"the first", []expr.Any{loadPort, isPort(expr.CmpOpEq, 0), dropIt}, []uint16{0}, "udp dport 0 drop"},
		{"the last", []expr.Any{loadPort, isPort(expr.CmpOpEq, 65535), dropIt}, []uint16{65535}, "udp dport 65535 drop"},
		{"all but one", []expr.Any{loadPort, isPort(expr.CmpOpNeq, 100), dropIt},
			[]uint16{0, 1, 99, 101, 199, 200, 201, 65534, 65535}, "udp dport { 0-99, 101-65535 } drop"},
		{"all but the first", []expr.Any{loadPort, isPort(expr.CmpOpNeq, 0), dropIt}, edges[1:], "udp dport 1-65535 drop"},
		{"all but the last", []expr.Any{loadPort, isPort(expr.CmpOpNeq, 65535), dropIt}, edges[:9], "udp dport 0-65534 drop"},
		{"below", []expr.Any{loadPort, isPort(expr.CmpOpLt, 100), dropIt}, []uint16{0, 1, 99}, "udp dport 0-99 drop"},
		{"below the first", []expr.Any{loadPort, isPort(expr.CmpOpLt, 0), dropIt}, nil, ""},
		{"up to", []expr.Any{loadPort, isPort(expr.CmpOpLte, 100), dropIt}, []uint16{0, 1, 99, 100}, "udp dport 0-100 drop"},
		{"above", []expr.Any{loadPort, isPort(expr.CmpOpGt, 200), dropIt}, []uint16{201, 65534, 65535},
			"udp dport 201-65535 drop"},
		{"above the last", []expr.Any{loadPort, isPort(expr.CmpOpGt, 65535), dropIt}, nil, ""},
		{"above all but the last", []expr.Any{loadPort, isPort(expr.CmpOpGt, 65534), dropIt}, []uint16{65535},
			"udp dport 65535 drop"},
		{"from", []expr.Any{loadPort, isPort(expr.CmpOpGte, 200), dropIt}, []uint16{200, 201, 65534, 65535},
			"udp dport 200-65535 drop"},
		{"a range", []expr.Any{loadPort, between(expr.CmpOpEq, 100, 200), dropIt}, []uint16{100, 101, 199, 200},
			"udp dport 100-200 drop"},
		{"outside a range", []expr.Any{loadPort, between(expr.CmpOpNeq, 100, 200), dropIt},
			[]uint16{0, 1, 99, 201, 65534, 65535}, "udp dport { 0-99, 201-65535 } drop"},
		{"two conditions", []expr.Any{loadPort, isPort(expr.CmpOpGte, 100), isPort(expr.CmpOpLte, 200), dropIt},
			[]uint16{100, 101, 199, 200}, "udp dport 100-200 drop"},
		{"two that leave one", []expr.Any{loadPort, isPort(expr.CmpOpGte, 100), isPort(expr.CmpOpLte, 100), dropIt},
			[]uint16{100}, "udp dport 100 drop"},
		{"two that leave none", []expr.Any{loadPort, isPort(expr.CmpOpGt, 100), isPort(expr.CmpOpLt, 101), dropIt}, nil, ""},
		{"the source port", []expr.Any{loadSource, isPort(expr.CmpOpEq, 100), dropIt}, nil, "… drop"},
		{"a range of source ports", []expr.Any{loadSource, between(expr.CmpOpEq, 100, 200), dropIt}, nil, "… drop"},
		{"an IPv6 address in a range",
			[]expr.Any{loadPort, &expr.Range{Register: 1, FromData: make([]byte, 16), ToData: make([]byte, 16)}, dropIt},
			nil, "… drop"},
	} {
		r := reading(nil, test.exprs...)
		if got := ofPorts(r, edges...); !slices.Equal(got, test.ports) {
			t.Errorf("%s: decides about %v, want %v", test.name, got, test.ports)
		}
		if got := r.text(); test.text != "" && got != test.text {
			t.Errorf("%s: %q, want %q", test.name, got, test.text)
		}
	}
}

// Sets list ports, or where ranges begin and end: an end is the first port that
// is not in it, and a range without one goes to the last port.
func TestFirewallRuleSets(t *testing.T) {
	at := func(n uint16) nftables.SetElement { return nftables.SetElement{Key: onPort(n)} }
	end := func(n uint16) nftables.SetElement { return nftables.SetElement{Key: onPort(n), IntervalEnd: true} }
	edges := []uint16{0, 99, 100, 101, 199, 200, 201, 299, 300, 65535}
	for _, test := range []struct {
		name     string
		elements []nftables.SetElement
		invert   bool
		ports    []uint16
	}{
		{"single ports in any order", []nftables.SetElement{at(200), at(100)}, false, []uint16{100, 200}},
		{"all others", []nftables.SetElement{at(200), at(100)}, true, []uint16{0, 99, 101, 199, 201, 299, 300, 65535}},
		{"ranges", []nftables.SetElement{end(0), at(100), end(200), at(300), end(301)}, false, []uint16{100, 101, 199, 300}},
		{"a range to the last port", []nftables.SetElement{end(0), at(200)}, false, []uint16{200, 201, 299, 300, 65535}},
		{"one range after the other", []nftables.SetElement{at(100), at(200), end(201)}, false, []uint16{100, 101, 199, 200}},
		{"nothing", nil, false, nil},
		{"all but nothing", nil, true, edges},
		{"keys of another length", []nftables.SetElement{{Key: []byte{100}}, {Key: []byte{0, 0, 0, 100}}}, false, nil},
	} {
		r := reading(test.elements, loadPort, inSet(test.invert, false), dropIt)
		if got := ofPorts(r, edges...); !slices.Equal(got, test.ports) {
			t.Errorf("%s: decides about %v, want %v", test.name, got, test.ports)
		}
	}
	other := reading([]nftables.SetElement{at(100)}, loadSource, inSet(false, false), dropIt)
	if got := ofPorts(other, edges...); got != nil {
		t.Errorf("source ports: decides about %v", got)
	}
}

// A verdict map decides by port; only what it says of the asked ports counts.
func TestFirewallVerdictMap(t *testing.T) {
	decision := func(kind expr.VerdictKind, chain string) []byte {
		value := binary.BigEndian.AppendUint32([]byte{0, 8, 0, 1}, uint32(kind))
		if chain != "" {
			value = append(append(value, 0, byte(4+len(chain)+1), 0, 2), chain+"\x00"...)
		}
		return value
	}
	elements := []nftables.SetElement{
		{Key: onPort(22), Val: decision(expr.VerdictAccept, "")},
		{Key: onPort(51820), Val: decision(expr.VerdictDrop, "")},
	}
	r := reading(elements, loadPort, inSet(false, true))
	if got := r.text(); r.effect != "drop" || got != "udp dport 51820 drop" {
		t.Errorf("%q: %q", r.effect, got)
	}
	elements[1].Val = decision(expr.VerdictJump, "tunnels")
	if r := reading(elements, loadPort, inSet(false, true)); !slices.Equal(r.jumps,
		[]string{"tunnels"}) || r.effect != "" {
		t.Errorf("%+v", r)
	}
	// A map of ranges decides about the ports in between as well.
	elements = []nftables.SetElement{
		{Key: onPort(51000), Val: decision(expr.VerdictDrop, "")}, {Key: onPort(52000), IntervalEnd: true},
		{Key: onPort(52000), Val: decision(expr.VerdictAccept, "")}, {Key: onPort(53000), IntervalEnd: true},
	}
	if r := reading(elements, loadPort, inSet(false, true)); r.effect != "drop" {
		t.Errorf("%+v", r)
	}
	for size := range 8 {
		if verdict, ok := mapped(make([]byte, size)); ok {
			t.Errorf("%d bytes are a verdict: %+v", size, verdict)
		}
	}
	if verdict, ok := mapped(decision(expr.VerdictDrop,
		"")); !ok || verdict.Kind != expr.VerdictDrop || verdict.Chain != "" {
		t.Errorf("%v %+v", ok, verdict)
	}
}

// A rule for another protocol is none for a tunnel. In the header the protocol
// stands at byte 9 of IPv4 and at byte 6 of IPv6.
func TestFirewallRuleProtocol(t *testing.T) {
	header := func(offset, size uint32) expr.Any {
		return &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size}
	}
	for _, test := range []struct {
		name   string
		family nftables.TableFamily
		exprs  []expr.Any
		notUDP bool
		others bool
	}{
		{"udp", nftables.TableFamilyINet, []expr.Any{loadProtocol, is(expr.CmpOpEq, unix.IPPROTO_UDP)}, false, false},
		{"tcp", nftables.TableFamilyINet, []expr.Any{loadProtocol, is(expr.CmpOpEq, unix.IPPROTO_TCP)}, true, false},
		{"not udp", nftables.TableFamilyINet, []expr.Any{loadProtocol, is(expr.CmpOpNeq, unix.IPPROTO_UDP)}, true, false},
		{"not tcp", nftables.TableFamilyINet, []expr.Any{loadProtocol, is(expr.CmpOpNeq, unix.IPPROTO_TCP)}, false, false},
		{"IPv4 header", nftables.TableFamilyIPv4, []expr.Any{header(9, 1), is(expr.CmpOpEq, unix.IPPROTO_TCP)}, true, false},
		{"IPv6 header", nftables.TableFamilyIPv6, []expr.Any{header(6, 1), is(expr.CmpOpEq, unix.IPPROTO_TCP)}, true, false},
		{"hop limit of IPv6", nftables.TableFamilyIPv6, []expr.Any{header(7, 1), is(expr.CmpOpEq, unix.IPPROTO_TCP)}, false,
			true},
		{"byte 9 of IPv6", nftables.TableFamilyIPv6, []expr.Any{header(9, 1), is(expr.CmpOpEq, unix.IPPROTO_TCP)}, false,
			true},
		{"byte 6 of IPv4", nftables.TableFamilyIPv4, []expr.Any{header(6, 1), is(expr.CmpOpEq, unix.IPPROTO_TCP)}, false,
			true},
		{"two bytes of IPv4", nftables.TableFamilyIPv4, []expr.Any{header(9, 2), is(expr.CmpOpEq, unix.IPPROTO_TCP)}, false,
			true},
		{"two bytes of IPv6", nftables.TableFamilyIPv6, []expr.Any{header(6, 2), is(expr.CmpOpEq, unix.IPPROTO_TCP)}, false,
			true},
		{"a protocol of two bytes", nftables.TableFamilyINet,
			[]expr.Any{loadProtocol, is(expr.CmpOpEq, 0, unix.IPPROTO_TCP)}, false, true},
	} {
		w := filterWalk{}
		r := w.read(&nftables.Rule{Table: &nftables.Table{Family: test.family},
			Exprs: append(slices.Clone(test.exprs), dropIt)})
		if r.notUDP != test.notUDP || r.others != test.others {
			t.Errorf("%s: not UDP %v, other conditions %v", test.name, r.notUDP, r.others)
		}
		if _, concerns := r.concerns([]uint16{51820}); concerns != (!test.notUDP && !test.others) {
			t.Errorf("%s: concerns a tunnel: %v", test.name, concerns)
		}
	}
}

// Without a condition on the port only what drops everything counts, since what
// accepts something else than the tunnel's datagrams stops nothing.
func TestFirewallRuleConcerns(t *testing.T) {
	tunnel := []expr.Any{loadPort, isPort(expr.CmpOpEq, 51820)}
	from := func(name string, op expr.CmpOp, load expr.Any) []expr.Any {
		return []expr.Any{load, is(op, []byte(name)...)}
	}
	for _, test := range []struct {
		name   string
		exprs  []expr.Any
		port   uint16
		counts bool
		effect string
		text   string
	}{
		{"drops all", []expr.Any{dropIt}, 0, true, "drop", "drop"},
		{"accepts all", []expr.Any{acceptIt}, 0, false, "accept", "accept"},
		{"rejects all", []expr.Any{&expr.Reject{}}, 0, true, "drop", "reject"},
		{"rejects all, by iptables", []expr.Any{&expr.Target{Name: "REJECT"}}, 0, true, "drop", "reject"},
		{"another target of iptables", []expr.Any{&expr.Target{Name: "MARK"}}, 0, false, "", ""},
		{"drops the tunnel", slices.Concat(tunnel, []expr.Any{dropIt}), 51820, true, "drop", "udp dport 51820 drop"},
		{"accepts the tunnel", slices.Concat(tunnel, []expr.Any{acceptIt}), 51820, true, "accept", "udp dport 51820 accept"},
		{"only counts", slices.Concat(tunnel, []expr.Any{&expr.Counter{}}), 0, false, "", "udp dport 51820"},
		{"logs and drops", []expr.Any{&expr.Log{}, dropIt}, 0, true, "drop", "drop"},
		{"what arrives on a link", append(from("eth0\x00\x00", expr.CmpOpEq, loadIn), dropIt), 0, false, "drop",
			`iifname "eth0" drop`},
		{"what leaves by others", append(from("wg0", expr.CmpOpNeq, loadOut), dropIt), 0, false, "drop",
			`oifname != "wg0" drop`},
		{"the tunnel's on a link", slices.Concat(from("eth0", expr.CmpOpEq, loadIn), tunnel, []expr.Any{dropIt}), 51820,
			true, "drop",
			`iifname "eth0" udp dport 51820 drop`},
		{"two conditions that are not read", []expr.Any{&expr.Ct{}, &expr.Fib{}, dropIt}, 0, false, "drop", "… drop"},
		{"two links", slices.Concat(from("a", expr.CmpOpEq, loadIn), from("b", expr.CmpOpEq, loadOut), []expr.Any{dropIt}),
			0, false, "drop",
			`iifname "a" oifname "b" drop`},
	} {
		r := reading(nil, test.exprs...)
		port, counts := r.concerns([]uint16{51821, 51820})
		if counts != test.counts || port != test.port {
			t.Errorf("%s: concerns %v, port %d", test.name, counts, port)
		}
		if r.effect != test.effect || r.text() != test.text {
			t.Errorf("%s: %q, %q", test.name, r.effect, r.text())
		}
	}
}

// A rule with many ports shows eight of them.
func TestFirewallRuleManyPorts(t *testing.T) {
	for _, test := range []struct {
		ports int
		want  string
	}{
		{2, "udp dport { 10, 20 } drop"},
		{8, "udp dport { 10, 20, 30, 40, 50, 60, 70, 80 } drop"},
		{9, "udp dport { 10, 20, 30, 40, 50, 60, 70, 80, … } drop"},
	} {
		var elements []nftables.SetElement
		for n := range test.ports {
			elements = append(elements, nftables.SetElement{Key: onPort(uint16(10 + 10*n))})
		}
		r := reading(elements, loadPort, inSet(false, false), dropIt)
		if got := r.text(); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}
