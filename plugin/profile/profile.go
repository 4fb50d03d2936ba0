// Package profile describes what should be true of a cluster: which WireGuard, if
// any, is meant to carry the pods' traffic, under which names and keys, and
// what that design leaves outside the tunnel on purpose. It reads what the API
// and the nodes said and judges nothing.
//
// To add a system: one file with a Profile's recognise function, one line in
// systems, its remedies in a file of package remedy, the annotations that it reads
// in package cluster's allow-list, recorded surveys in testdata, one lab topology.
package profile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Profile is the expectation that a cluster is judged against.
type Profile struct {
	// Name is stable and short: "flannel-wireguard", "flannel-vxlan", …
	Name  string
	Title string // for a reader, with the distribution
	// Distribution is "k3s", "rke2" or "" for any other.
	Distribution string
	// RunsAs is what runs the network plugin, by which remedies are chosen: the
	// distribution, "flannel" for Flannel by its own manifest, the name of a network
	// without a profile that its objects show, "" where it is not known.
	RunsAs string
	// Unit is the systemd unit that restarts the network plugin on a node, "" if
	// it is not known or if none does.
	Unit func(n *graph.Node) string
	// Recognised is the evidence for this profile, one phrase each.
	Recognised []string
	// Encrypts reports whether the CNI is meant to encrypt pod traffic itself.
	Encrypts bool
	// Delegates reports whether the backend hands pods' packets to a program that is not
	// the network plugin's own. Whether that encrypts is known by evidence alone.
	Delegates bool
	// Backend names what carries pod traffic: wireguard, vxlan, host-gw, …
	Backend string
	// FailClosed: traffic that finds no peer is dropped rather than sent in clear.
	FailClosed bool
	// EncryptsHosts reports whether traffic between the nodes themselves, of the host network,
	// is meant to go through the tunnel too.
	EncryptsHosts bool
	// OptedOut reports whether a node is configured to leave its own traffic, that of
	// the host network, out of the encryption.
	OptedOut func(n *graph.Node) bool
	// Backends is the backend each node says it runs, by node name.
	Backends map[string]string
	// Configured is the backend that a node was configured with when it last
	// started, "" if it was not or says nothing; its Role is "server" or
	// "agent", "" where there is no such thing.
	Configured func(n *graph.Node) Configuration
	// Device returns the name of the WireGuard device that should carry the
	// node's pod traffic of a family, empty if the profile names none.
	Device func(n *graph.Node, family int) string
	// Published returns the key the node publishes for others, base64; empty
	// if it publishes none.
	Published func(n *graph.Node, family int) string
	// Endpoint returns the address where the node says its tunnel ends, and
	// Port the UDP port, 0 if it names none.
	Endpoint func(n *graph.Node, family int) netip.Addr
	Port     func(n *graph.Node, family int) uint16
	// Address returns the address that the system assigned to the node's device, the
	// zero Addr if it assigned none; nil if it never does.
	Address func(n *graph.Node, family int) netip.Addr
	// Assigned reports whether a node's pod ranges are where its pods are, also if its
	// test pod is elsewhere: the network plugin takes them from where they were read.
	// nil if that is known of no node.
	Assigned func(n *graph.Node) bool
	// Borrows reports whether a pod can have a single address of another node's range.
	Borrows bool
	// Wire are the UDP ports on which a program that cannot be asked sends messages in
	// WireGuard's format: captures count them there.
	Wire []uint16
	// Below is set where a WireGuard of the machines encrypts what an overlay
	// makes of the pods' packets; Device is then that one.
	Below *Overlay
	// Redirects reports whether BPF programs of the network plugin, where packets leave
	// by a link, lead those of pods into Device. No route leads there.
	Redirects bool
	// Misleads reports whether a statement gives packets a mark by which these programs
	// recognise what is to be encrypted; nil if they ask for no mark.
	Misleads func(d *evidence.Diversion) bool
	// Wraps is the network plugin's own overlay, whose packets Device encrypts; nil
	// if it encrypts the pods' packets bare. A peer's allowed IPs are then the
	// addresses of the node, which is where the overlay sends to.
	Wraps *Overlay
	// AllowsPods reports whether pods are among a peer's allowed IPs one by one, and ranges as
	// a whole only in some releases.
	AllowsPods bool
	// RouteMTU reports whether pods have the MTU of the tunnel on their routes, so that of
	// their links says nothing.
	RouteMTU bool
	// OldLink reports whether a link is one that a backend of the network plugin
	// makes that does not encrypt; nil if no such name is known.
	OldLink func(name string) bool
	// Overwrite is an address that a node publishes in place of its own, the zero
	// Overwrite if there is none.
	Overwrite func(n *graph.Node) Overwrite
	// Clear is why the traffic from pods on one node to pods on another is not
	// encrypted by the system's design, "" where it is meant to be; nil if it is
	// meant to be everywhere.
	Clear func(from, to *graph.Node) string
	// Ends is why the encryption that is there ends when the system's agents restart: its
	// configuration has changed since they started. "" if it stays.
	Ends string
	// Others are encryptions besides WireGuard's that were recognised.
	Others []Encryption
	// Promises are what the network promises of packets that are not from pod to pod:
	// nil for AllHops where EncryptsHosts and no node has opted out, else for PodHops,
	// the least; BackendHops where the target alone decides; And adds single classes.
	Promises Promises
	// Scope is what a PASS says and what it does not.
	Scope []Scope
}

