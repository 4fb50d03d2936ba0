package status

import (
	"context"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence/columns"
)

// recorded reads a recording of a verification and returns it with what each probe
// would have answered to a DevicesRequest at its first reading.
func recorded(t *testing.T, name string) (*recording.Recording, []Answer) {
	t.Helper()
	file, err := os.Open("../check/testdata/v1/" + name + ".ndjson")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := recording.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	var answers []Answer
	for _, stream := range r.Streams() {
		role, node := evidence.SplitStream(stream)
		if role != "probe" {
			continue
		}
		answer := Answer{Node: node, At: time.Unix(1_800_000_000, 0)}
		var unpacker columns.Unpacker
		for _, m := range r.Messages(stream) {
			if !ofDevice(m) {
				continue
			}
			err := unpacker.Unpack(m, func(one *evidence.Message) { answer.Messages = append(answer.Messages, one) })
			if err != nil {
				t.Fatal(err)
			}
		}
		answers = append(answers, answer)
	}
	return r, answers
}

func next(t *testing.T, m *Monitor, answers []Answer) *Cluster {
	t.Helper()
	c, err := m.Next(context.Background(), answers)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// codes are the problems of a cluster as "code status", sorted.
func codes(c *Cluster) (list []string) {
	for _, p := range c.Problems {
		list = append(list, p.Code+" "+p.Status.String())
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// What readings alone show of recorded clusters, healthy ones and sabotaged ones.
func TestRecordings(t *testing.T) {
	for name, want := range map[string]string{
		"vm-healthy-wireguard":        "",
		"host-healthy-wireguard":      "WG0701 warn",
		"host-healthy-three":          "WG0701 warn",
		"host-healthy-dual":           "WG0701 warn",
		"host-healthy-eight":          "WG0701 warn",
		"host-stale-key":              "WG0302 fail",
		"host-missing-peer":           "WG0302 fail",
		"host-published-key":          "WG0301 fail",
		"vm-shared-key":               "WG0303 fail",
		"host-device-deleted":         "WG0201 fail",
		"host-device-down":            "WG0201 fail",
		"host-vxlan":                  "WG0101 warn",
		"host-configured-not-running": "WG0104 fail",
	} {
		r, answers := recorded(t, name)
		c := next(t, NewMonitor(r), answers)
		got := strings.Join(codes(c), ", ")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if strings.HasSuffix(want, "warn") && got != want {
			t.Errorf("%s: %s, want %s alone", name, got, want)
		}
		t.Logf("%s: %s", name, got)
		for _, p := range c.Problems {
			t.Logf("   %s", p.line())
		}
	}
}

// A node that takes no part is not known, unless that was asked for.
func TestAbsentNodes(t *testing.T) {
	r, answers := recorded(t, "host-node-not-ready")
	if got := codes(next(t, NewMonitor(r), answers)); !slices.Contains(got, "WG0102 inconclusive") {
		t.Errorf("%q", got)
	}
	r, answers = recorded(t, "host-healthy-two-of-three")
	if got := codes(next(t, NewMonitor(r), answers)); slices.Contains(got, "WG0102 inconclusive") {
		t.Errorf("%q", got)
	}
}

// A node that is lost is not known, keeps no device, and comes back with its answer.
func TestLostNode(t *testing.T) {
	r, answers := recorded(t, "vm-healthy-wireguard")
	m := NewMonitor(r)
	before := next(t, m, answers)
	c := next(t, m, []Answer{{Node: answers[0].Node, At: time.Unix(1_800_000_002, 0), Lost: "the connection broke"}})
	if got := codes(c); !slices.Equal(got, []string{"WG0103 inconclusive"}) || c.Nodes[0].Name != answers[0].Node {
		t.Errorf("%q, first is %s", got, c.Nodes[0].Name)
	}
	if c.Status() != verdict.Inconclusive || len(c.Nodes[0].Devices) != 0 {
		t.Errorf("%+v", c.Nodes[0])
	}
	if lines := c.Changes(before); len(lines) != 1 || !strings.Contains(lines[0], "the connection broke") {
		t.Errorf("%q", lines)
	}
	back := next(t, m, answers)
	if len(back.Problems) != 0 {
		t.Errorf("%q", codes(back))
	}
	if lines := back.Changes(c); len(lines) != 1 || !strings.HasPrefix(lines[0], "OK") {
		t.Errorf("%q", lines)
	}
}

// Why a probe did not start is what is said of its node.
func TestProbeThatDidNotStart(t *testing.T) {
	r, answers := recorded(t, "host-image-missing")
	var names []string
	for _, m := range r.Messages(evidence.PluginStream) {
		if m.Node != nil {
			names = append(names, m.Node.Name)
		}
	}
	answered := func(name string) bool {
		return slices.ContainsFunc(answers, func(a Answer) bool { return a.Node == name })
	}
	for _, name := range names {
		if !answered(name) {
			answers = append(answers, Answer{Node: name, At: time.Unix(1_800_000_000, 0), Lost: "there is no probe on " + name})
		}
	}
	c := next(t, NewMonitor(r), answers)
	if lost := c.Nodes[0].Lost; !strings.Contains(lost, "ErrImageNeverPull") {
		t.Errorf("%q; %q", lost, codes(c))
	}
}

// What changed is judged again, what only counted is not.
func TestJudgedAgain(t *testing.T) {
	r, answers := recorded(t, "vm-healthy-wireguard")
	m := NewMonitor(r)
	next(t, m, answers)
	first := m.changed
	counted := moved(answers, 2*time.Second, func(p *evidence.Peer) { p.TX += 100; p.RX += 100; p.Age++ })
	next(t, m, counted)
	if m.changed != first {
		t.Error("counters were judged again")
	}
	lacks := slices.Clone(counted)
	isPeer := func(m *evidence.Message) bool { return m.Peer != nil }
	lacks[0].Messages = slices.DeleteFunc(slices.Clone(lacks[0].Messages), isPeer)
	c := next(t, m, lacks)
	if m.changed == first || !slices.Contains(codes(c), "WG0302 fail") {
		t.Errorf("a peer is gone: %q", codes(c))
	}
}

// A route that comes while status watches is a problem from the next reading of the
// hosts on, and none any more when it is gone.
func TestHostReadAgain(t *testing.T) {
	r, answers := recorded(t, "host-healthy-wireguard")
	sampled := asSampled(r)
	m := NewMonitor(sampled)
	before := next(t, m, answers)
	host := func(change func(*evidence.Route)) []Answer {
		answer := Answer{Node: "node-1", At: answers[0].At.Add(30 * time.Second), Host: true}
		var read []evidence.Message
		for _, message := range sampled.Messages("probe/node-1") {
			// A greeting comes once; that of a later answer is not listened to.
			if message.Hello != nil {
				hello := *message.Hello
				hello.Node = "node-2"
				message = &evidence.Message{Hello: &hello}
			}
			if message.Route != nil && message.Route.For == netip.MustParseAddr("10.42.1.254") {
				route := *message.Route
				change(&route)
				message = &evidence.Message{Route: &route}
			}
			read = append(read, *message)
		}
		for _, message := range new(columns.Packer).Pack(read) { // as a probe does
			answer.Messages = append(answer.Messages, &message)
		}
		return []Answer{answer}
	}
	leaks := next(t, m, host(func(route *evidence.Route) { route.Link = "eth0" }))
	if got := codes(leaks); !slices.Contains(got, "WG0401 fail") {
		t.Errorf("the tunnel's route is gone: %q", got)
	}
	for _, n := range leaks.Nodes {
		if len(n.Devices) != 1 || len(n.Devices[0].Peers) != 1 {
			t.Errorf("devices or peers are lost: %+v", n)
		}
	}
	after := next(t, m, host(func(*evidence.Route) {}))
	if got, want := codes(after), codes(before); !slices.Equal(got, want) {
		t.Errorf("%q, want %q as before", got, want)
	}
}

// What the API server says of the nodes may change while status watches.
func TestSurveyedAgain(t *testing.T) {
	r, answers := recorded(t, "host-healthy-wireguard")
	m := NewMonitor(asSampled(r))
	next(t, m, answers)
	var now []*evidence.Message
	var published map[string]string // by the first node
	for _, message := range r.Messages(evidence.PluginStream) {
		switch {
		case message.Cluster != nil:
			now = append(now, message)
		case message.Node != nil:
			node := *message.Node
			if published == nil {
				published = node.Annotations
			}
			node.Annotations = published
			now = append(now, &evidence.Message{Node: &node})
		}
	}
	now = append(now, &evidence.Message{Node: &evidence.Node{Name: "node-9", Index: -1, Excluded: "it came after this began"}})
	m.Survey(now)
	c := next(t, m, answers)
	if got := codes(c); !slices.Contains(got, "WG0102 inconclusive") || !slices.Contains(got, "WG0301 fail") {
		t.Errorf("a node came, and another publishes the wrong key: %q", got)
	}
	if len(c.Nodes) != 2 {
		t.Errorf("%d nodes are read, want 2", len(c.Nodes))
	}
}

// moved are answers some time later, with changed peers.
func moved(answers []Answer, by time.Duration, change func(*evidence.Peer)) []Answer {
	later := slices.Clone(answers)
	for i := range later {
		later[i].At = later[i].At.Add(by)
		later[i].Messages = nil
		for _, m := range answers[i].Messages {
			if m.Peer != nil {
				peer := *m.Peer
				change(&peer)
				m = &evidence.Message{Peer: &peer}
			}
			later[i].Messages = append(later[i].Messages, m)
		}
	}
	return later
}
