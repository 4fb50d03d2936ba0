package verdict

import (
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Case is a recording laid out for judging: what each node's streams said,
// found by what it is about. It interprets nothing.
type Case struct {
	Run      evidence.Run
	Cluster  evidence.Cluster
	Nodes    []*Node // the nodes of the run, by index
	Excluded []*evidence.Node
	Problems []evidence.Problem // the plugin's own
	Gap      string             // what the plugin's stream lacks
	Strays   []Leak             // seen in clear, of no pair of the run
	byName   map[string]*Node
	byIndex  map[int]*Node
	leaks    map[Subject][]Leak
}

// Leak is a sighting and the name of the node whose capture made it.
type Leak struct {
	*evidence.Sighting
	On string
}

// Node is all that is known of one node of the run.
type Node struct {
	evidence.Node
	ProbeGap string // what the probe's stream lacks, empty if complete
	PodGap   string // what the pod's stream lacks
	PodIPs   []netip.Addr
	Pods     map[string]*evidence.Pod // by role

	Hello      evidence.Hello
	Module     *evidence.Module
	Links      []*evidence.Link
	Addresses  []*evidence.Address
	Answers    map[netip.Addr]*evidence.Route // the kernel's route for an address
	Table      []*evidence.Route              // routing table entries
	Rules      []*evidence.Rule
	Sockets    []*evidence.Socket
	Devices    []*evidence.Device
	Peers      map[Key]*evidence.Peer
	Counts     map[Key]*evidence.Count
	Firewall   []*evidence.Firewall
	Captures   []*evidence.Capture
	Tunnels    []*evidence.Tunnel
	Witnessed  map[Witnessed]evidence.Seen
	Controls   []*evidence.Control
	Canaries   map[Toward]*evidence.Canary
	Problems   []evidence.Problem // of the probe
	PodProblem []evidence.Problem // of the pod
}

// Key finds a peer of a device.
type Key struct{ Device, PublicKey string }

// Witnessed finds marked traffic on a WireGuard link.
type Witnessed struct {
	Link, Direction        string
	Family, Source, Target int
}

// Toward finds a pod's canaries with another node.
type Toward struct{ Peer, Family int }

// NewCase lays out a recording.
func NewCase(recording *evidence.Recording) *Case {
	c := &Case{byName: map[string]*Node{}, byIndex: map[int]*Node{}, Gap: gap(recording)}
	var pods []*evidence.Pod
	for _, m := range recording.Messages(evidence.PluginStream) {
		switch {
		case m.Run != nil:
			c.Run = *m.Run
		case m.Cluster != nil:
			c.Cluster = *m.Cluster
		case m.Node != nil && m.Node.Index < 0:
			c.Excluded = append(c.Excluded, m.Node)
		case m.Node != nil:
			n := newNode(m.Node, recording)
			c.Nodes = append(c.Nodes, n)
			c.byName[n.Name], c.byIndex[n.Index] = n, n
		case m.Pod != nil:
			pods = append(pods, m.Pod)
		case m.Problem != nil:
			c.Problems = append(c.Problems, *m.Problem)
		}
	}
	slices.SortStableFunc(c.Nodes, func(a, b *Node) int { return a.Index - b.Index })
	for _, p := range pods {
		if n := c.byName[p.Node]; n != nil {
			n.Pods[p.Role] = p
			if p.Role == "pod" {
				n.PodIPs = p.IPs
			}
		}
	}
	c.attribute(recording)
	return c
}

// gap says what the record of the run lacks as a whole: the plugin's own
// stream, or a stream that is no node's final word, like a first look that was
// replaced by a second. What probes and pods lack is told by node.
func gap(recording *evidence.Recording) string {
	if text := recording.Gap(evidence.PluginStream); text != "" {
		return text
	}
	for _, stream := range recording.Streams() {
		if role, _ := evidence.SplitStream(stream); role == "probe" || role == "pod" {
			continue
		}
		if text := recording.Gap(stream); text != "" {
			return "of " + stream + ", " + text
		}
	}
	return ""
}

// attribute sorts the sightings of every probe by the pair they betray. One
// that names no pair of the run, or comes from a node that the run does not
// know, is a stray.
func (c *Case) attribute(recording *evidence.Recording) {
	c.leaks = map[Subject][]Leak{}
	for _, stream := range recording.Streams() {
		role, node := evidence.SplitStream(stream)
		if role != "probe" {
			continue
		}
		for _, m := range recording.Messages(stream) {
			if m.Sighting == nil {
				continue
			}
			leak := Leak{m.Sighting, node}
			from, to := c.At(m.Sighting.Source), c.At(m.Sighting.Target)
			if from == nil || to == nil || from == to || !slices.Contains(c.Run.Families, m.Sighting.Family) {
				c.Strays = append(c.Strays, leak)
				continue
			}
			s := Subject{Node: from.Name, Peer: to.Name, Family: m.Sighting.Family}
			c.leaks[s] = append(c.leaks[s], leak)
		}
	}
}

// Leaks returns what was seen in clear of a pair's traffic, by any node.
func (c *Case) Leaks(pair Subject) []Leak { return c.leaks[pair] }

// Node returns the node of that name, nil if it is not part of the run.
func (c *Case) Node(name string) *Node { return c.byName[name] }

// At returns the node with that index, nil if there is none.
func (c *Case) At(index int) *Node { return c.byIndex[index] }

// Pairs returns every ordered pair of nodes for each family of the run, in
// order.
func (c *Case) Pairs() []Subject {
	var pairs []Subject
	for _, from := range c.Nodes {
		for _, to := range c.Nodes {
			if from == to {
				continue
			}
			for _, family := range c.Run.Families {
				pairs = append(pairs, Subject{Node: from.Name, Peer: to.Name, Family: family})
			}
		}
	}
	return pairs
}

func newNode(about *evidence.Node, recording *evidence.Recording) *Node {
	probe := evidence.StreamName("probe", about.Name)
	pod := evidence.StreamName("pod", about.Name)
	n := &Node{
		Node:     *about,
		ProbeGap: recording.Gap(probe), PodGap: recording.Gap(pod),
		Pods:    map[string]*evidence.Pod{},
		Answers: map[netip.Addr]*evidence.Route{},
		Peers:   map[Key]*evidence.Peer{}, Counts: map[Key]*evidence.Count{},
		Witnessed: map[Witnessed]evidence.Seen{}, Canaries: map[Toward]*evidence.Canary{},
	}
	for _, m := range recording.Messages(probe) {
		n.addProbe(m)
	}
	for _, m := range recording.Messages(pod) {
		switch {
		case m.Canary != nil:
			n.Canaries[Toward{m.Canary.Peer, m.Canary.Family}] = m.Canary
		case m.Problem != nil:
			n.PodProblem = append(n.PodProblem, *m.Problem)
		}
	}
	return n
}

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
	case m.Route != nil && m.Route.For.IsValid() && m.Route.Mark == 0:
		n.Answers[m.Route.For] = m.Route
	case m.Route != nil:
		n.Table = append(n.Table, m.Route)
	case m.Rule != nil:
		n.Rules = append(n.Rules, m.Rule)
	case m.Socket != nil:
		n.Sockets = append(n.Sockets, m.Socket)
	case m.Device != nil:
		n.Devices = append(n.Devices, m.Device)
	case m.Peer != nil:
		n.addPeer(m.Peer)
	case m.Count != nil:
		n.Counts[Key{m.Count.Device, m.Count.PublicKey}] = m.Count
	case m.Firewall != nil:
		n.Firewall = append(n.Firewall, m.Firewall)
	case m.Capture != nil:
		n.Captures = append(n.Captures, m.Capture)
	case m.Tunnel != nil:
		n.Tunnels = append(n.Tunnels, m.Tunnel)
	case m.Witness != nil:
		for _, seen := range m.Witness.Seen {
			n.Witnessed[Witnessed{m.Witness.Link, m.Witness.Direction, m.Witness.Family, seen.Source, seen.Target}] = seen
		}
	case m.Control != nil:
		n.Controls = append(n.Controls, m.Control)
	case m.Problem != nil:
		n.Problems = append(n.Problems, *m.Problem)
	}
}

