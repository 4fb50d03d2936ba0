package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

func (v *view) published(n *graph.Node, family int) verdict.Outcome {
	key := v.Published(n, family)
	none := key == "" && !slices.ContainsFunc(v.Nodes, func(n *graph.Node) bool { return v.Published(n, family) != "" })
	carrier := n.Carrier(family)
	device := carrier.Device
	if key == "" && device != nil { // one device for both families, published for one
		key = v.publishedForAny(n, device.PublicKey)
	}
	switch {
	case !v.Encrypts && none:
		return skip("%s publishes no keys", v.Title)
	case v.apart(n):
		return skip("by design no traffic of the pods on %s is encrypted", n.Name)
	case !hasFamily(n, family):
		return skip("the pods on %s have no IPv%d addresses", n.Name, family)
	case carrier.Name != carrier.Expected && (device == nil || device.PublicKey != key):
		return skip("%s of %s is not the device whose key is published", carrier.Name, n.Name)
	case key == "":
		out := fail("%s publishes no WireGuard key", n.Name)
		out.Facts = map[string]string{"node": n.Name}
		v.addThrown(&out, n, family)
		return out
	case device == nil:
		return unknown("the device of %s was not read", n.Name)
	case device.PublicKey != key:
		out := fail("%s publishes the key %s, its %s holds %s", n.Name, short(key), device.Name,
			short(device.PublicKey))
		out.Facts = map[string]string{"node": n.Name, "device": device.Name}
		out.Readings = []verdict.Reading{
			{Node: n.Name, What: "key in the node's annotation", Text: key},
			{Node: n.Name, What: "key of " + device.Name, Text: device.PublicKey},
		}
		v.addThrown(&out, n, family)
		return out
	}
	return pass("%s publishes the key its %s holds, %s", n.Name, device.Name, short(key))
}

// publishedForAny returns a key if the node publishes it for any family, else "".
func (v *view) publishedForAny(n *graph.Node, key string) string {
	for _, family := range []int{4, 6} {
		if v.Published(n, family) == key {
			return key
		}
	}
	return ""
}

// keyHolders are the nodes that have a key, by the key, and whether the key is
// one of pod traffic: of a device that carries it or should, or published.
type keyHolders struct {
	nodes   map[string]map[string]bool
	carries map[string]bool
}

// together names all of several, the last behind an "and".
func together(names []string) string {
	last := len(names) - 1
	return list(names[:last]) + " and " + names[last]
}

func (v *view) unique() verdict.Outcome {
	h := v.keyHolders()
	if len(h.carries) == 0 {
		return skip("no WireGuard device that carries pod traffic was found on any node")
	}
	unrelated := ""
	for _, key := range slices.Sorted(maps.Keys(h.nodes)) {
		nodes := slices.Sorted(maps.Keys(h.nodes[key]))
		switch {
		case len(nodes) == 1:
		case h.carries[key]:
			out := fail("%s share the key %s", together(nodes), short(key))
			last := v.Node(nodes[len(nodes)-1])
			out.Facts = map[string]string{"node": last.Name, "device": v.deviceWith(last, key)}
			for _, family := range v.Run.Families {
				v.addThrown(&out, last, family)
			}
			return out
		case unrelated == "":
			unrelated = fmt.Sprintf("; devices that carry no pod traffic share the key %s on %s", short(key),
				list(nodes))
		}
	}
	return pass("%s of pod traffic, all different%s", plural(uint64(len(h.carries)), "key"), unrelated)
}

// deviceWith is the name of the node's device that holds a key, else of the one that
// should carry pod traffic.
func (v *view) deviceWith(n *graph.Node, key string) string {
	for _, d := range n.Devices {
		if d.PublicKey == key {
			return d.Name
		}
	}
	return n.Carrier(v.Run.Families[0]).Expected
}

func (v *view) keyHolders() keyHolders {
	h := keyHolders{map[string]map[string]bool{}, map[string]bool{}}
	add := func(n *graph.Node, key string, carries bool) {
		if key == "" {
			return
		}
		if h.nodes[key] == nil {
			h.nodes[key] = map[string]bool{}
		}
		h.nodes[key][n.Name] = true
		if carries {
			h.carries[key] = true
		}
	}
	for _, n := range v.Nodes {
		for _, family := range v.Run.Families {
			add(n, v.Published(n, family), true)
		}
		for _, d := range n.Devices {
			add(n, d.PublicKey, v.carries(n, d.Name, v.Run.Families))
		}
	}
	return h
}

