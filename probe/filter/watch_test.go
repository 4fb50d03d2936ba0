//go:build linux

package filter

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

const (
	baseChains = "table ip t {\n chain there { meta mark set 0x99\n }\n chain pre { type filter hook prerouting " +
		"priority mangle;\n tcp dport 22 accept\n tcp dport 80 jump there\n }\n}\n"
	proxyRules = "*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-SVC-A - [0:0]\n:KUBE-SEP-A - [0:0]\n-A PREROUTING -j " +
		"KUBE-SERVICES\n-A KUBE-SERVICES -d 10.43.0.1/32 -p tcp --dport 443 -j KUBE-SVC-A\n-A KUBE-SVC-A -j " +
		"KUBE-SEP-A\n-A KUBE-SEP-A -p tcp -j DNAT --to-destination 10.42.1.9:6443\nCOMMIT\n"
)

// What comes and goes between two readings: it is reported with its conditions, and
// what programs of healthy clusters write again and again is not.
func TestBetween(t *testing.T) {
	for _, test := range []struct {
		name   string
		before []string // scripts of nft, or commands
		during []string
		want   []string // parts of the one statement that is reported; nil for none
	}{
		{"nothing", []string{baseChains}, nil, nil},
		{"a mark", []string{baseChains},
			[]string{"nft insert rule ip t pre ip daddr 10.42.1.0/24 tcp dport 5432 meta mark set 0x77",
				"nft flush chain ip t pre"}, []string{`"mark":119`, `"to":["10.42.1.0/24"]`, `"target":[{"from":5432`,
				`"hook":"prerouting"`, meanwhile}},
		{"a table of its own", nil,
			[]string{"table netdev n { chain i { type filter hook ingress device eth0 priority 0; " +
				"ip daddr 10.42.1.0/24 dup to wan\n }\n}\n",
				"nft delete table netdev n"}, []string{`"effect":"copy"`, `"link":"eth0"`, `"to":"wan"`, meanwhile}},
		{"a jump to what was there", []string{baseChains},
			[]string{"nft add rule ip t pre udp dport 53 goto there",
				"nft flush chain ip t pre"}, []string{`"mark":153`, `"target":[{"from":53,"to":53}]`, meanwhile}},
		{"a table that was taken away", []string{baseChains},
			[]string{"nft add rule ip t pre ip daddr 10.42.1.7 ip daddr set 192.0.2.9", "nft delete table ip t"},
			[]string{`"effect":"dnat"`, `"hook":"prerouting"`, meanwhile}},
		{"an element of a set",
			[]string{"table ip t { set s { type ipv4_addr; elements = { 10.99.0.1 }\n }\n chain pre { type filter " +
				"hook prerouting priority mangle; ip daddr @s meta mark set 0x77\n }\n}\n"},
			[]string{"nft add element ip t s { 10.42.1.7 }", "nft delete element ip t s { 10.42.1.7 }"},
			[]string{`10.42.1.7/32`, `"mark":119`, meanwhile}},
		{"an interval of a set",
			[]string{"table ip t { set s { type ipv4_addr; flags interval; elements = { 10.99.0.0/24 }\n }\n chain " +
				"pre { type filter hook prerouting priority mangle; ip daddr @s meta mark set 0x77\n }\n}\n"},
			[]string{"nft add element ip t s { 10.42.1.0/24 }", "nft delete element ip t s { 10.42.1.0/24 }"},
			[]string{`in set @s`, `"mark":119`, meanwhile}},
		{"a dormant table that wakes for a moment",
			[]string{"table ip t { flags dormant; chain pre { type filter hook prerouting priority mangle; " +
				"meta mark set 0x77\n }\n}\n"},
			[]string{"nft add table ip t", "nft add table ip t { flags dormant; }"}, []string{`"mark":119`, meanwhile}},
		{"rules written again", []string{baseChains},
			[]string{"flush table ip t\n" + baseChains, "flush table ip t\n" + baseChains}, nil},
		{"kube-proxy's rules written again", []string{"restore " + proxyRules},
			[]string{"restore " + proxyRules, "restore " + proxyRules}, nil},
		{"a Service for a moment", []string{"restore " + proxyRules},
			[]string{"restore " +
				strings.NewReplacer("SVC-A", "SVC-B", "SEP-A", "SEP-B", "43.0.1/", "43.0.2/").Replace(proxyRules),
				"restore " + proxyRules}, nil},
		{"endpoints of a Service in kube-proxy's own table", []string{endpoints("10.43.0.1", "1", "2")}, []string{
			"flush table ip kube-proxy\ndelete table ip kube-proxy\n" + endpoints("10.43.0.1", "2", "3"),
			"flush table ip kube-proxy\ndelete table ip kube-proxy\n" + endpoints("10.43.0.1", "1", "3"),
			"flush table ip kube-proxy\ndelete table ip kube-proxy\n" + endpoints("10.43.0.1", "1", "2")}, nil},
		{"a pod's address in kube-proxy's own table", []string{endpoints("10.43.0.1", "1", "2")}, []string{
			"nft add element ip kube-proxy service-ips { 10.42.1.7 . tcp . 443 : goto service-a }",
			"nft delete element ip kube-proxy service-ips { 10.42.1.7 . tcp . 443 }"},
			[]string{`"effect":"dnat"`, meanwhile}},
		{"a chain called kube-proxy's", []string{"restore " + proxyRules}, []string{
			"restore " + strings.ReplaceAll(proxyRules, "10.43.0.1/32", "10.42.1.7/32"), "restore " + proxyRules},
			[]string{`"effect":"dnat"`, meanwhile}},
		{"an IPsec policy", []string{"ip xfrm policy list"},
			[]string{"ip xfrm policy add dst 10.42.1.0/24 dir out tmpl src 192.0.2.1 dst 192.0.2.9 proto esp " +
				"mode tunnel",
				"ip xfrm policy delete dst 10.42.1.0/24 dir out"}, []string{`"by":"xfrm"`,
				`"to":["10.42.1.0/24"]`, meanwhile}},
		{"a filter of traffic control", []string{"tc qdisc add dev eth0 clsact"}, []string{
			"tc filter add dev eth0 ingress protocol ip u32 match u32 0 0 action mirred egress redirect dev wan",
			"tc filter del dev eth0 ingress"},
			[]string{`"by":"tc"`, `"effect":"forward"`, `"to":"wan"`, meanwhile}},
		{"a filter that is replaced for a moment", []string{"tc qdisc add dev eth0 clsact",
			"tc filter add dev eth0 ingress pref 1 handle 800::800 protocol ip u32 match u32 0 0 action mirred " +
				"egress redirect dev lo"}, []string{
			"tc filter replace dev eth0 ingress pref 1 handle 800::800 protocol ip u32 match u32 0 0 action mirred " +
				"egress redirect dev wan",
			"tc filter replace dev eth0 ingress pref 1 handle 800::800 protocol ip u32 match u32 0 0 action mirred " +
				"egress redirect dev lo"}, []string{`"to":"wan"`, meanwhile}},
		{"an entry of an overlay", []string{"ip link add vx type vxlan id 1 dstport 8472 nolearning",
			"ip link set vx up",
			"ip neigh add 10.42.1.7 lladdr 02:00:00:00:00:07 dev vx nud permanent",
			"bridge fdb append 02:00:00:00:00:07 dev vx dst 198.18.0.12"},
			[]string{"bridge fdb replace 02:00:00:00:00:07 dev vx dst 203.0.113.9",
				"bridge fdb replace 02:00:00:00:00:07 dev vx dst 198.18.0.12"},
			[]string{`"by":"fdb"`, `"to":"203.0.113.9"`, `"to":["10.42.1.7/32"]`, meanwhile}},
		{"a neighbour of an overlay",
			[]string{"ip link add vx type vxlan id 1 dstport 8472 nolearning", "ip link set vx up",
				"bridge fdb append 02:00:00:00:00:09 dev vx dst 203.0.113.9",
				"ip neigh add 10.42.1.7 lladdr 02:00:00:00:00:07 dev vx nud permanent"},
			[]string{"ip neigh replace 10.42.1.7 lladdr 02:00:00:00:00:09 dev vx nud permanent",
				"ip neigh replace 10.42.1.7 lladdr 02:00:00:00:00:07 dev vx nud permanent"},
			[]string{`"by":"fdb"`, `"to":"203.0.113.9"`, meanwhile}},
	} {
		t.Run(test.name, func(t *testing.T) {
			enter(t)
			for _, line := range []string{"ip link set lo up", "ip link add eth0 type veth peer name wan",
				"ip link set eth0 up", "ip link set wan up"} {
				run(t, line)
			}
			for _, line := range test.before {
				carryOut(t, line)
			}
			read := Reader{}
			ends := []netip.Addr{netip.MustParseAddr("198.18.0.12")}
			watch := read.Listen()
			first, _, _ := read.Diversions(links(), podNetwork, ends, watch)
			for _, line := range test.during {
				carryOut(t, line)
			}
			watch.Close()
			last, inventories, _ := read.Diversions(links(), podNetwork, ends, watch)
			var new []string
			for _, d := range last {
				if !slices.ContainsFunc(first, func(o evidence.Diversion) bool { return keyOf(o) == keyOf(d) }) {
					line, _ := json.Marshal(d)
					new = append(new, string(line))
				}
			}
			for _, i := range inventories {
				if !i.Complete {
					t.Error(i)
				}
			}
			if len(new) > 1 || test.want == nil && len(new) > 0 || test.want != nil && len(new) == 0 {
				t.Fatalf("%d statements: %s", len(new), strings.Join(new, "\n"))
			}
			for _, part := range test.want {
				if !strings.Contains(new[0], part) {
					t.Errorf("no %s in %s", part, new[0])
				}
			}
		})
	}
}

