package check

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// peerChecks are WG03xx, step P7: who holds which key.
func (v view) peerChecks() []verdict.Check {
	probe := []verdict.Need{verdict.NeedProbe}
	after := []string{"WG0103", "WG0201", "WG0202"}
	return []verdict.Check{
		{
			Code: "WG0301", Title: "each node holds the key that it publishes",
			Why:   "The published key is what the others encrypt for. A key that the node's device does not hold belongs to a device of the past, or to somebody else.",
			Reads: "the network plugin's node annotation, the device's public key",
			Proof: verdict.P7Identity, Scope: verdict.PerNode, Needs: probe, After: after, Judge: v.published,
		},
		{
			Code: "WG0303", Title: "no two nodes share a key",
			Why:   "The kernel ignores, without a word, a peer that has the device's own key; on other nodes the last one to be configured takes over the addresses. Cloned machines do this.",
			Reads: "the public keys of all devices, the keys that nodes publish",
			Proof: verdict.P7Identity, Scope: verdict.PerCluster, Needs: probe, After: after, Judge: v.unique,
		},
		{
			Code: "WG0302", Title: "each node has the others as peers, with the keys they hold",
			Why:   "A peer with a stale key gets no handshake; a missing peer gets no traffic.",
			Reads: "the peers of the sending node's device, the key of the receiving node's device",
			Proof: verdict.P7Identity, Scope: verdict.PerPair, Needs: probe,
			After: append(slices.Clone(after), "WG0301", "WG0303"), Judge: v.knows,
		},
		{
			Code: "WG0306", Title: "each node sends to where the other says it is",
			Why:   "An endpoint that is not the other node's sends its ciphertext to nobody, or to a stranger. After a change of address the others keep the old one until they hear from it or are restarted.",
			Reads: "the peer's endpoint, the address and port that the node publishes, its own addresses",
			Scope: verdict.PerPair, Needs: probe,
			After: append(slices.Clone(after), "WG0105", "WG0106", "WG0302"), Judge: v.endpoint,
		},
		{
			Code: "WG0304", Title: "the pod range of each node belongs to its peer, and to that alone",
			Why:   "WireGuard routes by allowed IPs: a pod address under no peer is refused, under the wrong one it is encrypted for the wrong node.",
			Reads: "allowed IPs of all peers of the device, pod ranges, the test pod's address",
			Proof: verdict.P7Identity, Scope: verdict.PerPair, Needs: probe,
			After: append(slices.Clone(after), "WG0302"), Judge: v.ranges,
		},
	}
}

func (v view) published(c *verdict.Case, s verdict.Subject) verdict.Outcome {
	n := c.Node(s.Node)
	held := ""
	for _, family := range c.Run.Families {
		key := v.Published(n, family)
		device := n.Device(v.Device(n, family))
		switch {
		case !v.Encrypts:
			return skip("%s publishes no keys", v.Title)
		case key == "":
			out := fail("%s publishes no WireGuard key", n.Name)
			out.Facts = map[string]string{"node": n.Name}
			return out
		case device == nil:
			return unknown("the device of %s was not read", n.Name)
		case device.PublicKey != key:
			out := fail("%s publishes the key %s, its %s holds %s", n.Name, short(key), device.Name, short(device.PublicKey))
			out.Facts = map[string]string{"node": n.Name, "device": device.Name}
			out.Readings = []verdict.Reading{
				{Node: n.Name, What: "key in the node's annotation", Text: key},
				{Node: n.Name, What: "key of " + device.Name, Text: device.PublicKey},
			}
			return out
		}
		held = key
	}
	return pass("%s publishes the key its device holds, %s", n.Name, short(held))
}

func (v view) unique(c *verdict.Case, _ verdict.Subject) verdict.Outcome {
	holders := map[string]map[string]bool{}
	for _, n := range c.Nodes {
		keys := []string{}
		for _, family := range c.Run.Families {
			keys = append(keys, v.Published(n, family))
		}
		for _, d := range n.Devices {
			keys = append(keys, d.PublicKey)
		}
		for _, key := range keys {
			if key == "" {
				continue
			}
			if holders[key] == nil {
				holders[key] = map[string]bool{}
			}
			holders[key][n.Name] = true
		}
	}
	if len(holders) == 0 {
		return skip("no WireGuard key was found on any node")
	}
	for _, key := range slices.Sorted(maps.Keys(holders)) {
		if nodes := slices.Sorted(maps.Keys(holders[key])); len(nodes) > 1 {
			out := fail("%s share the key %s", list(nodes), short(key))
			out.Facts = map[string]string{"node": nodes[len(nodes)-1]}
			return out
		}
	}
	return pass("%s, all different", plural(uint64(len(holders)), "key"))
}

func (v view) knows(c *verdict.Case, s verdict.Subject) verdict.Outcome {
	t := v.tunnel(c, s)
	if t.fromLink == "" && !v.Encrypts {
		return skip("no WireGuard device carries this traffic")
	}
	if t.fromDev == nil || t.toDev == nil {
		return unknown("the devices of both nodes were not read")
	}
	if t.peer != nil {
		published := ""
		if v.Published(t.to, s.Family) == t.toDev.PublicKey {
			published = "publishes and "
		}
		return pass("%s %sholds %s, %s has it as a peer", t.to.Name, published, short(t.toDev.PublicKey), t.from.Name)
	}
	facts := map[string]string{"node": t.from.Name, "peer": t.to.Name, "device": t.fromLink}
	if stale := v.otherPeer(t); stale != nil {
		out := fail("%s has another key for %s: %s, while %s holds %s", t.from.Name, t.to.Name, short(stale.PublicKey), t.to.Name, short(t.toDev.PublicKey))
		out.Variant, out.Facts = "stale", facts
		return out
	}
	out := fail("%s has no peer with the key of %s", t.from.Name, t.to.Name)
	out.Variant, out.Facts = "missing", facts
	return out
}

