package verdict

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence/columns"
)

// Recorded is a recording as a case reads it; *recording.Recording is one.
type Recorded interface {
	// Streams returns the names of all streams, sorted.
	Streams() []string
	// Messages returns the messages of one stream in the order of their numbers.
	Messages(stream string) []*evidence.Message
	// Gap says what makes a stream incomplete, empty if nothing does.
	Gap(stream string) string
}

// NewCase lays out a recording, several streams at a time.
func NewCase(recording Recorded) *Case { return NewCaseUntil(nil, recording) }

// NewCaseUntil is NewCase, and returns nil if done is closed meanwhile.
func NewCaseUntil(done <-chan struct{}, recording Recorded) *Case {
	c := &Case{done: done, byName: map[string]*Node{}, byIndex: map[int]*Node{}, Gap: gap(recording)}
	c.layPlugin(recording.Messages(evidence.PluginStream))
	c.each(func(n *Node) { c.layNode(n, recording) })
	if c.ended() {
		return nil
	}
	c.attribute(recording)
	c.own()
	c.each(c.settle)
	if c.ended() {
		return nil
	}
	return c
}

// ended reports whether nobody waits for the case any more.
func (c *Case) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// each calls do for every node, for several at a time.
func (c *Case) each(do func(*Node)) {
	workers(len(c.Nodes), func(i int) { do(c.Nodes[i]) })
}

// workers calls do for 0 to n-1, in no order, on all processors.
func workers(n int, do func(int)) {
	var next atomic.Int64
	var working sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		working.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	working.Wait()
}

// layPlugin reads the plugin's own account: which nodes there are.
func (c *Case) layPlugin(messages []*evidence.Message) {
	var pods []*evidence.Pod
	for _, m := range messages {
		switch {
		case m.Run != nil:
			tries := slices.Concat(c.Run.Tries, m.Run.Tries) // more than one message holds come in several
			c.Run = *m.Run
			c.Run.Tries = tries
		case m.Cluster != nil:
			c.Cluster = *m.Cluster
		case m.Node != nil && m.Node.Index < 0:
			c.Excluded = append(c.Excluded, m.Node)
		case m.Node != nil && (c.byName[m.Node.Name] != nil || c.byIndex[m.Node.Index] != nil):
			c.Gap = cmp.Or(c.Gap, fmt.Sprintf("it names node %d, %s, twice", m.Node.Index, m.Node.Name))
		case m.Node != nil:
			n := &Node{Node: *m.Node, in: c, Pods: map[string]*evidence.Pod{}}
			c.Nodes = append(c.Nodes, n)
			c.byName[n.Name], c.byIndex[n.Index] = n, n
		case m.Pod != nil:
			pods = append(pods, m.Pod)
		case m.Sighting != nil:
			c.sightings = append(c.sightings, m.Sighting)
		case m.Problem != nil:
			c.Problems = append(c.Problems, *m.Problem)
			if m.Problem.What == evidence.ProblemAccount {
				c.Gap = cmp.Or(c.Gap, "it could not be recorded whole: "+m.Problem.Text)
			}
		}
	}
	var families []int
	for _, family := range c.Run.Families {
		switch {
		case slot(family) < 0:
			c.Gap = cmp.Or(c.Gap, fmt.Sprintf("it names an address family %d", family))
		case !slices.Contains(families, family):
			families = append(families, family)
		}
	}
	slices.Sort(families)
	c.Run.Families = families
	slices.SortFunc(c.Nodes, func(a, b *Node) int { return a.Index - b.Index })
	for i, n := range c.Nodes {
		n.at = i
	}
	var err error
	if c.Asked, err = Ask(c.Run.Pairs, c.Run.ID, len(c.Nodes)); err != nil {
		c.Gap = cmp.Or(c.Gap, err.Error())
		c.Asked, _ = Ask("all", "", len(c.Nodes))
	}
	for i, newcomer := range c.Run.Newcomers {
		if n := c.byIndex[newcomer.Node]; n != nil {
			n.Newcomer = &c.Run.Newcomers[i]
		}
	}
	for _, p := range pods {
		n := c.byName[p.Node]
		if n == nil {
			c.Gap = cmp.Or(c.Gap, fmt.Sprintf("it has a pod on %s, a node that it does not describe", p.Node))
			continue
		}
		n.Pods[p.Role] = p
		if p.Role == "pod" {
			n.PodIPs = p.IPs
		}
	}
}

