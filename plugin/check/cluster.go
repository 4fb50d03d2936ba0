package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func (v *view) backend() verdict.Outcome {
	if e := v.intoTUN(); e != nil {
		return v.carriedByTUN(e)
	}
	if out, found := v.byDesign(); found {
		return out
	}
	switch {
	case v.Ends != "":
		out := warn("%s now, and not after the agents restart: %s", v.Title, v.Ends)
		out.Variant = "ends"
		return out
	case v.Backends == nil && v.intended(): // there is no choice of backends
		return pass("%s", v.Title)
	case v.Backends == nil:
		return warn("%s: judged by the evidence alone, no configuration to compare it with%s", v.Title, v.byOther())
	}
	used := map[string][]string{}
	for _, n := range v.Nodes {
		used[v.Backends[n.Name]] = append(used[v.Backends[n.Name]], n.Name)
	}
	without := used[""]
	delete(used, "")
	switch {
	case len(used) > 1:
		out := fail("the nodes run different backends: %s", grouped(used))
		if len(without) > 0 {
			out.Add("; none on %s", list(without))
		}
		out.Variant = "mixed"
		out.Failed = "the nodes run different network backends"
		if odd := v.unlike(used); len(odd) == 1 {
			out.Facts = map[string]string{"node": odd[0]}
		}
		return out
	case len(without) > 0:
		return v.unleased(without)
	case v.Below != nil:
		return pass("%s", v.Title)
	case v.Delegates:
		return warn("%s: a program that is not the network plugin's own carries the pods' packets, judged by the "+
			"evidence alone", v.Title)
	case !v.Encrypts && v.carrierBelow() != "":
		return pass("%s; %s, a WireGuard device, was seen to carry the pods' packets", v.Title, v.carrierBelow())
	case !v.Encrypts:
		out := warn("%s does not encrypt; only an encrypting network below it could%s", v.Title, v.byOther())
		out.Variant = "plain"
		if v.onWire() != nil {
			out.Variant = "other"
		}
		return out
	}
	return pass("%s on each of %d nodes", v.Title, len(v.Nodes))
}

// carrierBelow names the WireGuard device that was seen to carry the pods' traffic
// of all nodes below a backend that does not encrypt, "" if there is none. That it
// carried all of it is for the checks of the wire to find.
func (v *view) carrierBelow() string {
	name := ""
	for _, n := range v.Nodes {
		for _, family := range v.Run.Families {
			if name = n.Carrier(family).Name; name == "" {
				return ""
			}
		}
	}
	return name
}

// unlike are the nodes whose backend is not the one that the servers are
// configured with, or that the profile expects if they do not say.
func (v *view) unlike(used map[string][]string) (odd []string) {
	right := v.Backend
	for _, n := range v.Nodes {
		if c := v.Configured(n); c.Role == "server" && c.Backend != "" {
			right = c.Backend
			break
		}
	}
	for backend, nodes := range used {
		if backend != right {
			odd = append(odd, nodes...)
		}
	}
	return odd
}

// grouped lists nodes by what they run.
func grouped(nodes map[string][]string) string {
	var groups []string
	for _, what := range slices.Sorted(maps.Keys(nodes)) {
		groups = append(groups, fmt.Sprintf("%s on %s", what, list(nodes[what])))
	}
	return list(groups)
}

// unleased reports that the network plugin never started on some nodes: that is
// not another backend. Without a pod range it cannot.
func (v *view) unleased(names []string) verdict.Outcome {
	var rangeless []string
	for _, name := range names {
		if n := v.Node(name); n != nil && len(n.PodCIDRs) == 0 {
			rangeless = append(rangeless, name)
		}
	}
	if len(rangeless) > 0 {
		out := fail("%s no pod range (spec.podCIDR is empty), so the network plugin has no lease there: the "+
			"cluster's range may be used up", subject(rangeless, "has", "have"))
		out.Failed = "a node has no pod range"
		out.Variant = "rangeless"
		out.Facts = map[string]string{"node": rangeless[0]}
		return out
	}
	out := fail("the network plugin wrote no lease for %s: it has not started there", list(names))
	out.Failed = "the network plugin has not started on every node"
	out.Variant = "unleased"
	out.Facts = map[string]string{"node": names[0]}
	return out
}