// endpoints is kube-proxy's table of one Service with two endpoints.
func endpoints(service, one, other string) string {
	chain := func(n string) string {
		return fmt.Sprintf(" chain endpoint-%s { meta l4proto tcp dnat to 10.42.1.%s:6443\n }\n", n, n)
	}
	return fmt.Sprintf("table ip kube-proxy {\n%s%s chain service-a { numgen random mod 2 vmap { 0 : "+
		"goto endpoint-%s, 1 : goto endpoint-%s }\n }\n map service-ips { type ipv4_addr . inet_proto . "+
		"inet_service : verdict; elements = { %s . tcp . 443 : goto service-a }\n }\n chain services { ip daddr . "+
		"meta l4proto . th dport vmap @service-ips\n }\n chain pre { type nat hook prerouting priority dstnat; "+
		"jump services\n }\n}\n", chain(one), chain(other), one, other, service)
}

// carryOut runs a script of nft, rules for iptables-nft-restore, or a command.
func carryOut(t *testing.T, line string) {
	t.Helper()
	rules, restores := strings.CutPrefix(line, "restore ")
	switch {
	case restores:
		runInput(t, "iptables-nft-restore", rules)
	case strings.Contains(line, "\n"):
		runScript(t, line)
	default:
		run(t, line)
	}
}

