package run

import (
	"net/netip"
	"slices"
	"time"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// nodes are the nodes under test, by index, and the ordered pairs of them that
// the run tests.
type nodes struct {
	list  []evidence.Node
	pairs graph.Pairs
}

// named returns the node of that name, nil if it is not under test.
func (n *nodes) named(name string) *evidence.Node {
	for i := range n.list {
		if n.list[i].Name == name {
			return &n.list[i]
		}
	}
	return nil
}

// placings returns where agents of these roles are placed: one of each on each node.
func (n *nodes) placings(roles []string) []manifests.Placing {
	var placings []manifests.Placing
	for _, node := range n.list {
		for _, role := range roles {
			placings = append(placings, manifests.Placing{Role: role, Index: node.Index, Node: node.Name})
		}
	}
	return placings
}

// podRanges returns the pod ranges of all nodes: those that the API names, and
// each test pod's own address where none of them has it.
func (n *nodes) podRanges(pods testPods) []evidence.PodRange {
	var ranges []evidence.PodRange
	for _, node := range n.list {
		prefixes := node.PodCIDRs
		if pod := pods.on(node.Index); pod != nil {
			prefixes = withAddresses(prefixes, pod.ips)
		}
		ranges = append(ranges, evidence.PodRange{Index: node.Index, Prefixes: prefixes})
	}
	return ranges
}

// withAddresses adds to ranges the addresses that they do not cover.
func withAddresses(ranges []netip.Prefix, ips []netip.Addr) []netip.Prefix {
	for _, ip := range ips {
		covers := func(p netip.Prefix) bool { return p.Contains(ip) }
		if !slices.ContainsFunc(ranges, covers) {
			ranges = append(slices.Clone(ranges), netip.PrefixFrom(ip, ip.BitLen()))
		}
	}
	return ranges
}

// testPod is what the others know of a test pod.
type testPod struct {
	node  *evidence.Node
	ips   []netip.Addr
	ports map[string]uint16 // of its listeners, once it listens
	lost  bool              // there is no session with it any more
	wait  time.Duration     // that it took to become Ready
}

// address returns the pod's address of a family.
func (p *testPod) address(family int) (netip.Addr, bool) {
	for _, ip := range p.ips {
		if ip.Is4() == (family == 4) {
			return ip, true
		}
	}
	return netip.Addr{}, false
}

// testPods are the test pods of a run, in the order of their nodes' indexes.
type testPods []testPod

// on returns the test pod on a node, nil if there is none.
func (p testPods) on(node int) *testPod {
	at, found := slices.BinarySearchFunc(p, node, func(pod testPod, index int) int { return pod.node.Index - index })
	if !found {
		return nil
	}
	return &p[at]
}

// addresses returns where the test pods are.
func (p testPods) addresses() []evidence.PodAddress {
	var addresses []evidence.PodAddress
	for _, pod := range p {
		addresses = append(addresses, evidence.PodAddress{Index: pod.node.Index, IPs: pod.ips})
	}
	return addresses
}

// families returns those that at least one pair of pods has, IPv4 if there are
// none.
func (p testPods) families() []int {
	var families []int
	for _, family := range []int{4, 6} {
		have := 0
		for i := range p {
			if _, ok := p[i].address(family); ok {
				have++
			}
		}
		if have >= 2 {
			families = append(families, family)
		}
	}
	if len(families) == 0 {
		return []int{4}
	}
	return families
}

// slowest is how long the slowest test pod took to become Ready.
func (p testPods) slowest() (slowest time.Duration) {
	for _, pod := range p {
		slowest = max(slowest, pod.wait)
	}
	return slowest
}
