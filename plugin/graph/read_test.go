package graph_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func TestPluginStream(t *testing.T) {
	a, b := &evidence.Node{Index: 0, Name: "a"}, &evidence.Node{Index: 1, Name: "b"}
	for _, test := range []struct {
		name  string
		said  []any
		nodes []string
		gap   string
	}{
		{"nothing", nil, nil, ""},
		{"two nodes", []any{a, b}, []string{"a", "b"}, ""},
		{"in another order", []any{b, a}, []string{"a", "b"}, ""},
		{"indexes with a hole", []any{&evidence.Node{Index: 7, Name: "h"}, b}, []string{"b", "h"}, ""},
		{"a name twice", []any{a, b, &evidence.Node{Index: 2, Name: "a"}}, []string{"a", "b"},
			"it names node 2, a, twice"},
		{"an index twice", []any{a, b, &evidence.Node{Index: 1, Name: "c"}}, []string{"a", "b"},
			"it names node 1, c, twice"},
		{"left out", []any{a, &evidence.Node{Index: -1, Name: "x"}, &evidence.Node{Index: -1, Name: "y"}},
			[]string{"a"}, ""},
		{"a family that does not exist", []any{a, &evidence.Run{Families: []int{4, 5}}}, []string{"a"},
			"it names an address family 5"},
		{"a pod on an unknown node", []any{a, &evidence.Pod{Node: "z", Role: "pod"}}, []string{"a"},
			"it has a pod on z, a node that it does not describe"},
		{"a pod before its node", []any{&evidence.Pod{Node: "a", Role: "pod"}, a}, []string{"a"}, ""},
		{"unknown pairs", []any{a, b, &evidence.Run{Pairs: "some"}}, []string{"a", "b"},
			`pairs are all, ring or a number of at least 1, not "some"`},
		{"not recorded whole", []any{a, &evidence.Problem{What: evidence.ProblemAccount, Text: "too long"}},
			[]string{"a"}, "it could not be recorded whole: too long"},
		{"another problem", []any{a, &evidence.Problem{What: "place", Text: "too long"}}, []string{"a"}, ""},
		{"the first gap counts", []any{a, a, &evidence.Pod{Node: "z"}}, []string{"a"}, "it names node 0, a, twice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := graph.New((&fake{}).say("plugin", test.said...))
			same(t, "gap", g.Gap, test.gap)
			same(t, "nodes", nodeNames(g.Nodes), test.nodes)
			for i, n := range g.Nodes {
				if n.Place() != i || g.Node(n.Name) != n || g.At(n.Index) != n {
					t.Errorf("%s is at %d and not found by its name and index", n.Name, n.Place())
				}
			}
		})
	}
}

// Pairs that nobody understands are all pairs: nothing must go untested by that.
func TestUnknownPairsAreAll(t *testing.T) {
	g := graph.New(abc().say("plugin", &evidence.Run{Pairs: "some"}))
	if !g.Pairs.All() || g.Pairs.Each() != 2 {
		t.Errorf("each node sends to %d others", g.Pairs.Each())
	}
}

func TestExcludedNodesAndProblemsAreKept(t *testing.T) {
	g := graph.New((&fake{}).say("plugin",
		&evidence.Node{Index: -1, Name: "x", Excluded: "not Ready"},
		&evidence.Node{Index: -1, Name: "y", Chosen: true},
		&evidence.Problem{What: "place", Text: "quota"},
		&evidence.Cluster{Version: "v1.36.3"}))
	if len(g.Excluded) != 2 || g.Excluded[0].Excluded != "not Ready" || !g.Excluded[1].Chosen {
		t.Errorf("excluded: %v", g.Excluded)
	}
	same(t, "problems", g.Problems, []evidence.Problem{{What: "place", Text: "quota"}})
	same(t, "cluster", g.Cluster.Version, "v1.36.3")
	if g.Node("x") != nil || g.At(-1) != nil {
		t.Error("a node that takes no part is found")
	}
}