// addPeer joins the parts of a peer whose allowed IPs did not fit one message.
func (n *Node) addPeer(part *evidence.Peer) {
	key := Key{part.Device, part.PublicKey}
	if known := n.Peers[key]; known != nil {
		joined := *known
		joined.AllowedIPs = slices.Concat(known.AllowedIPs, part.AllowedIPs)
		n.Peers[key] = &joined
		return
	}
	n.Peers[key] = part
}

// Link returns the node's link of that name, nil if there is none.
func (n *Node) Link(name string) *evidence.Link {
	for _, l := range n.Links {
		if l.Name == name {
			return l
		}
	}
	return nil
}

// Device returns the node's WireGuard device of that name, nil if it was not read.
func (n *Node) Device(name string) *evidence.Device {
	for _, d := range n.Devices {
		if d.Name == name {
			return d
		}
	}
	return nil
}

// PodIP returns the test pod's address of that family, the zero Addr if it has
// none.
func (n *Node) PodIP(family int) netip.Addr {
	for _, ip := range n.PodIPs {
		if ip.Is4() == (family == 4) {
			return ip
		}
	}
	return netip.Addr{}
}

// Outside returns the node's links that leave the host and are up.
func (n *Node) Outside() []*evidence.Link {
	var links []*evidence.Link
	for _, l := range n.Links {
		if l.Role == evidence.RoleOutside && l.Up {
			links = append(links, l)
		}
	}
	return links
}

// Capture returns the account of the capture on a link, nil if there was none.
func (n *Node) Capture(link string) *evidence.Capture {
	for _, c := range n.Captures {
		if c.Link == link {
			return c
		}
	}
	return nil
}