// gap says what the record of the run lacks as a whole: the plugin's own
// stream, or a stream that is no node's final word: a first look that was
// replaced by a second, or one of which it was never said what it counts as, so
// that nothing in it is judged. What probes and pods lack is told by node.
func gap(recording Recorded) string {
	if text := recording.Gap(evidence.PluginStream); text != "" {
		return text
	}
	for _, stream := range recording.Streams() {
		text := ""
		switch role, _ := evidence.SplitStream(stream); role {
		case evidence.PluginStream, "probe", "pod":
		case "look":
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

// attribute sorts the leak samples of all streams by the pair whose traffic
// leaks, whatever the stream counts as otherwise. One that names no pair of the
// run is unattributed.
func (c *Case) attribute(recording Recorded) {
	c.leaks = map[pair][]Leak{}
	done := map[*Node]bool{}
	for _, stream := range recording.Streams() {
		role, name := evidence.SplitStream(stream)
		n := c.byName[name]
		switch {
		case role == evidence.PluginStream:
			c.attributeAll(c.sightings, "the plugin")
		case n == nil || role != "probe" && role != "pod":
			c.attributeAll(leakSamples(recording.Messages(stream)), name)
		case !done[n]: // it has those of its probe and its pod
			done[n] = true
			c.attributeAll(n.sightings, name)
		}
	}
}

// leakSamples are those of a stream that nothing else is read from.
func leakSamples(messages []*evidence.Message) (samples []*evidence.Sighting) {
	for _, m := range messages {
		if m.Sighting != nil {
			samples = append(samples, m.Sighting)
		}
	}
	return samples
}

// attributeAll attributes what one node, or the plugin, saw.
func (c *Case) attributeAll(samples []*evidence.Sighting, on string) {
	for _, s := range samples {
		leak := Leak{s, on}
		from, to := c.At(s.Source), c.At(s.Target)
		if from == nil || to == nil || !c.Asked.Has(from.at, to.at) || !slices.Contains(c.Run.Families, s.Family) {
			c.Strays = append(c.Strays, leak)
			continue
		}
		at := pair{from.at, to.at, s.Family}
		c.leaks[at] = append(c.leaks[at], leak)
		from.betrayed = true
	}
}

// layNode reads a node's two streams.
func (c *Case) layNode(n *Node, recording Recorded) {
	probe, pod := evidence.StreamName("probe", n.Name), evidence.StreamName("pod", n.Name)
	n.ProbeGap, n.PodGap = recording.Gap(probe), recording.Gap(pod)
	known := peers{at: make(map[farKey]int, len(c.Nodes)), devices: map[string]uint16{}}
	var tunnels []*evidence.Tunnel
	once := newSingle()
	damage := c.unpack(n, recording.Messages(probe), func(m *evidence.Message) {
		once.add(n, m)
		switch {
		case m.Peer != nil:
			c.addPeer(n, &known, m.Peer)
		case m.Count != nil:
			c.addCount(n, &known, m.Count)
		case m.Route != nil:
			c.addRoute(n, m.Route)
		case m.Witness != nil:
			c.addWitness(n, m.Witness)
		case m.Control != nil:
			c.addControl(n, m.Control)
		case m.Tunnel != nil:
			tunnels = append(tunnels, m.Tunnel)
			n.addOnWire(m.Tunnel)
		default:
			n.addProbe(m)
		}
	})
	n.ProbeGap = cmp.Or(n.ProbeGap, damage, n.conflicts.probe)
	n.retire()
	c.packTunnels(n, tunnels)
	damage = c.unpack(n, recording.Messages(pod), func(m *evidence.Message) {
		switch {
		case m.Sighting != nil:
			n.sightings = append(n.sightings, m.Sighting)
		case m.Tried != nil:
			n.Tried = append(n.Tried, m.Tried)
		case m.Canary != nil:
			c.addCanary(n, m.Canary)
		case m.Problem != nil:
			n.PodProblem = append(n.PodProblem, *m.Problem)
			if m.Problem.What == evidence.ProblemEncode {
				n.PodGap = cmp.Or(n.PodGap, m.Problem.Text)
			}
		}
	})
	n.PodGap = cmp.Or(n.PodGap, damage, n.conflicts.pod)
}

// unpack calls add with a stream's messages, those of single peers in the place
// of columns. It says what makes no sense, empty if all does.
func (c *Case) unpack(n *Node, messages []*evidence.Message, add func(*evidence.Message)) string {
	unpacker := columns.Unpacker{Bounds: &columns.Bounds{Index: n.Index, Nodes: len(c.Nodes)}}
	gap := ""
	for _, m := range messages {
		if c.ended() {
			return "nobody waited for it"
		}
		if err := unpacker.Unpack(m, add); err != nil && gap == "" {
			gap = err.Error()
		}
	}
	return gap
}

// addProbe keeps what a probe says of its own host.
func (n *Node) addProbe(m *evidence.Message) {
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
	case m.Socket != nil:
		n.Sockets = append(n.Sockets, m.Socket)
	case m.Device != nil:
		n.Devices = append(n.Devices, m.Device)
	case m.Firewall != nil:
		n.Firewall = append(n.Firewall, m.Firewall)
	case m.Capture != nil:
		n.Captures = append(n.Captures, m.Capture)
	case m.Sighting != nil:
		n.sightings = append(n.sightings, m.Sighting)
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

// own notes whose key is whose.
func (c *Case) own() {
	c.owners = make([]int32, len(c.keys.values)+1)
	for i := range c.owners {
		c.owners[i] = math.MaxInt32
	}
	for i := len(c.Nodes) - 1; i >= 0; i-- {
		for _, d := range c.Nodes[i].Devices {
			if key := c.keys.find(d.PublicKey); key != 0 {
				c.owners[key] = int32(i)
			}
		}
	}
}

// settle sorts what a node said and joins it, once all of it is there.
func (c *Case) settle(n *Node) {
	c.sortFar(n)
	n.answers = settled(n.answers, true)
	n.marked = settled(n.marked, false)
	type ends struct {
		port   uint16
		remote uint32
	}
	tunnels := make(map[ends]int32, len(n.captured))
	for i := range n.captured {
		tunnels[ends{n.captured[i].port, n.captured[i].remote}] = int32(i)
	}
	n.wire = make([]wire, len(n.far))
	trails := c.trace(n)
	n.traceControls()
	for i := range n.far {
		f := &n.far[i]
		if f.flags&counted == 0 {
			continue
		}
		endpoint := c.endpoints.value(f.countEnd)
		to := c.addresses.find(endpoint.Addr())
		f.way = cmp.Or(lookup(n.answers, to), lookup(n.marked, to))
		device := n.Device(n.farDevices[f.device])
		if device == nil {
			continue
		}
		if at, ok := tunnels[ends{device.Port, f.countEnd}]; ok {
			n.wire[i], f.trail = n.captured[at].wire, trails[n.captured[at].links]
		}
	}
	n.captured = nil
}