func TestFamiliesAreInOrderAndOnce(t *testing.T) {
	for _, test := range []struct{ said, want []int }{
		{[]int{4}, []int{4}},
		{[]int{6, 4}, []int{4, 6}},
		{[]int{6, 4, 6, 4}, []int{4, 6}},
		{[]int{0, 6, -4}, []int{6}},
		{nil, nil},
	} {
		g := graph.New((&fake{}).say("plugin", &evidence.Run{Families: test.said}))
		same(t, "families", g.Run.Families, test.want)
	}
}

// A Run that is longer than a message comes in several, with some of the tries each.
func TestTriesOfSeveralMessages(t *testing.T) {
	g := graph.New((&fake{}).say("plugin",
		&evidence.Run{ID: "first", Families: []int{4}, Tries: []evidence.Try{{ID: 1}, {ID: 2}}},
		&evidence.Run{ID: "second", Families: []int{4, 6}, Tries: []evidence.Try{{ID: 3}}},
		&evidence.Run{ID: "last", Families: []int{4, 6}}))
	same(t, "tries", g.Run.Tries, []evidence.Try{{ID: 1}, {ID: 2}, {ID: 3}})
	same(t, "the rest is the last one's", g.Run.ID, "last")
	same(t, "families", g.Run.Families, []int{4, 6})
}

func TestPodsOfNodes(t *testing.T) {
	g := graph.New((&fake{}).say("plugin",
		&evidence.Node{Index: 3, Name: "a"}, &evidence.Node{Index: 5, Name: "b"},
		&evidence.Pod{Role: "pod", Node: "a", Name: "pod-a", IPs: []netip.Addr{podIP(0, 6), podIP(0, 4)}},
		&evidence.Pod{Role: "probe", Node: "a", Name: "early", IPs: []netip.Addr{addr("192.0.2.1")}},
		&evidence.Pod{Role: "probe", Node: "a", Name: "late", Pass: 2},
		&evidence.Run{Newcomers: []evidence.Newcomer{{Node: 9}, {Node: 5, Targets: []int{3}}}}))
	a, b := g.Node("a"), g.Node("b")
	same(t, "the test pod's addresses", a.PodIPs, []netip.Addr{podIP(0, 6), podIP(0, 4)})
	same(t, "IPv4", a.PodIP(4), podIP(0, 4))
	same(t, "IPv6", a.PodIP(6), podIP(0, 6))
	same(t, "a pod that is not there", b.PodIP(4), netip.Addr{})
	same(t, "the pod that was placed again", a.Pods["probe"].Name, "late")
	same(t, "pods", len(a.Pods), 2)
	if a.Newcomer != nil || b.Newcomer == nil || b.Newcomer.Node != 5 {
		t.Errorf("new pods: %v on a, %v on b", a.Newcomer, b.Newcomer)
	}
}

func TestGapsOfStreams(t *testing.T) {
	const broke = "it broke off"
	for _, test := range []struct {
		name            string
		recording       *fake
		run, probe, pod string // the gaps of the run and of node a
	}{
		{"none", abc(), "", "", ""},
		{"the plugin's", abc().lack("plugin", broke), broke, "", ""},
		{"the plugin's counts first", abc().lack("plugin", broke).lack("look/a", broke), broke, "", ""},
		{"a probe's", abc().lack("probe/a", broke), "", broke, ""},
		{"a pod's", abc().lack("pod/a", broke), "", "", broke},
		{"another node's", abc().lack("probe/b", broke).lack("pod/b", broke), "", "", ""},
		{"a first look, which is whole", abc().say("look/a"), "", "", ""},
		{"a first look that broke off", abc().lack("look/a", broke), "of look/a, " + broke, "", ""},
		{"a stream of which nobody knows what it is", abc().say("spare/a"),
			"of spare/a, it is not known what it counts as", "", ""},
		{"a stream that is named like the plugin's", abc().say("plugin/a"),
			"of plugin/a, it is not known what it counts as", "", ""},
		{"what could not be written", abc().
			say("probe/a", &evidence.Problem{What: evidence.ProblemEncode, Text: "too long"}).
			say("pod/a", &evidence.Problem{What: evidence.ProblemEncode, Text: "longer"}), "", "too long", "longer"},
		{"other problems are not a gap", abc().
			say("probe/a", &evidence.Problem{What: "device", Text: "denied"}).
			say("pod/a", &evidence.Problem{What: "icmp", Text: "denied"}), "", "", ""},
		{"the stream's own gap counts first", abc().lack("probe/a", broke).lack("pod/a", broke).
			say("probe/a", &evidence.Problem{What: evidence.ProblemEncode, Text: "too long"},
				&evidence.Peers{Ages: []int64{1}}).
			say("pod/a", &evidence.Problem{What: evidence.ProblemEncode, Text: "too long"}), "", broke, broke},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := graph.New(test.recording)
			same(t, "run", g.Gap, test.run)
			same(t, "probe", g.Node("a").ProbeGap, test.probe)
			same(t, "pod", g.Node("a").PodGap, test.pod)
		})
	}
}