// intoTUN returns an edge whose traffic goes into a TUN device that cannot be
// asked, nil if there is none: one for the first node that has one.
func (v *view) intoTUN() *graph.Edge {
	if v.intended() {
		return nil
	}
	for _, n := range v.Nodes {
		if !slices.ContainsFunc(n.Links, unaskedTUN) {
			continue
		}
		for e := range v.EdgesFrom(n) {
			if v.tunOf(e) != "" {
				return e
			}
		}
	}
	return nil
}

// carriedByTUN reports that what carries an edge's traffic cannot be asked.
func (v *view) carriedByTUN(e *graph.Edge) verdict.Outcome {
	tun := v.tunOf(e)
	out := unknown("%s: %s", v.Title, intoTUN(e, tun))
	out.Variant = "tun"
	out.Facts = map[string]string{"node": e.From.Name, "peer": e.To.Name, "link": tun}
	if l := e.From.Link(tun); l != nil {
		out.Readings = append(out.Readings, verdict.Reading{
			Node: e.From.Name, What: "link " + tun, Text: kind(l) + ", no control socket of a WireGuard",
		})
	}
	if seen := e.From.SeenOn(tun, e.To, false, e.Family).Total(); seen > 0 {
		out.Readings = append(out.Readings, verdict.Reading{
			Node: e.From.Name, What: "test packets for " + e.To.Name + " entering " + tun, Text: fmt.Sprint(seen),
		})
	}
	if len(v.Wire) > 0 {
		out.Readings = append(out.Readings, v.onPorts(e.From))
	}
	return out
}

// onPorts is how much left and arrived at a node in WireGuard's format on the ports of
// a program that cannot be asked: of a relayed connection nothing does.
func (v *view) onPorts(n *graph.Node) verdict.Reading {
	frames := uint64(0)
	for _, c := range n.Captures {
		if c.Role == evidence.RoleOutside {
			frames += c.Classes["wireguard"]
		}
	}
	text := plural(frames, "message") + " in WireGuard's format"
	if frames == 0 {
		text += ": the connection is relayed, or on another port"
	}
	what := fmt.Sprintf("UDP port %d on links that leave the host", v.Wire[0])
	return verdict.Reading{Node: n.Name, What: what, Text: text}
}

func (v *view) everyNode() verdict.Outcome {
	var chosen, left []string
	var failed *evidence.Node // the first that is not Ready
	for _, n := range v.Nodes {
		if !n.Ready {
			left = append(left, n.Name+" (it is not Ready)")
		}
	}
	for _, n := range v.Excluded {
		text := n.Name + " (" + n.Excluded + notReady(n) + ")"
		if n.Chosen {
			chosen = append(chosen, text)
			continue
		}
		left = append(left, text)
		if failed == nil && !n.Ready && n.NotReady != "" {
			failed = n
		}
	}
	lost := lostMessage(v.Problems)
	switch {
	case len(left) > 0:
		out := unknown("not tested: %s", list(left))
		if failed != nil {
			out.Variant = "notready"
			out.Facts = map[string]string{"node": failed.Name, "system": failed.OSImage}
			if tooOld(failed) {
				out.Variant = "old"
			}
		}
		return out
	case v.Run.Nodes > len(v.Nodes):
		return unknown("the run placed its pods on %d nodes, and its record describes %d of them", v.Run.Nodes,
			len(v.Nodes))
	case lost != nil:
		return unknown("the record of the run lacks a message: %s", lost.Text)
	case len(v.Nodes) < 2:
		return unknown("%d node takes part, a proof needs two", len(v.Nodes))
	case len(chosen) > 0:
		return pass("%d nodes; left out on request: %s", len(v.Nodes), list(chosen))
	}
	return pass("%d nodes, all that the cluster has", len(v.Nodes))
}

// notReady adds to the reason why a node was left out what its condition says,
// and its system: where the kernel has no WireGuard the network plugin ends.
func notReady(n *evidence.Node) string {
	if n.Ready || n.NotReady == "" || n.Chosen {
		return ""
	}
	text := ": " + strings.TrimRight(n.NotReady, ". ")
	if n.OSImage+n.Kernel != "" {
		text += fmt.Sprintf("; %s, kernel %s", n.OSImage, n.Kernel)
	}
	if tooOld(n) {
		text += fmt.Sprintf(", which is older than %d.%d, the first with WireGuard",
			firstKernel.major, firstKernel.minor)
	}
	return text
}

