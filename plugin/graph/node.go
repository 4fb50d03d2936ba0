package graph

import (
	"net/netip"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Node is all that is known of one node of the run.
type Node struct {
	evidence.Node
	ProbeGap string       // what the probe's stream lacks or how it contradicts itself, empty if it is sound
	PodGap   string       // the same of the pod's stream
	PodIPs   []netip.Addr // of the test pod
	// Sampled: there is no test pod, and PodIPs are addresses of the node's pod ranges that
	// stand for its pods.
	Sampled bool
	Pods    map[string]*evidence.Pod // by role
	// Newcomer is the new pod that was made here, nil if none was to be.
	Newcomer *evidence.Newcomer

	Hello     evidence.Hello
	Module    *evidence.Module
	Links     []*evidence.Link
	Addresses []*evidence.Address
	Table     []*evidence.Route // routing table entries
	Rules     []*evidence.Rule
	Sockets   []*evidence.Socket
	Devices   []*evidence.Device
	Firewall  []*evidence.Firewall
	// Neighbours are next hops that did not answer, StackCounts counters that rose.
	Neighbours  []*evidence.Neighbour
	StackCounts []*evidence.StackCount
	Captures    []*evidence.Capture
	Problems    []evidence.Problem // of the probe
	// PodProblems are those of the test pod.
	PodProblems []evidence.Problem

	Inventories []*evidence.Inventory
	Diversions  []*evidence.Diversion
	LinkCounts  []*evidence.LinkCount
	LinkEvents  []*evidence.LinkEvent

	// TriesSeen are the tries that the probe saw in tunnels, Tried what the pod
	// knows of tries.
	TriesSeen []*evidence.TrySeen
	Tried     []*evidence.Tried
	// Classed is what the node's pod and probe know of packets of classes, ClassSeen
	// those that the probe saw in tunnels.
	Classed   []*evidence.Classed
	ClassSeen []*evidence.ClassSeen

	// Trial is what came of making a WireGuard link in a pod of the node, nil if that is
	// not known. PortUses, PortsSent and PortsSeen are what its probe knows of UDP ports
	// of hosts without a tunnel.
	Trial         *evidence.Trial
	TrialProblems []evidence.Problem
	PortUses      []*evidence.PortUse
	PortsSent     []*evidence.PortSent
	PortsSeen     []*evidence.PortSeen

	// Leaks are what the node's captures saw in clear.
	Leaks []*evidence.Sighting
	// Answers are the kernel's routes for single addresses, sorted by address.
	Answers []Answer
	// Peers are those of all devices, in the order of the nodes that they stand for.
	Peers []*Peer
	// OnWire are the links on which WireGuard messages were seen, with how many
	// frames those of them took at least that were seen on no other link.
	OnWire map[string]uint64

	// What the checks find out of a node once, for all of its edges: why
	// what its captures did not see may have been there all the same, and the link on which
	// no control was seen. Empty if all is fine.
	Unverified, Uncontrolled string

	place      int // in Graph.Nodes
	leaked     bool
	conflicts  conflicts
	marked     []Answer // Answers with a firewall mark
	stale      map[staleKey]*Moved
	tunnels    map[tunnelKey]*tunnel
	loose      []loose
	seen       map[where][]*Seen // by the other node's place
	controlsTo []bool            // whether any was sent, by the other node's place
	refused    map[int]string    // why a control was not sent, by the other node's place
	canaries   [2][]reported     // by family and the other node's place
	carriers   [2]Carrier        // by family, see Resolve
	halves     [2][]half         // by family and the other node's place, see Resolve
}

// Place is the node's place in Graph.Nodes.
func (n *Node) Place() int { return n.place }

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

// PodIP returns the test pod's address of that family, or the one that stands for
// the node's pods, see Sampled; the zero Addr if there is none.
func (n *Node) PodIP(family int) netip.Addr {
	for _, ip := range n.PodIPs {
		if familyOf(ip) == family {
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

// Capture returns the counts of the capture on a link, nil if there was none.
func (n *Node) Capture(link string) *evidence.Capture {
	for _, c := range n.Captures {
		if c.Link == link {
			return c
		}
	}
	return nil
}

// Carrier returns what carries a node's traffic, see Resolve.
func (n *Node) Carrier(family int) *Carrier {
	if at := slot(family); at >= 0 {
		return &n.carriers[at]
	}
	return &Carrier{}
}