// Configuration is what a node's own command line says of its backend.
type Configuration struct {
	Role       string
	Backend    string // in the words of Backends; "" if it is not known
	Explicit   bool   // the backend was named, it is not the default
	ExternalIP bool   // endpoints are meant to be the nodes' external addresses
}

// Overwrite is an address that a node publishes in place of its own.
type Overwrite struct {
	Address string // empty if there is none
	By      string // what sets it
	Option  string // of the servers, that asks for it
}

// Scope is one line about what is inside and what is outside of the proof.
type Scope struct {
	Proven bool   `json:"proven"`
	What   string `json:"what"`
	Why    string `json:"why,omitempty"`
}

// systems are tried in order; the first that recognises the cluster wins, and
// the last recognises every cluster.
var systems = []func(g *graph.Graph) (Profile, bool){
	kilo, // in front of Flannel, which it uses inside of a location
	antrea,
	cilium,
	flannel,
	calico,
	unknown,
}

// Decide returns the profile of the surveyed cluster.
func Decide(g *graph.Graph) Profile {
	for _, recognise := range systems {
		if p, ok := recognise(g); ok {
			p.Distribution = distribution(g)
			p.underlay(g)
			p.inside(g)
			p.Others = others(g)
			p.Wire = tailscalePorts(g)
			if p.Unit == nil {
				p.Unit = func(*graph.Node) string { return "" }
			}
			if p.Configured == nil {
				p.Configured = func(*graph.Node) Configuration { return Configuration{} }
			}
			if p.Overwrite == nil {
				p.Overwrite = func(*graph.Node) Overwrite { return Overwrite{} }
			}
			if p.Assigned == nil {
				p.Assigned = func(*graph.Node) bool { return false }
			}
			if p.OptedOut == nil {
				p.OptedOut = func(*graph.Node) bool { return false }
			}
			if p.Address == nil {
				p.Address = func(*graph.Node, int) netip.Addr { return netip.Addr{} }
			}
			if p.Port == nil {
				p.Port = func(*graph.Node, int) uint16 { return 0 }
			}
			if p.Promises == nil {
				p.Promises = p.ofHosts(g)
			}
			p.Scope = slices.Concat(tested(g), withoutNewPods(g), withoutRanges(g), scopeLines(g.AskedClasses()),
				p.Scope, submariner(g), tailscale(g), p.ofOthers())
			if name := map[string]string{"k3s": "K3s", "rke2": "RKE2"}[p.Distribution]; name != "" {
				p.Title = name + " with " + p.Title
			}
			return p
		}
	}
	panic("profile: the last system recognises every cluster")
}

// distribution reads the marks that K3s and RKE2 leave on their nodes: the
// node-args annotation, written by every one of their agents since v1.17, and
// the kubelet's version suffix.
func distribution(g *graph.Graph) string {
	for _, n := range g.Nodes {
		for _, name := range []string{"k3s", "rke2"} {
			if _, ok := n.Annotations[name+".io/node-args"]; ok || strings.Contains(n.Kubelet, "+"+name) {
				return name
			}
		}
	}
	return g.Cluster.Distribution
}

// unknown accepts any cluster: it is judged by the evidence alone, with the
// device that the kernel routes pod traffic to.
func unknown(g *graph.Graph) (Profile, bool) {
	nowhere := func(*graph.Node, int) netip.Addr { return netip.Addr{} }
	return Profile{
		Name: "unknown", Title: "a network this version does not know",
		Recognised: []string{"no annotation of a known CNI on any node"},
		Device:     routedTo(g, nowhere),
		Published:  func(*graph.Node, int) string { return "" },
		Endpoint:   nowhere,
		Scope:      commonScope,
	}, true
}

