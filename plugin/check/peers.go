package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// peerChecks are WG03xx, step P7: who holds which key.
func (v *view) peerChecks() []verdict.Check {
	probe := []verdict.Need{verdict.NeedProbe}
	after := []string{"WG0103", "WG0107", "WG0201", "WG0202"}
	return []verdict.Check{
		{
			Code: "WG0301", Title: "each node holds the key that it publishes",
			Why:   "The published key is what the others encrypt for. A key that the node's device does not hold belongs to a device of the past, or to somebody else.",
			Reads: "the network plugin's node annotation, the device's public key",
			Proof: verdict.P7Keys, Scope: verdict.PerNodeFamily, Needs: probe, After: after, Judge: v.published,
		},
		{
			Code: "WG0303", Title: "no two nodes share a key",
			Why:   "The kernel ignores, without a word, a peer that has the device's own key; on other nodes the last one to be configured takes over the addresses. Cloned machines do this.",
			Reads: "the public keys of all devices, the keys that nodes publish",
			Proof: verdict.P7Keys, Scope: verdict.PerCluster, Needs: probe, After: after, Judge: v.unique,
		},
		{
			Code: "WG0302", Title: "each node has the others as peers, with the keys they hold",
			Why:   "A peer with a stale key gets no handshake; a missing peer gets no traffic.",
			Reads: "the peers of the sending node's device, the key of the receiving node's device",
			Proof: verdict.P7Keys, Scope: verdict.PerPair, Needs: probe,
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
			Proof: verdict.P7Keys, Scope: verdict.PerPair, Needs: probe,
			After: append(slices.Clone(after), "WG0302"), Judge: v.ranges,
		},
	}
}