// While kube-proxy writes all of its rules again and again, nothing is reported; what
// is there for a moment is found all the same.
func TestBetweenBusy(t *testing.T) {
	enter(t)
	var many strings.Builder
	many.WriteString("*nat\n:KUBE-SERVICES - [0:0]\n-A PREROUTING -j KUBE-SERVICES\n")
	for n := range 3000 {
		fmt.Fprintf(&many, ":KUBE-SEP-%d - [0:0]\n-A KUBE-SEP-%d -p tcp -j DNAT --to-destination 10.42.1.9:80\n", n, n)
	}
	many.WriteString("COMMIT\n")
	runInput(t, "iptables-nft-restore", many.String())
	run(t, "ip xfrm policy list")
	read := Reader{}
	for _, marked := range []bool{false, true} {
		watch := read.Listen()
		read.Diversions(links(), podNetwork, nil, watch)
		for range 3 {
			sync := exec.Command("iptables-nft-restore", "--noflush")
			sync.Stdin = strings.NewReader(many.String())
			if out, err := sync.CombinedOutput(); err != nil {
				t.Fatal(err, string(out))
			}
			if marked {
				run(t, "nft add table ip x")
				run(t, "nft add chain ip x pre { type filter hook prerouting priority -150; }")
				run(t, "nft add rule ip x pre meta mark set 0x77")
				run(t, "nft delete table ip x")
			}
		}
		watch.Close()
		found, inventories, _ := read.Diversions(links(), podNetwork, nil, watch)
		if got := slices.ContainsFunc(found,
			func(d evidence.Diversion) bool { return d.Mark == 0x77 }); got != marked || len(found) > 1 {
			t.Errorf("%+v", found)
		}
		for _, i := range inventories {
			if !i.Complete {
				t.Error(i)
			}
		}
	}
}