// What a probe says of its own host is kept as it is said.
func TestHostState(t *testing.T) {
	hello, module := &evidence.Hello{Kernel: "6.1"}, &evidence.Module{Name: "wireguard"}
	address, rule := &evidence.Address{Link: "eth0"}, &evidence.Rule{Priority: 5}
	seen, socket := &evidence.TrySeen{ID: 1}, &evidence.Socket{Path: "wg0.sock"}
	firewall, capture := &evidence.Firewall{Tool: "ufw"}, &evidence.Capture{Link: "eth0", Frames: 7}
	inventory, diversion := &evidence.Inventory{What: "rules"}, &evidence.Diversion{By: "tc"}
	count, event := &evidence.LinkCount{Link: "eth0"}, &evidence.LinkEvent{What: "down"}
	entry := &evidence.Route{Destination: prefix("10.0.0.0/16"), Link: "wg0"}
	neighbour, rise := &evidence.Neighbour{Link: "eth0", State: "failed"},
		&evidence.StackCount{Name: "UdpInErrors", Rise: 3}
	problem := evidence.Problem{What: "device", Text: "denied"}
	f := abc().say("probe/b", hello, module, address, rule, seen, socket, firewall, capture, inventory, diversion,
		count, event, entry, neighbour, rise, &problem)
	tried, podProblem := &evidence.Tried{ID: 1}, evidence.Problem{What: "icmp"}
	f.say("pod/b", tried, &podProblem)
	n := graph.New(f).Node("b")

	same(t, "hello", n.Hello, *hello)
	same(t, "module", n.Module, module)
	same(t, "addresses", n.Addresses, []*evidence.Address{address})
	same(t, "rules", n.Rules, []*evidence.Rule{rule})
	same(t, "tries in tunnels", n.TriesSeen, []*evidence.TrySeen{seen})
	same(t, "sockets", n.Sockets, []*evidence.Socket{socket})
	same(t, "firewall", n.Firewall, []*evidence.Firewall{firewall})
	same(t, "neighbours", n.Neighbours, []*evidence.Neighbour{neighbour})
	same(t, "counters of the stack", n.StackCounts, []*evidence.StackCount{rise})
	same(t, "captures", n.Captures, []*evidence.Capture{capture})
	same(t, "inventories", n.Inventories, []*evidence.Inventory{inventory})
	same(t, "diversions", n.Diversions, []*evidence.Diversion{diversion})
	same(t, "counters of links", n.LinkCounts, []*evidence.LinkCount{count})
	same(t, "changes of links", n.LinkEvents, []*evidence.LinkEvent{event})
	same(t, "table", n.Table, []*evidence.Route{entry})
	same(t, "problems of the probe", n.Problems, []evidence.Problem{problem})
	same(t, "tries of the pod", n.Tried, []*evidence.Tried{tried})
	same(t, "problems of the pod", n.PodProblems, []evidence.Problem{podProblem})
	same(t, "what no other node said", graph.New(f).Node("a").Rules, []*evidence.Rule(nil))
}

