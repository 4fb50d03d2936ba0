package perf

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Node is what is known of a node that bears on its speed.
type Node struct {
	Name   string `json:"name"`
	Kernel string `json:"kernel,omitempty"`
	Arch   string `json:"arch,omitempty"`
	// Device carries the pods' traffic, "" if that is not known; Implementation is
	// "kernel" or "userspace".
	Device         string `json:"device,omitempty"`
	Implementation string `json:"implementation,omitempty"`
	TunnelMTU      int    `json:"tunnelMTU,omitempty"`
	// Link has the node's address; its MTU is the underlay's.
	Link        string              `json:"link,omitempty"`
	UnderlayMTU int                 `json:"underlayMTU,omitempty"`
	Links       []evidence.LinkLoad `json:"links,omitempty"` // those two, as far as they were read
}

// The implementations of WireGuard.
const (
	InKernel  = "kernel"
	Userspace = "userspace"
)

// NewNode reads from a graph what is known of a node with this address.
func NewNode(p *profile.Profile, n *graph.Node, family int, address netip.Addr, links []evidence.LinkLoad) Node {
	node := Node{Name: n.Name, Kernel: n.Kernel, Arch: n.Arch}
	for _, a := range n.Addresses {
		if a.Prefix.Addr() == address {
			node.Link = a.Link
		}
	}
	if p.Device != nil {
		node.Device = p.Device(n, family)
	}
	if node.Device == "" && len(n.Devices) == 1 {
		node.Device = n.Devices[0].Name
	}
	for _, d := range n.Devices {
		switch {
		case d.Name != node.Device:
		case d.Userspace:
			node.Implementation = Userspace
		default:
			node.Implementation = InKernel
		}
	}
	for _, link := range n.Links {
		switch link.Name {
		case "":
		case node.Device:
			node.TunnelMTU = link.MTU
		case node.Link:
			node.UnderlayMTU = link.MTU
		}
	}
	for _, link := range links {
		switch link.Name {
		case node.Link:
			node.Links = append(node.Links, link)
		case node.Device:
			// What enters a tunnel has no checksum of a network card.
			isChecksum := func(name string) bool { return strings.HasSuffix(name, "checksum") }
			link.Off = slices.DeleteFunc(slices.Clone(link.Off), isChecksum)
			node.Links = append(node.Links, link)
		}
	}
	return node
}

// Rose is what counters rose by between two readings.
func Rose(before, after evidence.Load) evidence.Load {
	rose := func(before, after uint64) uint64 { return max(after, before) - before }
	return evidence.Load{
		FragmentsMade:  rose(before.FragmentsMade, after.FragmentsMade),
		FragmentFails:  rose(before.FragmentFails, after.FragmentFails),
		FragmentsTaken: rose(before.FragmentsTaken, after.FragmentsTaken),
		ReassemblyFail: rose(before.ReassemblyFail, after.ReassemblyFail),
		Backlog:        rose(before.Backlog, after.Backlog),
	}
}
