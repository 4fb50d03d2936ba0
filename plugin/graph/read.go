package graph

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence/columns"
)

// gap reports what the record of the run lacks as a whole: the plugin's own
// stream, or a stream that is not the last of its node: a first look that was
// replaced by a second, or one of which it was never said what it counts as, so
// that nothing in it is judged. What probes and pods lack is kept by node.
func gap(recording Recorded) string {
	if text := recording.Gap(evidence.PluginStream); text != "" {
		return text
	}
	for _, stream := range recording.Streams() {
		text := ""
		switch role, _ := evidence.SplitStream(stream); {
		case stream == evidence.PluginStream, role == "probe", role == "pod", role == "trial":
		case role == "look":
			text = recording.Gap(stream)
		default:
			text = "it is not known what it counts as"
		}
		if text != "" {
			return "of " + stream + ", " + text
		}
	}
	return ""
}

// readPlugin reads the plugin's stream: which nodes there are and what was asked.
func (g *Graph) readPlugin(messages []*evidence.Message, streams []string) {
	var pods []*evidence.Pod
	for _, m := range messages {
		switch {
		case m.Run != nil:
			tries := slices.Concat(g.Run.Tries, m.Run.Tries) // more than one message holds come in several
			g.Run = *m.Run
			g.Run.Tries = tries
		case m.Cluster != nil:
			g.Cluster = *m.Cluster
		case m.Node != nil && m.Node.Index < 0:
			g.Excluded = append(g.Excluded, m.Node)
		case m.Node != nil && (g.byName[m.Node.Name] != nil || g.byIndex[m.Node.Index] != nil):
			g.lacks(fmt.Sprintf("it names node %d, %s, twice", m.Node.Index, m.Node.Name))
		case m.Node != nil:
			n := &Node{Node: *m.Node, Pods: map[string]*evidence.Pod{}}
			g.Nodes = append(g.Nodes, n)
			g.byName[n.Name] = n
			g.byIndex[n.Index] = n
		case m.Pod != nil:
			pods = append(pods, m.Pod)
		case m.Sighting != nil:
			g.samples = append(g.samples, m.Sighting)
		case m.Problem != nil:
			g.Problems = append(g.Problems, *m.Problem)
			if m.Problem.What == evidence.ProblemAccount {
				g.lacks("it could not be recorded whole: " + m.Problem.Text)
			}
		}
	}
	g.readFamilies()
	g.Gap = cmp.Or(g.Gap, g.stranger(streams))
	slices.SortFunc(g.Nodes, func(a, b *Node) int { return a.Index - b.Index })
	for i, n := range g.Nodes {
		n.place = i
	}
	var err error
	if g.Pairs, err = NewPairs(g.Run.Pairs, g.Run.ID, len(g.Nodes)); err != nil {
		g.lacks(err.Error())
		g.Pairs, _ = NewPairs("all", "", len(g.Nodes))
	}
	for i, pod := range g.Run.Newcomers {
		if n := g.byIndex[pod.Node]; n != nil {
			n.Newcomer = &g.Run.Newcomers[i]
		}
	}
	g.readPods(pods)
}

// stranger names a stream of a node that the run does not have: what was said there
// belongs to nobody.
func (g *Graph) stranger(streams []string) string {
	for _, stream := range streams {
		if _, node := evidence.SplitStream(stream); stream != evidence.PluginStream && g.byName[node] == nil {
			return "of " + stream + ", it is of a node that the run does not have"
		}
	}
	return ""
}

// lacks notes what the plugin's stream lacks. The first counts.
func (g *Graph) lacks(what string) { g.Gap = cmp.Or(g.Gap, what) }

// readFamilies makes the families of the run those that exist, each once, in order.
func (g *Graph) readFamilies() {
	var families []int
	for _, family := range g.Run.Families {
		switch {
		case slot(family) < 0:
			g.lacks(fmt.Sprintf("it names an address family %d", family))
		case !slices.Contains(families, family):
			families = append(families, family)
		}
	}
	slices.Sort(families)
	g.Run.Families = families
}

func (g *Graph) readPods(pods []*evidence.Pod) {
	for _, p := range pods {
		n := g.byName[p.Node]
		if n == nil {
			g.lacks(fmt.Sprintf("it has a pod on %s, a node that it does not describe", p.Node))
			continue
		}
		n.Pods[p.Role] = p
	}
	for _, n := range g.Nodes {
		switch pod, sample := n.Pods["pod"], n.Pods["sample"]; {
		case pod != nil:
			n.PodIPs = pod.IPs
		case sample != nil:
			n.PodIPs = sample.IPs
			n.Sampled = true
		}
	}
}

// readNode reads a node's two streams.
func (g *Graph) readNode(n *Node, recording Recorded) {
	probe, pod := evidence.StreamName("probe", n.Name), evidence.StreamName("pod", n.Name)
	n.ProbeGap = recording.Gap(probe)
	n.PodGap = recording.Gap(pod)
	r := newReading(g, n)
	damage := g.unpack(n, recording.Messages(probe), r.addProbe)
	n.ProbeGap = cmp.Or(n.ProbeGap, damage, n.conflicts.probe)
	r.finish()
	r.single = newSingle()
	damage = g.unpack(n, recording.Messages(pod), r.addPod)
	n.PodGap = cmp.Or(n.PodGap, damage, n.conflicts.pod)
	n.readTrial(recording.Messages(evidence.StreamName("trial", n.Name)))
}

