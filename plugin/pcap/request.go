// Package pcap turns the frames of live captures into pcapng files and into
// lines of text, and says what each node is asked to capture. It opens no file
// and no socket. Frames come from nodes and are not trusted: a line is to be made
// printable before it is shown.
package pcap

import (
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Options are what is asked of all nodes.
type Options struct {
	Pick    string   // evidence.PickWireGuard, PickLeaks or PickAll
	Ports   []uint16 // to read as WireGuard besides those of the nodes' devices
	Without []uint16 // TCP ports of the capture's own connection
	Snap    int      // bytes kept of a frame
	Payload bool
	Peer    string // a node, to whose traffic the capture is limited; "" for all
}

// Cluster are the nodes of a cluster, numbered as far as they take part.
type Cluster struct{ nodes []evidence.Node }

// NewCluster numbers also those nodes that take no part, so that traffic with
// their pods is recognised as well.
func NewCluster(nodes []evidence.Node) Cluster {
	nodes = slices.Clone(nodes)
	next := 0
	for _, node := range nodes {
		next = max(next, node.Index+1)
	}
	for i := range nodes {
		if nodes[i].Index < 0 {
			nodes[i].Index = next
			next++
		}
	}
	return Cluster{nodes}
}

// Name returns the name of the node with an index, "?" if there is none.
func (c Cluster) Name(index int) string {
	for _, node := range c.nodes {
		if node.Index == index {
			return node.Name
		}
	}
	return "?"
}

// Owner returns the name of the node that has an address, empty if none has.
func (c Cluster) Owner(address netip.Addr) string {
	for _, node := range c.nodes {
		if slices.ContainsFunc(addresses(node), func(p netip.Prefix) bool { return p.Addr() == address }) {
			return node.Name
		}
	}
	return ""
}

// Has reports whether there is a node of that name.
func (c Cluster) Has(name string) bool {
	return slices.ContainsFunc(c.nodes, func(n evidence.Node) bool { return n.Name == name })
}

// Request returns what a node is asked for: to capture on links of these names,
// none for those that leave the node.
func (c Cluster) Request(o Options, links []string) *evidence.LiveRequest {
	request := &evidence.LiveRequest{
		Links: links, Ports: o.Ports, Pick: o.Pick, Without: o.Without, Snap: o.Snap, Payload: o.Payload,
	}
	for _, node := range c.nodes {
		request.Ranges = append(request.Ranges, evidence.PodRange{Index: node.Index, Prefixes: node.PodCIDRs})
		if node.Name == o.Peer {
			request.Ends = append(addresses(node), node.PodCIDRs...)
		}
	}
	return request
}

// addresses are those of a node itself.
func addresses(node evidence.Node) (prefixes []netip.Prefix) {
	for _, a := range node.Addresses {
		if address, err := netip.ParseAddr(a.Addr); err == nil { // a name of the host is none
			prefixes = append(prefixes, netip.PrefixFrom(address, address.BitLen()))
		}
	}
	return prefixes
}