// routed returns the WireGuard device that the node's routes to the other
// pods lead to.
func routed(n *graph.Node, family int) string { return routedBut(n, family, nil) }

// routedTo is routed without the routes to the nodes themselves, which the kernels of
// a network that does not encrypt are asked for as well and which say nothing of pods.
func routedTo(g *graph.Graph, endpoint func(*graph.Node, int) netip.Addr) func(*graph.Node, int) string {
	ofNodes := map[netip.Addr]bool{}
	for _, n := range g.Nodes {
		for _, family := range []int{4, 6} {
			ofNodes[internalIP(n, family)] = true
			ofNodes[endpoint(n, family)] = true
		}
	}
	return func(n *graph.Node, family int) string { return routedBut(n, family, ofNodes) }
}

func routedBut(n *graph.Node, family int, left map[netip.Addr]bool) string {
	for _, a := range n.Answers {
		if a.To.Is4() == (family == 4) && !left[a.To] && n.Device(a.Route.Link) != nil {
			return a.Route.Link
		}
	}
	return ""
}

// tested is the scope's first lines: what the pairs of the run stand for, and
// which pairs it left out.
func tested(g *graph.Graph) []Scope {
	names := []string{}
	for _, family := range g.Run.Families {
		names = append(names, fmt.Sprintf("IPv%d", family))
	}
	over := ", " + strings.Join(names, " and ")
	if g.Pairs.All() || len(g.Nodes) == 0 {
		return []Scope{{Proven: true, What: "pod to pod between these nodes" + over}}
	}
	nodes, each := len(g.Nodes), g.Pairs.Each()
	which := fmt.Sprintf("each node to %d others, chosen from the run ID", each)
	switch {
	case strings.Contains(g.Run.Pairs, "/"):
		which = "part " + g.Run.Pairs + " of all"
	case g.Run.Pairs == "ring":
		which = "a ring through all nodes by name"
	case each == 1:
		which = "each node to 1 other, chosen from the run ID"
	}
	flag := "--pairs "
	if strings.Contains(g.Run.Pairs, "/") {
		flag = "--part "
	}
	return []Scope{
		{Proven: true, What: fmt.Sprintf("pod to pod for %d of the %d directions between these nodes (%s)%s",
			nodes*each, nodes*(nodes-1), which, over)},
		{What: fmt.Sprintf("the other %d directions between these nodes", nodes*(nodes-1-each)),
			Why: flag + g.Run.Pairs + " left them out"},
	}
}

// withoutNewPods is the scope's word on pods that begin their life: a node without
// a new pod in the run shows nothing of them.
func withoutNewPods(g *graph.Graph) []Scope {
	without := len(g.Nodes) - len(g.Run.Newcomers)
	if without <= 0 {
		return nil
	}
	return []Scope{{What: fmt.Sprintf("first packets of new pods on %d of %d nodes", without, len(g.Nodes)),
		Why: "no new pod was started there while every link was captured, see --new-pods"}}
}

// withoutRanges is the scope's word on nodes of which it is not known where their pods
// are: of those, what other pods sent was not watched, and only the ways to the test pod
// were read.
func withoutRanges(g *graph.Graph) []Scope {
	without := 0
	for _, n := range g.Nodes {
		outside := func(ip netip.Addr) bool {
			return !slices.ContainsFunc(n.PodCIDRs, func(podRange netip.Prefix) bool { return podRange.Contains(ip) })
		}
		if slices.ContainsFunc(n.PodIPs, outside) {
			without++
		}
	}
	if without == 0 {
		return nil
	}
	return []Scope{{What: fmt.Sprintf("pods other than the test pods on %d of %d nodes", without, len(g.Nodes)),
		Why: "the test pod's address is in none of the ranges that were read: where the other pods are is not known"}}
}

// commonScope is what no network plugin's tunnel covers, and what no run tries.
var commonScope = []Scope{
	{What: "pods on the same node", Why: "their traffic never leaves the host"},
	{What: "host network (kubelet, API server, etcd)",
		Why: "node to node and hostNetwork pods: not pod network traffic; control-plane connections use TLS of " +
			"their own"},
	{What: "other hops to Services, proxies, meshes",
		Why: "the first hop of NodePort and LoadBalancer traffic depends on the client, not on the cluster"},
	{What: "egress gateways, Multus, SCTP, multicast",
		Why: "gateways' own hops, secondary pod networks and these protocols were not tried"},
	{What: "offloads of network cards", Why: "of what cards do by themselves only what links report is known"},
}