func TestFindingByName(t *testing.T) {
	n := graph.New(abc().say("probe/a",
		&evidence.Link{Index: 4, Name: "eth1", Role: evidence.RoleOutside},
		&evidence.Link{Index: 5, Name: "lo", Role: evidence.RoleInside, Up: true},
		&evidence.Capture{Link: "eth1"})).Node("a")
	same(t, "link", n.Link("eth1").Index, 4)
	same(t, "device", n.Device("wg0").PublicKey, "key-a")
	same(t, "capture", n.Capture("eth1").Link, "eth1")
	if n.Link("eth9") != nil || n.Device("eth0") != nil || n.Capture("eth0") != nil {
		t.Error("something is found that nobody named")
	}
	outside := n.Outside()
	if len(outside) != 1 || outside[0].Name != "eth0" { // eth1 is down, wg0 and lo do not lead out
		t.Errorf("outside: %v", outside)
	}
}

// Columns that make no sense are a gap, and what else the stream says is read.
func TestDamagedColumns(t *testing.T) {
	f := abc().
		say("probe/a", &evidence.Peers{Device: "wg0", Keys: []string{"key-b"}}, // lists of different lengths
			&evidence.Counts{Device: "wg7", Ages: []int64{1}},
			&evidence.Peer{Device: "wg0", PublicKey: "key-c"}).
		say("pod/a", &evidence.Canaries{Peers: evidence.Numbers{1}, Family: 4},
			&evidence.Canary{Peer: 2, Family: 4, First: 9})
	g := graph.New(f)
	a := g.Node("a")
	if !strings.Contains(a.ProbeGap, "peers of wg0") { // the first
		t.Errorf("probe: %q", a.ProbeGap)
	}
	if !strings.Contains(a.PodGap, "canaries") {
		t.Errorf("pod: %q", a.PodGap)
	}
	if g.Peer(a, "wg0", "key-c") == nil || edge(f, "c", "a").FirstArrived != 9 {
		t.Error("what follows a damaged column is not read")
	}
	same(t, "another node", g.Node("b").ProbeGap, "")
}

// Few bytes of columns must not stand for endless work.
func TestColumnsAreBounded(t *testing.T) {
	many := &evidence.Canaries{Family: 4}
	for range 512 * 4 { // as many as a run of three nodes may have
		many.Peers = append(many.Peers, 1)
		many.RTTs = append(many.RTTs, 5)
	}
	same(t, "as many as may be", graph.New(abc().say("pod/a", many)).Node("a").PodGap, "")
	one := &evidence.Canaries{Family: 4, Peers: evidence.Numbers{1}, RTTs: []uint32{5}}
	if gap := graph.New(abc().say("pod/a", many, one)).Node("a").PodGap; !strings.Contains(gap, "stand for more") {
		t.Errorf("one more: %q", gap)
	}
}

// closing is a recording during whose reading everybody stops waiting.
type closing struct {
	*fake
	done chan struct{}
	at   string // the stream
}

func (c *closing) Messages(stream string) []*evidence.Message {
	if stream == c.at {
		close(c.done)
	}
	return c.fake.Messages(stream)
}

func TestNobodyWaits(t *testing.T) {
	open, closed := make(chan struct{}), make(chan struct{})
	close(closed)
	if graph.NewUntil(open, abc()) == nil {
		t.Error("there is no graph though somebody waits for it")
	}
	if graph.NewUntil(closed, abc()) != nil {
		t.Error("there is a graph though nobody waits for it")
	}
	for _, stream := range []string{"plugin", "probe/b", "pod/c", "spare/x"} { // the last is read for leaks only
		recording := &closing{abc().say("spare/x"), make(chan struct{}), stream}
		if graph.NewUntil(recording.done, recording) != nil {
			t.Errorf("there is a graph though nobody waited after %s", stream)
		}
	}
}