func (v *view) published(f *verdict.Focus) verdict.Outcome {
	n := f.Node
	key := v.Published(n, f.Family)
	carrier := n.Carrier(f.Family)
	device := carrier.Device
	if key == "" && device != nil { // one device for both families, published for one
		key = v.publishedForAny(n, device.PublicKey)
	}
	switch {
	case !v.Encrypts:
		return skip("%s publishes no keys", v.Title)
	case !hasFamily(n, f.Family):
		return skip("the pods on %s have no IPv%d addresses", n.Name, f.Family)
	case carrier.Name != carrier.Expected && (device == nil || device.PublicKey != key):
		return skip("%s of %s is not the device whose key is published", carrier.Name, n.Name)
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
	return pass("%s publishes the key its %s holds, %s", n.Name, device.Name, short(key))
}

// publishedForAny returns a key if the node publishes it for any family, else "".
func (v *view) publishedForAny(n *verdict.Node, key string) string {
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

func (v *view) unique(f *verdict.Focus) verdict.Outcome {
	h := v.keyHolders(f)
	if len(h.carries) == 0 {
		return skip("no WireGuard device that carries pod traffic was found on any node")
	}
	unrelated := ""
	for _, key := range slices.Sorted(maps.Keys(h.nodes)) {
		nodes := slices.Sorted(maps.Keys(h.nodes[key]))
		switch {
		case len(nodes) == 1:
		case h.carries[key]:
			out := fail("%s share the key %s", list(nodes), short(key))
			out.Facts = map[string]string{"node": nodes[len(nodes)-1]}
			return out
		case unrelated == "":
			unrelated = fmt.Sprintf("; devices that carry no pod traffic share the key %s on %s", short(key), list(nodes))
		}
	}
	return pass("%s of pod traffic, all different%s", plural(uint64(len(h.carries)), "key"), unrelated)
}

func (v *view) keyHolders(f *verdict.Focus) keyHolders {
	h := keyHolders{map[string]map[string]bool{}, map[string]bool{}}
	add := func(n *verdict.Node, key string, carries bool) {
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
	for _, n := range f.Nodes {
		for _, family := range f.Run.Families {
			add(n, v.Published(n, family), true)
		}
		for _, d := range n.Devices {
			add(n, d.PublicKey, v.carries(n, d.Name, f.Run.Families))
		}
	}
	return h
}

// carries reports whether a device carries pod traffic, or should.
func (v *view) carries(n *verdict.Node, device string, families []int) bool {
	return slices.ContainsFunc(families, func(family int) bool {
		carrier := n.Carrier(family)
		return device == carrier.Name || device == carrier.Expected
	})
}

func (v *view) knows(f *verdict.Focus) verdict.Outcome {
	t := &f.Tunnel
	switch {
	case t.FromLink == "" && !v.Encrypts:
		return f.Say(verdict.NotApplicable, untunnelled)
	case t.FromDev == nil || t.ToDev == nil:
		return unknown("the devices of both nodes were not read")
	case t.Peer != nil:
		return f.Say(verdict.Pass, func() string {
			published := ""
			if v.Published(t.To, f.Family) == t.ToDev.PublicKey {
				published = "publishes and "
			}
			return fmt.Sprintf("%s %sholds %s, %s has it as a peer", t.To.Name, published, short(t.ToDev.PublicKey), t.From.Name)
		})
	case f.Quiet:
		return verdict.Outcome{Status: verdict.Fail}
	}
	facts := map[string]string{"node": t.From.Name, "peer": t.To.Name, "device": t.FromLink}
	if stale := v.otherPeer(f); stale != nil {
		out := fail("%s has another key for %s: %s, while %s holds %s", t.From.Name, t.To.Name, short(stale.PublicKey), t.To.Name, short(t.ToDev.PublicKey))
		out.Variant, out.Facts = "stale", facts
		return out
	}
	out := fail("%s has no peer with the key of %s", t.From.Name, t.To.Name)
	out.Variant, out.Facts = "missing", facts
	return out
}

func (v *view) ranges(f *verdict.Focus) verdict.Outcome {
	t := &f.Tunnel
	ip := t.To.PodIP(f.Family)
	switch {
	case t.FromLink == "" && !v.Encrypts:
		return f.Say(verdict.NotApplicable, untunnelled)
	case t.FromDev == nil || t.ToDev == nil:
		return unknown("the devices of both nodes were not read")
	case !ip.IsValid():
		return unknown("the test pod on %s has no IPv%d address", t.To.Name, f.Family)
	}
	if v.Below != nil {
		return v.rangesBelow(f)
	}
	failed := func(format string, args ...any) verdict.Outcome {
		out := fail(format, args...)
		out.Facts = map[string]string{"node": t.From.Name, "peer": t.To.Name, "device": t.FromLink}
		return out
	}
	holder := f.Holder()
	switch {
	case v.overlaid(f):
		return f.Say(verdict.NotApplicable, func() string { return "the pods' packets are inside an overlay there, whose addresses are not known" })
	case holder == nil:
		return failed("no peer of %s on %s covers %s, the test pod on %s", t.FromLink, t.From.Name, ip, t.To.Name)
	case holder != t.Peer && holder.PublicKey != t.ToDev.PublicKey: // Peer is the one with that key
		return failed("on %s the address %s of %s belongs to the peer %s, not to %s", t.From.Name, ip, t.To.Name, short(holder.PublicKey), short(t.ToDev.PublicKey))
	}
	for _, podRange := range t.To.PodCIDRs {
		if podRange.Addr().Is4() == (f.Family == 4) && v.Encrypts && !covers(holder.AllowedIPs, podRange) {
			return failed("on %s the peer of %s has only a part of its pod range %s", t.From.Name, t.To.Name, podRange)
		}
	}
	if rival, part := f.Rival(); rival != nil {
		return failed("on %s the peer %s also has %s, a part of the pods of %s", t.From.Name, short(rival.PublicKey), part, t.To.Name)
	}
	return f.Say(verdict.Pass, func() string { return f.Held().String() + " is its alone" })
}

func (v *view) endpoint(f *verdict.Focus) verdict.Outcome {
	t := &f.Tunnel
	published := t.To.Carrier(f.Family).Endpoint
	switch {
	case v.Below != nil:
		return f.Say(verdict.NotApplicable, func() string { return "where the machines' own WireGuard ends, nobody publishes" })
	case t.FromLink == "" && !v.Encrypts, !published.IsValid():
		return f.Say(verdict.NotApplicable, func() string { return t.To.Name + " publishes no endpoint" })
	case t.Peer == nil || t.ToDev == nil:
		return unknown("%s has no peer for %s", t.From.Name, t.To.Name)
	case !t.Peer.Endpoint.IsValid():
		return fail("%s has no endpoint for %s, which publishes %s", t.From.Name, t.To.Name, published)
	}
	uses := t.Peer.Endpoint
	sends := func() string { return fmt.Sprintf("%s sends to %s", t.From.Name, uses) }
	if uses.Addr() == published && uses.Port() == t.ToDev.Port {
		return f.Say(verdict.Pass, sends)
	}
	if t.Received != nil && moved(t.Received.RX) > 0 {
		return f.Say(verdict.Pass, func() string {
			return fmt.Sprintf("%s, where %s was last heard; it publishes %s", sends(), t.To.Name, published)
		})
	}
	announced := false
	for _, family := range []int{4, 6} { // modes auto, ipv4 and ipv6 use the other family's endpoint
		if uses.Addr() != v.Endpoint(t.To, family) {
			continue
		}
		if uses.Port() == t.ToDev.Port {
			return f.Say(verdict.Pass, sends)
		}
		published, announced = uses.Addr(), uses.Port() == v.Port(t.To, family)
	}
	out := fail("%s sends what is for %s to %s, while %s publishes %s and listens on port %d", t.From.Name, t.To.Name, uses, t.To.Name, published, t.ToDev.Port)
	out.Facts = map[string]string{"node": t.From.Name, "peer": t.To.Name, "device": t.FromLink}
	switch {
	case announced:
		out.Text = fmt.Sprintf("%s sends what is for %s to %s, which %s publishes, and its %s listens on port %d", t.From.Name, t.To.Name, uses, t.To.Name, t.ToLink, t.ToDev.Port)
		out.Variant = "announced"
	case uses.Addr() == published:
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

// otherPeer returns the peer that stands for the other node on this one's
// device under a key that the other does not hold: by the pod's address or by
// the endpoint's.
func (v *view) otherPeer(f *verdict.Focus) *verdict.Peer {
	if holder := f.Holder(); holder != nil {
		return holder
	}
	endpoint := f.Peer.Carrier(f.Family).Endpoint
	for peer := range f.Peers(f.Node) {
		if peer.Device == f.Tunnel.FromLink && endpoint.IsValid() && peer.Endpoint.Addr() == endpoint {
			return &peer
		}
	}
	return nil
}

func untunnelled() string { return "no WireGuard device carries this traffic" }
