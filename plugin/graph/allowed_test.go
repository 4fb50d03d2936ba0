package graph_test

import (
	"net/netip"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func keyOf(p *graph.Peer) string {
	if p == nil {
		return ""
	}
	return p.PublicKey
}

// The kernel sends a packet to the peer whose allowed IPs match its target longest.
func TestHolder(t *testing.T) {
	byB := func(allowed ...string) *evidence.Peer { return peer("key-b", endpoint(1), allowed...) }
	byC := func(allowed ...string) *evidence.Peer { return peer("key-c", endpoint(2), allowed...) }
	right, invalid := byB("10.0.1.0/24"), byC()
	invalid.AllowedIPs = []netip.Prefix{{}, netip.PrefixFrom(addr("10.0.1.2"), 77)}
	elsewhere := byC("10.0.1.2/32")
	elsewhere.Device = "wg1"
	for _, test := range []struct {
		name   string
		said   []any // on a, whose edge to b's pod 10.0.1.2, fd00:0:0:1::2 is asked for
		family int
		holder string
		held   string // empty for none
	}{
		{"nobody", nil, 4, "", ""},
		{"one", []any{right}, 4, "key-b", "10.0.1.0/24"},
		{"what does not match", []any{byB("10.0.2.0/24")}, 4, "", ""},
		{"the longest", []any{right, byC("10.0.1.2/32")}, 4, "key-c", "10.0.1.2/32"},
		{"the longest that matches", []any{right, byC("10.0.1.3/32")}, 4,
			"key-b", "10.0.1.0/24"},
		{"the longest of one", []any{byB("10.0.0.0/16", "10.0.1.0/25", "10.0.1.0/24")}, 4, "key-b", "10.0.1.0/25"},
		{"everything", []any{byC("0.0.0.0/0")}, 4, "key-c", "0.0.0.0/0"},
		{"everything of the other family", []any{byC("::/0")}, 4, "", ""},
		{"of the other family", []any{byB("10.0.0.0/8", "fd00:0:0:1::/64")}, 6, "key-b", "fd00:0:0:1::/64"},
		{"a single IPv6 address", []any{byB("fd00:0:0:1::2/128", "fd00::/16")}, 6, "key-b", "fd00:0:0:1::2/128"},
		{"of two with the same that of the first node", []any{byC("10.0.1.0/24"), right}, 4,
			"key-b", "10.0.1.0/24"},
		{"bits beyond the prefix do not count", []any{byB("10.0.1.77/24")}, 4, "key-b", "10.0.1.77/24"},
		{"of two that mean the same the first", []any{byB("10.0.1.77/24", "10.0.1.0/24")}, 4, "key-b", "10.0.1.77/24"},
		{"what is not valid holds nothing", []any{right, invalid}, 4, "key-b", "10.0.1.0/24"},
		{"another device's peers do not count", []any{right, elsewhere}, 4, "key-b", "10.0.1.0/24"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := resolved(ground([]int{4, 6}, "a", "b", "c").say("probe/a", test.said...))
			e := g.Edge(g.Nodes[0], g.Nodes[1], test.family)
			held := netip.Prefix{}
			if test.held != "" {
				held = prefix(test.held)
			}
			same(t, "holder", keyOf(e.Holder), test.holder)
			same(t, "held", e.Held, held)
		})
	}
}

// A pod without an address is held by nobody, whatever is allowed.
func TestHolderOfNoAddress(t *testing.T) {
	f := ground([]int{4}, "a", "b").say("plugin",
		&evidence.Pod{Role: "pod", Node: "b", IPs: []netip.Addr{podIP(1, 6)}}).
		say("probe/a", peer("key-b", endpoint(1), "0.0.0.0/0", "::/0"))
	e := edge(f, "a", "b")
	same(t, "holder", keyOf(e.Holder), "")
	same(t, "held", e.Held, netip.Prefix{})
}