// readTrial reads what the pod of a trial said.
func (n *Node) readTrial(messages []*evidence.Message) {
	for _, m := range messages {
		switch {
		case m.Trial != nil:
			n.Trial = m.Trial
		case m.Problem != nil:
			n.TrialProblems = append(n.TrialProblems, *m.Problem)
		}
	}
}

// unpack calls add with a stream's messages, those of single peers in the place
// of columns. It returns what is damaged, empty if nothing is.
func (g *Graph) unpack(n *Node, messages []*evidence.Message, add func(*evidence.Message)) string {
	unpacker := columns.Unpacker{Bounds: &columns.Bounds{Index: n.Index, Nodes: len(g.Nodes)}}
	gap := ""
	for _, m := range messages {
		if g.ended() {
			return "nobody waited for it"
		}
		if err := unpacker.Unpack(m, add); err != nil && gap == "" {
			gap = err.Error()
		}
	}
	return gap
}

// reading is the state of reading one node's streams.
type reading struct {
	g       *Graph
	n       *Node
	single  *single
	peers   map[peerKey]*Peer
	flows   []*evidence.Tunnel
	last    *Canaries // of the row before, which is mostly the same
	devices []string  // in the order in which they were first named
}

func newReading(g *Graph, n *Node) *reading {
	return &reading{g: g, n: n, single: newSingle(), peers: map[peerKey]*Peer{}}
}

func (r *reading) addProbe(m *evidence.Message) {
	r.single.add(r.n, m)
	switch {
	case m.Peer != nil:
		r.addPeer(m.Peer)
	case m.Count != nil:
		r.addCount(m.Count)
	case m.Route != nil:
		r.g.addRoute(r.n, m.Route)
	case m.Witness != nil:
		r.g.addSeen(r.n, m.Witness)
	case m.Control != nil:
		r.g.addControl(r.n, m.Control)
	case m.Tunnel != nil:
		r.flows = append(r.flows, m.Tunnel)
		r.n.addOnWire(m.Tunnel)
	default:
		r.n.addHost(m)
	}
}

// finish joins what a probe wrote of its tunnels, once all of it is there.
func (r *reading) finish() {
	r.n.addStale()
	r.n.addTunnels(r.flows)
}

func (r *reading) addPod(m *evidence.Message) {
	n := r.n
	switch {
	case m.Hello != nil:
		r.single.hello(m.Hello, "pod", n.Name, &n.conflicts.pod)
	case m.Sighting != nil:
		n.Leaks = append(n.Leaks, m.Sighting)
	case m.Tried != nil:
		n.Tried = append(n.Tried, m.Tried)
	case m.Classed != nil:
		n.Classed = append(n.Classed, m.Classed)
	case m.Canary != nil:
		r.addCanary(m.Canary)
	case m.Problem != nil:
		n.PodProblems = append(n.PodProblems, *m.Problem)
		if m.Problem.What == evidence.ProblemEncode {
			n.PodGap = cmp.Or(n.PodGap, m.Problem.Text)
		}
	}
}

// addHost keeps what a probe reports of its own host.
func (n *Node) addHost(m *evidence.Message) {
	switch {
	case m.Hello != nil:
		n.Hello = *m.Hello
	case m.Module != nil:
		n.Module = m.Module
	case m.Link != nil:
		n.Links = append(n.Links, m.Link)
	case m.Address != nil:
		n.Addresses = append(n.Addresses, m.Address)
	case m.Rule != nil:
		n.Rules = append(n.Rules, m.Rule)
	case m.TrySeen != nil:
		n.TriesSeen = append(n.TriesSeen, m.TrySeen)
	case m.Classed != nil:
		n.Classed = append(n.Classed, m.Classed)
	case m.ClassSeen != nil:
		n.ClassSeen = append(n.ClassSeen, m.ClassSeen)
	case m.PortUse != nil:
		n.PortUses = append(n.PortUses, m.PortUse)
	case m.PortSent != nil:
		n.PortsSent = append(n.PortsSent, m.PortSent)
	case m.PortSeen != nil:
		n.PortsSeen = append(n.PortsSeen, m.PortSeen)
	case m.Socket != nil:
		n.Sockets = append(n.Sockets, m.Socket)
	case m.Device != nil:
		n.Devices = append(n.Devices, m.Device)
	case m.Firewall != nil:
		n.Firewall = append(n.Firewall, m.Firewall)
	case m.Neighbour != nil:
		n.Neighbours = append(n.Neighbours, m.Neighbour)
	case m.StackCount != nil:
		n.StackCounts = append(n.StackCounts, m.StackCount)
	case m.Capture != nil:
		n.Captures = append(n.Captures, m.Capture)
	case m.Sighting != nil:
		n.Leaks = append(n.Leaks, m.Sighting)
	case m.Inventory != nil:
		n.Inventories = append(n.Inventories, m.Inventory)
	case m.Diversion != nil:
		n.Diversions = append(n.Diversions, m.Diversion)
	case m.LinkCount != nil:
		n.LinkCounts = append(n.LinkCounts, m.LinkCount)
	case m.LinkEvent != nil:
		n.LinkEvents = append(n.LinkEvents, m.LinkEvent)
	case m.Problem != nil:
		n.Problems = append(n.Problems, *m.Problem)
		if m.Problem.What == evidence.ProblemEncode {
			n.ProbeGap = cmp.Or(n.ProbeGap, m.Problem.Text)
		}
	}
}
