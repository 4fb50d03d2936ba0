package graph_test

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// fake is a recording that a test writes down: messages and gaps by stream.
type fake struct {
	streams map[string][]*evidence.Message
	gaps    map[string]string
}

func (f *fake) Streams() []string { return slices.Sorted(maps.Keys(f.streams)) }

func (f *fake) Messages(stream string) []*evidence.Message { return f.streams[stream] }

func (f *fake) Gap(stream string) string { return f.gaps[stream] }

// say adds messages to a stream, each given by its payload.
func (f *fake) say(stream string, payloads ...any) *fake {
	if f.streams == nil {
		f.streams = map[string][]*evidence.Message{}
	}
	f.streams[stream] = append(f.streams[stream], messages(payloads...)...)
	return f
}

// lack makes a stream incomplete.
func (f *fake) lack(stream, gap string) *fake {
	f.say(stream)
	if f.gaps == nil {
		f.gaps = map[string]string{}
	}
	f.gaps[stream] = gap
	return f
}

func messages(payloads ...any) (all []*evidence.Message) {
	for _, payload := range payloads {
		all = append(all, message(payload))
	}
	return all
}

// message puts a payload into the field of its type.
func message(payload any) *evidence.Message {
	m := &evidence.Message{}
	fields := reflect.ValueOf(m).Elem()
	for i := range fields.NumField() {
		if fields.Field(i).Type() == reflect.TypeOf(payload) {
			fields.Field(i).Set(reflect.ValueOf(payload))
			return m
		}
	}
	panic(fmt.Sprintf("no message holds a %T", payload))
}

// ground is a run among nodes of these names, of which nothing is known but their
// links and devices:
//
//	pod 10.0.N.2, fd00:0:0:N::2 — wg0, key-NAME, port 51820 — eth0 192.0.2.N — wire
//
// N is the place of a node, which is its index too.
func ground(families []int, names ...string) *fake {
	f := (&fake{}).say("plugin", &evidence.Run{ID: "abc123", Families: families})
	for i, name := range names {
		f.say("plugin",
			&evidence.Node{Index: i, Name: name, PodCIDRs: []netip.Prefix{
				prefix(fmt.Sprintf("10.0.%d.0/24", i)), prefix(fmt.Sprintf("fd00:0:0:%d::/64", i)),
			}},
			&evidence.Pod{Role: "pod", Node: name, IPs: []netip.Addr{podIP(i, 4), podIP(i, 6)}})
		f.say("probe/"+name,
			&evidence.Link{Index: 2, Name: "eth0", Role: evidence.RoleOutside, Up: true},
			&evidence.Link{Index: 3, Name: "wg0", Role: evidence.RoleWireGuard, Up: true},
			&evidence.Device{Name: "wg0", PublicKey: "key-" + name, Port: 51820})
		f.say("pod/" + name)
	}
	return f
}

// abc is the ground of most tests.
func abc() *fake { return ground([]int{4}, "a", "b", "c") }

func podIP(node, family int) netip.Addr {
	if family == 6 {
		return addr(fmt.Sprintf("fd00:0:0:%d::2", node))
	}
	return addr(fmt.Sprintf("10.0.%d.2", node))
}

// endpoint is where a node's wg0 listens.
func endpoint(node int) netip.AddrPort {
	return netip.AddrPortFrom(addr(fmt.Sprintf("192.0.2.%d", node)), 51820)
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func prefixes(all ...string) (parsed []netip.Prefix) {
	for _, s := range all {
		parsed = append(parsed, prefix(s))
	}
	return parsed
}

// resolved is the graph of a recording in which wg0 should carry everything.
func resolved(recording graph.Recorded) *graph.Graph {
	g := graph.New(recording)
	g.Resolve(func(*graph.Node, int) graph.Carrier { return graph.Carrier{Name: "wg0", Assigned: true} })
	return g
}

// edge returns the edge between two nodes by name, of IPv4.
func edge(recording graph.Recorded, from, to string) *graph.Edge {
	g := resolved(recording)
	return g.Edge(g.Node(from), g.Node(to), 4)
}

// same reports that two values are equal, and what they are if they are not.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

func nodeNames(nodes []*graph.Node) (names []string) {
	for _, n := range nodes {
		names = append(names, n.Name)
	}
	return names
}