// A change that could not be heard is none that did not happen.
func TestBetweenGap(t *testing.T) {
	watch := &Watch{heard: []heard{
		{inventory: evidence.InventoryTC, why: "there were more changes than could be queued"},
		{inventory: evidence.InventoryXFRM, absent: true},
	}}
	for _, test := range []struct {
		inventory string
		there     bool
		want      string
	}{
		{evidence.InventoryTC, true, "not all changes were heard: there were more changes than could be queued"},
		{evidence.InventoryXFRM, true, "it was loaded meanwhile, and changes were not heard"},
		{evidence.InventoryXFRM, false, ""}, {evidence.InventoryIptables, true, ""},
	} {
		if got := watch.missed(test.inventory, test.there); got != test.want {
			t.Errorf("%s: %q, want %q", test.inventory, got, test.want)
		}
	}
	var c changes
	for n := range maxChanges + 1 {
		c.keep(fmt.Appendf(nil, "%d", n))
	}
	if c.lacking == "" || len(c.messages) != maxChanges {
		t.Error(len(c.messages), c.lacking)
	}
}

// Whatever is notified is taken, and bounded.
func FuzzNotices(f *testing.F) {
	neighbour := append(make([]byte, sizeofNeighbour), encode(ndaDestination, []byte{10, 0, 0, 1})...)
	f.Add(uint16(unix.RTM_NEWNEIGH), append(neighbour, encode(ndaEther, []byte{2, 0, 0, 0, 0, 1})...))
	f.Add(uint16(unix.RTM_NEWACTION),
		append(make([]byte, 4), encode(1, encode(1, encode(tcaKind, []byte("mirred\x00"))))...))
	f.Add(uint16(unix.RTM_NEWTFILTER), append(make([]byte, sizeofTcMessage), encode(tcaKind, []byte("u32\x00"))...))
	f.Add(uint16(kernel.NFTNewRule),
		append([]byte{2, 0, 0, 0},
			append(encode(unix.NFTA_RULE_TABLE, []byte("t\x00")), encode(unix.NFTA_RULE_CHAIN, []byte("c\x00"))...)...))
	f.Add(uint16(kernel.NFTNewElement),
		append([]byte{2, 0, 0, 0}, encode(unix.NFTA_SET_ELEM_LIST_SET, []byte("s\x00"))...))
	f.Add(uint16(xfrmNewPolicy), make([]byte, sizeofXfrmPolicy))
	f.Fuzz(func(t *testing.T, kind uint16, message []byte) {
		w := &Watch{nft: newNftChanges()}
		w.tc.filters(kind, message)
		w.fdb.neighbours(kind, message)
		w.xfrm.policies(kind, message)
		w.nft.notice(kind, message)
		Reader{}.remotes(map[int]string{0: "vx"}, w.fdb.entries(unix.AF_INET), w.fdb.entries(unix.AF_BRIDGE))
		found := w.between(append(w.tc.filtersOf(map[int]string{0: "eth0"}), w.xfrm.policiesOf()...))
		walked := newWalk("nftables", nil, func(chainName, string) set { return set{} })
		walked.maps = walked.set
		more, _ := w.nft.into(walked)
		for _, d := range append(found, w.between(more)...) {
			if _, err := evidence.Encode(&evidence.Message{Diversion: &d}); err != nil {
				t.Error(err)
			}
		}
	})
}