func (v view) ranges(c *verdict.Case, s verdict.Subject) verdict.Outcome {
	t := v.tunnel(c, s)
	ip := t.to.PodIP(s.Family)
	switch {
	case t.fromLink == "" && !v.Encrypts:
		return skip("no WireGuard device carries this traffic")
	case t.fromDev == nil || t.toDev == nil:
		return unknown("the devices of both nodes were not read")
	case !ip.IsValid():
		return unknown("the test pod on %s has no IPv%d address", t.to.Name, s.Family)
	}
	facts := map[string]string{"node": t.from.Name, "peer": t.to.Name, "device": t.fromLink}
	peer, prefix := covering(t.from, t.fromLink, ip)
	if peer == nil {
		out := fail("no peer of %s on %s covers %s, the test pod on %s", t.fromLink, t.from.Name, ip, t.to.Name)
		out.Facts = facts
		return out
	}
	if peer.PublicKey != t.toDev.PublicKey {
		out := fail("on %s the address %s of %s belongs to the peer %s, not to %s", t.from.Name, ip, t.to.Name, short(peer.PublicKey), short(t.toDev.PublicKey))
		out.Facts = facts
		return out
	}
	for _, podRange := range t.to.PodCIDRs {
		if podRange.Addr().Is4() == (s.Family == 4) && v.Encrypts && !covers(peer.AllowedIPs, podRange) {
			out := fail("on %s the peer of %s has only a part of its pod range %s", t.from.Name, t.to.Name, podRange)
			out.Facts = facts
			return out
		}
	}
	for key, other := range t.from.Peers {
		if key.Device != t.fromLink || other.PublicKey == peer.PublicKey {
			continue
		}
		for _, allowed := range other.AllowedIPs {
			for _, podRange := range t.to.PodCIDRs {
				if allowed.Overlaps(podRange) && allowed.Bits() >= prefix.Bits() {
					out := fail("on %s the peer %s also has %s, a part of the pods of %s", t.from.Name, short(other.PublicKey), allowed, t.to.Name)
					out.Facts = facts
					return out
				}
			}
		}
	}
	return pass("%s is its alone", prefix)
}

func (v view) endpoint(c *verdict.Case, s verdict.Subject) verdict.Outcome {
	t := v.tunnel(c, s)
	published := v.Endpoint(t.to, s.Family)
	switch {
	case t.fromLink == "" && !v.Encrypts, !published.IsValid():
		return skip("%s publishes no endpoint", t.to.Name)
	case t.peer == nil || t.toDev == nil:
		return unknown("%s has no peer for %s", t.from.Name, t.to.Name)
	case !t.peer.Endpoint.IsValid():
		return fail("%s has no endpoint for %s, which publishes %s", t.from.Name, t.to.Name, published)
	}
	uses := t.peer.Endpoint
	if uses.Addr() == published && uses.Port() == t.toDev.Port {
		return pass("%s sends to %s", t.from.Name, uses)
	}
	if t.received != nil && moved(t.received.RX) > 0 {
		return pass("%s sends to %s, where %s was last heard; it publishes %s", t.from.Name, uses, t.to.Name, published)
	}
	for _, family := range []int{4, 6} { // modes auto, ipv4 and ipv6 use the other family's endpoint
		if uses.Addr() == v.Endpoint(t.to, family) && uses.Port() == t.toDev.Port {
			return pass("%s sends to %s", t.from.Name, uses)
		}
	}
	out := fail("%s sends what is for %s to %s, while %s publishes %s and listens on port %d", t.from.Name, t.to.Name, uses, t.to.Name, published, t.toDev.Port)
	out.Facts = map[string]string{"node": t.from.Name, "peer": t.to.Name, "device": t.fromLink}
	if uses.Addr() == published {
		out.Variant = "port"
	}
	return out
}

// covers says whether one of the prefixes holds the whole range.
func covers(prefixes []netip.Prefix, whole netip.Prefix) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool {
		return p.Bits() <= whole.Bits() && p.Contains(whole.Addr())
	})
}

// covering returns the peer whose allowed IPs match ip longest, as the kernel
// chooses it.
func covering(n *verdict.Node, device string, ip netip.Addr) (*evidence.Peer, netip.Prefix) {
	var best *evidence.Peer
	var prefix netip.Prefix
	for key, peer := range n.Peers {
		if key.Device != device {
			continue
		}
		for _, allowed := range peer.AllowedIPs {
			if allowed.Contains(ip) && (best == nil || allowed.Bits() > prefix.Bits()) {
				best, prefix = peer, allowed
			}
		}
	}
	return best, prefix
}

// otherPeer returns the peer that stands for to on from's device under a key
// that to does not hold: by the pod's address or by the endpoint's.
func (v view) otherPeer(t tunnel) *evidence.Peer {
	if peer, _ := covering(t.from, t.fromLink, t.to.PodIP(t.family)); peer != nil {
		return peer
	}
	endpoint := v.Endpoint(t.to, t.family)
	for key, peer := range t.from.Peers {
		if key.Device == t.fromLink && endpoint.IsValid() && peer.Endpoint.Addr() == endpoint {
			return peer
		}
	}
	return nil
}