// carries reports whether a device carries pod traffic, or should.
func (v *view) carries(n *graph.Node, device string, families []int) bool {
	return slices.ContainsFunc(families, func(family int) bool {
		carrier := n.Carrier(family)
		return device == carrier.Name || device == carrier.Expected
	})
}

func (v *view) knows(e *graph.Edge) verdict.Outcome {
	switch {
	case e.FromLink() == "" && !v.Encrypts:
		return skip(untunnelled)
	case v.clear(e) != "":
		return skip("%s", v.clear(e))
	case e.FromCarrier.Device == nil || e.ToCarrier.Device == nil:
		return unknown("the devices of both nodes were not read")
	case e.Peer != nil:
		return pass("%s", verdict.Late(func() string {
			published := ""
			if v.Published(e.To, e.Family) == e.ToCarrier.Device.PublicKey {
				published = "publishes and "
			}
			return fmt.Sprintf("%s %sholds %s, %s has it as a peer", e.To.Name, published,
				short(e.ToCarrier.Device.PublicKey), e.From.Name)
		}))
	}
	facts := map[string]string{"node": e.From.Name, "peer": e.To.Name, "device": e.FromLink()}
	if stale := v.otherPeer(e); stale != nil {
		out := fail("%s has another key for %s: %s, while %s holds %s", e.From.Name, e.To.Name, short(stale.PublicKey),
			e.To.Name, short(e.ToCarrier.Device.PublicKey))
		out.Variant = "stale"
		out.Facts = facts
		return out
	}
	out := fail("%s has no peer with the key of %s", e.From.Name, e.To.Name)
	out.Variant = "missing"
	out.Facts = facts
	return out
}

func (v *view) ranges(e *graph.Edge) verdict.Outcome {
	ip := e.To.PodIP(e.Family)
	switch {
	case e.FromLink() == "" && !v.Encrypts:
		return skip(untunnelled)
	case v.clear(e) != "":
		return skip("%s", v.clear(e))
	case e.FromCarrier.Device == nil || e.ToCarrier.Device == nil:
		return unknown("the devices of both nodes were not read")
	case !ip.IsValid():
		return unknown("the test pod on %s has no IPv%d address", e.To.Name, e.Family)
	}
	if v.Below != nil {
		return v.rangesBelow(e)
	}
	if v.Wraps != nil {
		return v.rangesWrapped(e)
	}
	failed := func(format string, args ...any) verdict.Outcome {
		out := fail(format, args...)
		out.Facts = map[string]string{"node": e.From.Name, "peer": e.To.Name, "device": e.FromLink()}
		return out
	}
	holder := e.Holder
	switch {
	case v.overlaid(e):
		return skip("the pods' packets are inside an overlay there, whose addresses are not known")
	case e.To.Sampled && !v.ranged:
		return unknown("the peers have pods' addresses one by one, and no pod of %s is known", e.To.Name)
	case v.lent(e):
		return unknown("%s can be a pod's on another node than %s", ip, e.To.Name)
	case holder == nil:
		return failed("no peer of %s on %s covers %s, %s", e.FromLink(), e.From.Name, ip, whose(e.To))
	case holder != e.Peer && holder.PublicKey != e.ToCarrier.Device.PublicKey: // Peer is the one with that key
		return failed("on %s the address %s of %s belongs to the peer %s, not to %s", e.From.Name, ip, e.To.Name,
			short(holder.PublicKey), short(e.ToCarrier.Device.PublicKey))
	}
	for _, podRange := range e.To.PodCIDRs {
		if v.ranged && podRange.Addr().Is4() == (e.Family == 4) &&
			e.ToCarrier.Assigned && !covers(holder.AllowedIPs, podRange) {
			return failed("on %s the peer of %s has only a part of its pod range %s", e.From.Name, e.To.Name, podRange)
		}
	}
	if e.Rival != nil {
		return failed("on %s the peer %s also has %s, a part of the pods of %s",
			e.From.Name, short(e.Rival.PublicKey), e.Rival.Part(e.ToRanges(), e.Holder), e.To.Name)
	}
	return pass("%s belongs only to this peer", e.Held)
}