// No second peer may have a part of a node's pods.
func TestRival(t *testing.T) {
	for _, test := range []struct {
		name  string
		b, c  []string // allowed IPs on a of b's key and of c's; b's pods are 10.0.1.0/24, fd00:0:0:1::/64
		four  string   // the rival on the edge of IPv4
		six   string
		rival *evidence.Peer // one more peer
	}{
		{name: "alone", b: []string{"10.0.1.0/24", "fd00:0:0:1::/64"}},
		{name: "others have others", b: []string{"10.0.1.0/24"},
			c: []string{"10.0.2.0/24", "10.0.0.0/24", "fd00:0:0:2::/64"}},
		{name: "a half", b: []string{"10.0.1.0/24"}, c: []string{"10.0.1.128/25"}, four: "key-c"},
		{name: "the first address", b: []string{"10.0.1.0/24"}, c: []string{"10.0.1.0/32"}, four: "key-c"},
		{name: "the last address", b: []string{"10.0.1.0/24"}, c: []string{"10.0.1.255/32"}, four: "key-c"},
		{name: "the address behind", b: []string{"10.0.1.0/24"}, c: []string{"10.0.2.0/32"}},
		{name: "the address before", b: []string{"10.0.1.0/24"}, c: []string{"10.0.0.255/32"}},
		{name: "all of it too", b: []string{"10.0.1.0/24"}, c: []string{"10.0.1.0/24"}, four: "key-c"},
		{name: "more, which is less specific", b: []string{"10.0.1.0/24"}, c: []string{"10.0.0.0/23"}},
		{name: "more, which is as specific", b: []string{"10.0.0.0/16"}, c: []string{"10.0.0.0/16"}, four: "key-c"},
		{name: "more, and the holder even more", b: []string{"0.0.0.0/0"}, c: []string{"10.0.0.0/15"}, four: ""},
		{name: "a part where the holder has more", b: []string{"10.0.0.0/16"}, c: []string{"10.0.1.64/26"},
			four: "key-c"},
		{name: "a part next to an address that the holder has by itself", b: []string{"10.0.1.0/24", "10.0.1.2/32"},
			c: []string{"10.0.1.128/25"}, four: "key-c"},
		{name: "a part of which the holder has more specific ones", b: []string{"10.0.1.0/24", "10.0.1.128/25"},
			c: []string{"10.0.1.0/24"}, four: "key-c"},
		{name: "where nobody holds the pod", c: []string{"10.0.1.128/25"}, four: "key-c"},
		{name: "all where nobody else has anything", c: []string{"10.0.1.0/24"}},
		{name: "of IPv6", b: []string{"10.0.1.0/24", "fd00:0:0:1::/64"}, c: []string{"fd00:0:0:1:8000::/65"},
			six: "key-c"},
		{name: "of IPv4", b: []string{"10.0.1.0/24", "fd00::/16"}, c: []string{"10.0.1.128/25"}, four: "key-c"},
		{name: "the first node's of two", b: []string{"10.0.1.0/24"}, c: []string{"10.0.1.64/26"}, four: "key-a",
			rival: peer("key-a", endpoint(0), "10.0.1.128/26")},
		{name: "the first node's of two with the same", b: []string{"10.0.1.0/24"}, c: []string{"10.0.1.64/26"},
			four: "key-c", rival: peer("key-x", endpoint(9), "10.0.1.64/26")},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := ground([]int{4, 6}, "a", "b", "c").
				say("probe/a", peer("key-b", endpoint(1), test.b...), peer("key-c", endpoint(2), test.c...))
			if test.rival != nil {
				f.say("probe/a", test.rival)
			}
			g := resolved(f)
			four, six := g.Edge(g.Nodes[0], g.Nodes[1], 4), g.Edge(g.Nodes[0], g.Nodes[1], 6)
			if four.Rival != nil && four.Rival == four.Holder {
				t.Error("the holder is its own rival")
			}
			same(t, "IPv4", keyOf(four.Rival), test.four)
			same(t, "IPv6", keyOf(six.Rival), test.six)
		})
	}
}

// Ranges that are not valid, or have bits beyond their length, are what they mean.
func TestRivalOfOddRanges(t *testing.T) {
	for _, test := range []struct {
		ranges []netip.Prefix
		want   string
	}{
		{nil, ""},
		{[]netip.Prefix{{}}, ""},
		{[]netip.Prefix{{}, prefix("10.0.1.99/24")}, "key-c"},
		{prefixes("10.0.1.0/24"), "key-c"},
		{prefixes("10.0.1.0/26", "10.0.1.128/26"), "key-c"},
		{prefixes("10.0.1.0/26"), ""},
		{prefixes("fd00:0:0:1::/64"), ""},
	} {
		f := (&fake{}).say("plugin", &evidence.Run{Families: []int{4, 6}},
			&evidence.Node{Index: 0, Name: "a"}, &evidence.Node{Index: 1, Name: "b", PodCIDRs: test.ranges},
			&evidence.Pod{Role: "pod", Node: "b", IPs: []netip.Addr{podIP(1, 4)}}).
			say("probe/a", peer("key-b", endpoint(1), "10.0.1.0/24"), peer("key-c", endpoint(2), "10.0.1.128/25"))
		g := resolved(f)
		same(t, "rival", keyOf(g.Edge(g.Nodes[0], g.Nodes[1], 4).Rival), test.want)
		same(t, "rival of IPv6", keyOf(g.Edge(g.Nodes[0], g.Nodes[1], 6).Rival), "")
	}
}

// Where a network assigns ranges of its own, what the API has of a node is not its
// pods': only what leads to its test pod is.
func TestRivalOfOtherRanges(t *testing.T) {
	for _, test := range []struct {
		to, others string // of the route to b's pod 10.0.1.2; allowed IPs of c
		want       string
	}{
		{"10.0.1.0/26", "10.0.1.64/26", ""},
		{"10.0.1.0/26", "10.0.1.32/27", "key-c"},
		{"10.0.0.0/16", "10.0.1.64/26", "key-c"},
	} {
		f := ground([]int{4}, "a", "b", "c").say("probe/a", peer("key-b", endpoint(1), "10.0.1.0/26"),
			peer("key-c", endpoint(2), test.others), &evidence.Route{For: podIP(1, 4), Link: "wg0",
				Destination: prefix(test.to)})
		g := graph.New(f)
		g.Resolve(func(*graph.Node, int) graph.Carrier { return graph.Carrier{Name: "wg0"} })
		same(t, test.to+" "+test.others, keyOf(g.Edge(g.Nodes[0], g.Nodes[1], 4).Rival), test.want)
	}
}

func TestPart(t *testing.T) {
	ranges := prefixes("10.0.1.0/24", "fd00:0:0:1::/64")
	p := &graph.PeerConfig{
		AllowedIPs: prefixes("10.0.2.0/24", "10.0.0.0/16", "10.0.1.64/26", "10.0.1.65/32", "fd00:0:0:1::/80"),
	}
	for held, want := range map[string]string{
		"": "10.0.0.0/16", "10.0.0.0/16": "10.0.0.0/16", "10.0.1.0/24": "10.0.1.64/26", "10.0.1.64/27": "10.0.0.0/16",
	} {
		holder := &graph.Peer{PeerConfig: &graph.PeerConfig{}}
		if held != "" {
			holder.AllowedIPs = prefixes(held)
		}
		same(t, held, p.Part(ranges, holder), prefix(want))
	}
	same(t, "of a node without pods", p.Part(nil, nil), netip.Prefix{})
}