// lostMessage returns the plugin's problem that a message did not fit its
// record: what it was about, as a node, is then not known. Nil if there is none.
func lostMessage(problems []evidence.Problem) *evidence.Problem {
	for i := range problems {
		if problems[i].What == "account" {
			return &problems[i]
		}
	}
	return nil
}

func (v *view) addressed(n *graph.Node, family int) verdict.Outcome {
	if ip := n.PodIP(family); ip.IsValid() {
		if out, foreign := v.foreign(n, ip); foreign {
			return out
		}
		return pass("the test pod on %s is %s", n.Name, ip)
	}
	if !hasFamily(n, family) {
		return unknown("the pods on %s have no IPv%d addresses", n.Name, family)
	}
	return unknown("the test pod on %s has no IPv%d address, though the node has a range for it", n.Name, family)
}

// foreign judges a test pod's address that is of none of the ranges that pods of
// its node get theirs from. It is fine where the tunnels of other nodes send it
// there all the same.
func (v *view) foreign(n *graph.Node, ip netip.Addr) (out verdict.Outcome, found bool) {
	ranged := slices.ContainsFunc(n.PodCIDRs, func(p netip.Prefix) bool { return p.Addr().Is4() == ip.Is4() })
	if !v.Assigned(n) || v.Borrows || !v.Encrypts || !ranged || rangeOf(n, ip).IsValid() {
		return out, false
	}
	device, read := n.Carrier(family(ip)).Device, false
	for _, other := range v.Nodes {
		carrier := other.Carrier(family(ip))
		if other == n || carrier.Device == nil || device == nil {
			continue
		}
		read = true
		peer := v.Peer(other, carrier.Name, device.PublicKey)
		if peer != nil && slices.ContainsFunc(peer.AllowedIPs, func(p netip.Prefix) bool { return p.Contains(ip) }) {
			return out, false
		}
	}
	out = foreignAddress(n, ip)
	if !read {
		out.Status = verdict.Inconclusive
	}
	return out, true
}

// foreignAddress reports that a test pod got an address that is not its node's.
func foreignAddress(n *graph.Node, ip netip.Addr) verdict.Outcome {
	var ranges []string
	for _, podRange := range n.PodCIDRs {
		ranges = append(ranges, podRange.String())
	}
	out := fail("the test pod on %s got the address %s, which is not of the node's pod range %s: "+
		"other nodes do not send it there", n.Name, ip, list(ranges))
	out.Variant = "foreign"
	out.Kind = verdict.Misconfigured
	out.Facts = map[string]string{"node": n.Name, "address": ip.String(), "range": ranges[0]}
	return out
}

// hasFamily reports whether pods on the node are meant to have addresses of the
// family, as far as it is known.
func hasFamily(n *graph.Node, family int) bool {
	known := len(n.PodCIDRs) > 0 || len(n.PodIPs) > 0
	return !known || n.PodIP(family).IsValid() ||
		slices.ContainsFunc(n.PodCIDRs, func(p netip.Prefix) bool { return p.Addr().Is4() == (family == 4) })
}

func (v *view) started(n *graph.Node) verdict.Outcome {
	for _, p := range v.Problems {
		if p.On == n.Name {
			text := strings.TrimSuffix(p.Text, ".")
			if !strings.Contains(text, n.Name) {
				text = n.Name + ": " + text
			}
			out := unknown("%s", text)
			out.Variant = string(p.Class)
			if p.Hint != "" {
				out.Readings = []verdict.Reading{{Node: p.On, What: "hint", Text: p.Hint}}
			}
			return out
		}
	}
	for _, role := range []string{"probe", "pod"} {
		if pod := n.Pods[role]; pod == nil || !pod.Ready {
			return unknown("the %s on %s never became Ready", role, n.Name)
		}
	}
	return pass("probe ready after %d ms, test pod after %d ms", n.Pods["probe"].Wait, n.Pods["pod"].Wait)
}
