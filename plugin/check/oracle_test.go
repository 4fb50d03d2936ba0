package check

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// The graph holds, field by field, what the case of the same recording holds.
func TestGraphIsLikeTheCase(t *testing.T) {
	for _, r := range summedRuns(t) {
		c, g := verdict.NewCase(r.recording), graph.New(r.recording)
		p := profile.Decide(c)
		prepare(c, p)
		g.Resolve(func(n *graph.Node, family int) graph.Carrier {
			old := c.Node(n.Name)
			return graph.Carrier{Name: p.Device(old, family), Endpoint: p.Endpoint(old, family)}
		})
		same(t, r.name+": graph", []any{c.Run, c.Cluster, c.Excluded, c.Problems, c.Gap, leaksOf(c.Strays)},
			[]any{g.Run, g.Cluster, g.Excluded, g.Problems, g.Gap, newLeaks(g.Unattributed)})
		for i, n := range c.Nodes {
			sameNode(t, r.name, c, n, g, g.Nodes[i])
		}
		edges := 0
		c.EachPair(func(*verdict.Focus, *verdict.Node) bool { return true }, func(f *verdict.Focus) bool {
			edges++
			sameEdge(t, r.name, f, g.Edge(g.Node(f.Node.Name), g.Node(f.Peer.Name), f.Family))
			return !t.Failed()
		})
		for range g.Edges() {
			edges--
		}
		if edges != 0 && !t.Failed() {
			t.Errorf("%s: %d edges", r.name, edges)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
}

func same(t *testing.T, what string, old, now []any) {
	t.Helper()
	for i := range old {
		if !reflect.DeepEqual(old[i], now[i]) && fmt.Sprintf("%+v", old[i]) != fmt.Sprintf("%+v", now[i]) {
			t.Errorf("%s, field %d: %+v, was %+v", what, i, now[i], old[i])
		}
	}
}

func leaksOf(all []verdict.Leak) (texts []string) {
	for _, l := range all {
		texts = append(texts, l.On+fmt.Sprintf("%+v", *l.Sighting))
	}
	return texts
}

func newLeaks(all []graph.Leak) (texts []string) {
	for _, l := range all {
		texts = append(texts, l.On+fmt.Sprintf("%+v", *l.Sighting))
	}
	return texts
}

func peersOf(c *verdict.Case, n *verdict.Node) (texts []string) {
	for p := range c.Peers(n) {
		texts = append(texts, fmt.Sprint(p.Device, p.PublicKey, p.Endpoint, p.AllowedIPs))
	}
	return texts
}

func newPeers(n *graph.Node) (texts []string) {
	for _, p := range n.Peers {
		if p.Configured {
			texts = append(texts, fmt.Sprint(p.Device, p.PublicKey, p.Endpoint, p.AllowedIPs))
		}
	}
	return texts
}

func sameNode(t *testing.T, name string, c *verdict.Case, n *verdict.Node, g *graph.Graph, now *graph.Node) {
	t.Helper()
	table := func(all []*evidence.Route) (routes []evidence.Route) {
		for _, r := range all {
			routes = append(routes, *r)
		}
		return routes
	}
	var answers, newAnswers []string
	for to, route := range n.Answers() {
		answers = append(answers, fmt.Sprintf("%s %+v", to, *route))
	}
	for _, a := range now.Answers {
		newAnswers = append(newAnswers, fmt.Sprintf("%s %+v", a.To, *a.Route))
	}
	var marked, newMarked []string
	for _, l := range n.MarkedLinks() {
		marked = append(marked, fmt.Sprint(l, c.MarkedOn(n, l)))
	}
	for _, l := range now.MarkedLinks() {
		newMarked = append(newMarked, fmt.Sprint(l, now.MarkedOn(l)))
	}
	same(t, name+": "+n.Name, []any{
		n.Node, n.ProbeGap, n.PodGap, n.PodIPs, n.Pods, n.Newcomer, n.Hello, n.Module, n.Links, n.Addresses, table(n.Table), n.Rules,
		n.Sockets, n.Devices, n.Firewall, n.Captures, n.Problems, n.PodProblem, n.Inventories, n.Diversions, n.LinkCounts, n.LinkEvents,
		n.TriesSeen, n.Tried, n.Sightings(), answers, peersOf(c, n), n.OnWire, marked,
	}, []any{
		now.Node, now.ProbeGap, now.PodGap, now.PodIPs, now.Pods, now.Newcomer, now.Hello, now.Module, now.Links, now.Addresses, table(now.Table), now.Rules,
		now.Sockets, now.Devices, now.Firewall, now.Captures, now.Problems, now.PodProblems, now.Inventories, now.Diversions, now.LinkCounts, now.LinkEvents,
		now.TriesSeen, now.Tried, now.Leaks, newAnswers, newPeers(now), now.OnWire, newMarked,
	})
	for p := range c.Peers(n) {
		if found := g.Peer(now, p.Device, p.PublicKey); p.PublicKey != "" && (found == nil || found.PublicKey != p.PublicKey || found.Device != p.Device) {
			t.Errorf("%s: %s: peer %s %s not found", name, n.Name, p.Device, p.PublicKey)
		}
	}
}

func sameEdge(t *testing.T, name string, f *verdict.Focus, e *graph.Edge) {
	t.Helper()
	deref := func(p any) any {
		v := reflect.ValueOf(p)
		if v.Kind() != reflect.Pointer {
			return p
		}
		if v.IsNil() {
			return "nil"
		}
		return v.Elem().Interface()
	}
	tunnel := &f.Tunnel
	rival, part := f.Rival()
	newPart := netip.Prefix{}
	if e.Rival != nil {
		newPart = e.Rival.Part(e.To, e.Held.Bits())
	}
	old := []any{
		f.Node.Name, f.Peer.Name, tunnel.FromLink, tunnel.ToLink, deref(tunnel.FromDev), deref(tunnel.ToDev), oldPeer(tunnel.Peer), oldPeer(f.Back()), oldCount(tunnel.Sent), oldCount(tunnel.Received),
		relative(*tunnel.Beside), oldFlow(tunnel.Out), oldFlow(tunnel.In), tunnel.OutLinks, tunnel.InLinks, *f.Sender, *f.Receiver, f.Fastest(), f.FirstArrived(), f.Into(), f.OutOf(),
		oldPeer(f.Holder()), f.Held(), oldPeer(rival), part, deref(f.Route()), deref(f.Way()), f.ControlSent(), f.ControlLeft(), f.ControlArrived(), f.Node.ControlError(f.Peer), leaksOf(f.Leaks(f.Node, f.Peer, f.Family)),
	}
	back := e.Back()
	now := []any{
		e.From.Name, e.To.Name, e.FromLink(), e.ToLink(), deref(e.FromCarrier.Device), deref(e.ToCarrier.Device), newPeer(e.Peer), newPeer(back.Peer), newCount(e.Sent), newCount(e.Received),
		relative(*e.StaleSent), newFlow(e.Out), newFlow(e.In), e.OutLinks, e.InLinks, *e.Sender, *e.Receiver, e.Fastest, e.FirstArrived, *e.Into, *e.OutOf,
		newPeer(e.Holder), e.Held, newPeer(e.Rival), newPart, deref(e.Route), deref(e.EndpointRoute), e.ControlSent, e.ControlLeft, e.ControlArrived, e.ControlError, newLeaks(e.Leaks),
	}
	same(t, fmt.Sprintf("%s: %s to %s, IPv%d", name, f.Node.Name, f.Peer.Name, f.Family), old, now)
}

func oldPeer(p *verdict.Peer) string {
	if p == nil {
		return "nil"
	}
	return fmt.Sprint(p.Device, p.PublicKey, p.Endpoint, p.AllowedIPs)
}

func newPeer(p *graph.Peer) string {
	if p == nil {
		return "nil"
	}
	return fmt.Sprint(p.Device, p.PublicKey, p.Endpoint, p.AllowedIPs)
}

func oldCount(c *verdict.Count) string {
	if c == nil {
		return "nil"
	}
	return fmt.Sprint(c.Endpoint, relative(c.TX), relative(c.RX), c.Age, c.Handshake, c.Index, c.Readings)
}

func newCount(c *graph.Count) string {
	if c == nil {
		return "nil"
	}
	return fmt.Sprint(c.Endpoint, relative(c.TX), relative(c.RX), c.Age, c.Handshake, c.Index, c.Readings)
}

func relative(readings [evidence.Readings]uint64) [evidence.Readings]uint64 {
	first := readings[0]
	for i := range readings {
		readings[i] -= first
	}
	return readings
}

func oldFlow(f *verdict.Flow) string {
	return fmt.Sprintf("%+v %d %v %s", *f.Shape, f.Bytes, f.Sessions, f.For)
}
func newFlow(f *graph.Flow) string {
	return fmt.Sprintf("%+v %d %v %s", *f.Shape, f.Bytes, f.Sessions, f.For)
}