func (v *view) endpoint(e *graph.Edge) verdict.Outcome {
	published := e.To.Carrier(e.Family).Endpoint
	switch {
	case v.Below != nil:
		return skip("where the machines' own WireGuard ends, nobody publishes")
	case e.FromLink() == "" && !v.Encrypts, !published.IsValid():
		return skip("%s publishes no endpoint", e.To.Name)
	case v.clear(e) != "":
		return skip("%s", v.clear(e))
	case e.Peer == nil || e.ToCarrier.Device == nil:
		return unknown("%s has no peer for %s", e.From.Name, e.To.Name)
	case !e.Peer.Endpoint.IsValid():
		return fail("%s has no endpoint for %s, which publishes %s", e.From.Name, e.To.Name, published)
	}
	uses := e.Peer.Endpoint
	if out, private := v.privateEndpoint(e); private {
		return out
	}
	if out, wrong := v.wrongEndpoint(e); wrong {
		return out
	}
	if uses.Addr() == published && uses.Port() == e.ToCarrier.Device.Port {
		return pass("%s sends to %s", e.From.Name, uses)
	}
	if e.Received != nil && e.Received.RX.Least > 0 {
		return pass("%s sends to %s, where %s was last heard; it publishes %s", e.From.Name, uses, e.To.Name, published)
	}
	announced := false
	for _, family := range []int{4, 6} { // modes auto, ipv4 and ipv6 use the other family's endpoint
		if uses.Addr() != v.Endpoint(e.To, family) {
			continue
		}
		if uses.Port() == e.ToCarrier.Device.Port {
			return pass("%s sends to %s", e.From.Name, uses)
		}
		published, announced = uses.Addr(), uses.Port() == v.Port(e.To, family)
	}
	out := fail("%s sends what is for %s to %s, while %s publishes %s and listens on port %d", e.From.Name, e.To.Name,
		uses, e.To.Name, published, e.ToCarrier.Device.Port)
	out.Facts = map[string]string{"node": e.From.Name, "peer": e.To.Name, "device": e.FromLink()}
	switch {
	case announced:
		out.Reword("%s sends what is for %s to %s, which %s publishes, and its %s listens on port %d", e.From.Name,
			e.To.Name, uses, e.To.Name, e.ToLink(), e.ToCarrier.Device.Port)
		out.Variant = "announced"
	case uses.Addr() == published && uses.Port() == e.FromCarrier.Device.Port:
		out.Reword("%s sends what is for %s to port %d, on which its own %s listens, and %s of %s listens on port %d",
			e.From.Name, e.To.Name, uses.Port(), e.FromLink(), e.ToLink(), e.To.Name, e.ToCarrier.Device.Port)
		out.Variant = "own"
	case uses.Addr() == published:
		out.Variant = "port"
	}
	return out
}

// allowsRanges reports whether a node's whole pod range is among the allowed IPs of
// any peer: then a network that adds pods one by one adds ranges too.
func (v *view) allowsRanges() bool {
	ranges := map[netip.Prefix]bool{}
	for _, n := range v.Nodes {
		for _, podRange := range n.PodCIDRs {
			ranges[podRange.Masked()] = true
		}
	}
	return slices.ContainsFunc(v.Nodes, func(n *graph.Node) bool {
		return slices.ContainsFunc(n.Peers, func(p *graph.Peer) bool {
			return slices.ContainsFunc(p.AllowedIPs,
				func(allowed netip.Prefix) bool { return ranges[allowed.Masked()] })
		})
	})
}

// covers reports whether one of the prefixes holds the whole range.
func covers(prefixes []netip.Prefix, whole netip.Prefix) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool {
		return p.Bits() <= whole.Bits() && p.Contains(whole.Addr())
	})
}

// otherPeer returns the peer that stands for the other node on this one's
// device under a key that the other does not hold: by the pod's address or by
// the endpoint's.
func (v *view) otherPeer(e *graph.Edge) *graph.Peer {
	if holder := e.Holder; holder != nil {
		return holder
	}
	endpoint := e.To.Carrier(e.Family).Endpoint
	for _, peer := range e.From.Peers {
		if peer.Configured && peer.Device == e.FromLink() && endpoint.IsValid() && peer.Endpoint.Addr() == endpoint {
			return peer
		}
	}
	return nil
}

const untunnelled = "no WireGuard device carries this traffic"
