package run

import (
	"maps"
	"net/netip"
	"slices"
	"unique"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// said is that part of what an agent said, before anything was sent, on which
// the run depends. Among a thousand nodes it is a small part, and the only one
// that is kept decoded.
type said struct {
	messages []*evidence.Message // all but peers, and routes where they do not matter
	peers    []peerEnd
}

// peerEnd is where a node's device believes a tunnel to end.
type peerEnd struct {
	key      unique.Handle[string]
	endpoint unique.Handle[netip.AddrPort]
}

func newPeerEnd(key string, endpoint netip.AddrPort) peerEnd {
	return peerEnd{unique.Make(key), unique.Make(endpoint)}
}

// keep keeps of a message what a run depends on. What makes no sense in it the
// judge will find.
func (s *said) keep(m *evidence.Message, routes bool) {
	switch {
	case m.Peer != nil:
		s.peers = append(s.peers, newPeerEnd(m.Peer.PublicKey, m.Peer.Endpoint))
	case m.Peers != nil:
		for i := range min(len(m.Peers.Keys), len(m.Peers.Endpoints)) {
			s.peers = append(s.peers, newPeerEnd(m.Peers.Keys[i], m.Peers.Endpoints[i]))
		}
	case m.Routes == nil || routes:
		s.messages = append(s.messages, m)
	}
}

// known is what the run knows of the nodes before anything is sent.
type known struct {
	keys      []string           // of every device and peer, published ones too
	ports     []uint16           // of the devices, and where nodes send to them
	mtus      []int              // of the devices' links
	overhead  map[int]int        // of an overlay on the devices, by family
	owner     map[string]int     // index of a node by its public key
	endpoints map[int]netip.Addr // where a node says that its tunnel ends
	peers     map[int][]peerEnd  // of a node's devices
	// inTunnel are the addresses that nodes have on tunnels: what is sent there may
	// be in clear on no wire. outside is, by node, the first one on a link that leaves
	// the host.
	inTunnel map[netip.Addr]bool
	outside  map[int]netip.Addr
	tries    []evidence.Try // the canaries that single rules and statements need
}

// newKnown is the one look at what the probes said, by stream, before anything
// was sent. Most clusters have no rule or statement that needs a canary of its
// own; only where one may is the recording read whole.
func newKnown(recorded *recording.Recording, about *evidence.Run, probes map[string]said) *known {
	narrow := slices.ContainsFunc(slices.Collect(maps.Values(probes)), narrows)
	g := graph.New(firstLook{recorded, about, probes, narrow})
	k := &known{owner: map[string]int{}, endpoints: map[int]netip.Addr{}, peers: map[int][]peerEnd{},
		inTunnel: map[netip.Addr]bool{}, outside: map[int]netip.Addr{}}
	k.readProfile(g)
	for _, n := range g.Nodes {
		k.readDevices(n)
		k.readAddresses(n)
		k.peers[n.Index] = probes[evidence.StreamName("probe", n.Name)].peers
	}
	k.keys = k.allKeys()
	k.ports = set(append(k.ports, k.endpointPorts()...))
	k.mtus = set(k.mtus)
	if narrow {
		k.tries = check.Tries(g)
	}
	return k
}

// readProfile reads what the nodes publish of their tunnels.
func (k *known) readProfile(g *graph.Graph) {
	decided := profile.Decide(g)
	if decided.Below != nil {
		k.overhead = decided.Below.Overhead
	}
	k.ports = append(k.ports, decided.Wire...)
	for _, n := range g.Nodes {
		for _, family := range []int{4, 6} {
			k.owner[decided.Published(n, family)] = n.Index
			if addr := decided.Endpoint(n, family); addr.IsValid() && !k.endpoints[n.Index].IsValid() {
				k.endpoints[n.Index] = addr
			}
		}
	}
}

// readDevices reads a node's devices, which outweigh what is published.
func (k *known) readDevices(n *graph.Node) {
	for _, d := range n.Devices {
		k.owner[d.PublicKey] = n.Index
		k.ports = append(k.ports, d.Port)
		if link := n.Link(d.Name); link != nil {
			k.mtus = append(k.mtus, link.MTU)
		}
	}
}

// maxEndpointPorts is how many ports of endpoints all probes are asked to read as
// WireGuard. A node reads those of its own peers besides.
const maxEndpointPorts = 1024

// endpointPorts are the ports to which nodes send what is for the run's own devices:
// a node that translates them to its device's does not know them otherwise.
func (k *known) endpointPorts() (ports []uint16) {
	seen := map[unique.Handle[netip.AddrPort]]bool{}
	for _, peers := range k.peers {
		for _, peer := range peers {
			if _, owned := k.owner[peer.key.Value()]; owned && !seen[peer.endpoint] {
				seen[peer.endpoint] = true
				ports = append(ports, peer.endpoint.Value().Port())
			}
		}
	}
	ports = set(ports)
	return ports[:min(len(ports), maxEndpointPorts)]
}

// readAddresses reads which of a node's addresses are in tunnels.
func (k *known) readAddresses(n *graph.Node) {
	for _, a := range n.Addresses {
		link, addr := n.Link(a.Link), a.Prefix.Addr()
		switch {
		case link == nil || !addr.IsGlobalUnicast():
		case link.Role == evidence.RoleWireGuard || evidence.OtherTunnel(link):
			k.inTunnel[addr] = true
		case link.Role == evidence.RoleOutside && !k.outside[n.Index].IsValid():
			k.outside[n.Index] = addr
		}
	}
}

// allKeys returns the keys that have an owner or are a peer's.
func (k *known) allKeys() []string {
	delete(k.owner, "")
	ofPeers := map[unique.Handle[string]]bool{}
	for _, peers := range k.peers {
		for _, peer := range peers {
			ofPeers[peer.key] = true
		}
	}
	keys := slices.Collect(maps.Keys(k.owner))
	for key := range ofPeers {
		keys = append(keys, key.Value())
	}
	return set(keys)
}

// narrows reports whether something on a node may treat some packets of pods
// otherwise than others.
func narrows(s said) bool { return slices.ContainsFunc(s.messages, narrowsBy) }

func narrowsBy(m *evidence.Message) bool {
	switch {
	case m.Rule != nil:
		r := m.Rule
		ports := r.SourcePorts != nil || r.TargetPorts != nil
		return r.Mask != 0 || r.Mark != 0 || r.TOS != 0 || r.DSCP != nil || r.Protocol != 0 || ports
	case m.Route != nil:
		return m.Route.TOS != 0
	case m.Diversion != nil:
		return m.Diversion.Effect == evidence.EffectCopy || m.Diversion.Effect == evidence.EffectForward
	}
	return false
}

// firstLook is the recording of a run of which nothing was sent yet.
type firstLook struct {
	*recording.Recording
	about  *evidence.Run
	probes map[string]said // by stream
	whole  bool            // read all that they said, not only what was kept of it
}

// Messages adds to the plugin's own stream what is known of the run.
func (l firstLook) Messages(stream string) []*evidence.Message {
	switch {
	case stream == evidence.PluginStream:
		return append(slices.Clip(l.Recording.Messages(stream)), &evidence.Message{Run: l.about})
	case l.whole:
		return l.Recording.Messages(stream)
	}
	return l.probes[stream].messages
}

// overlay returns where an overlay sends what is for each node, by its index.
// Only of a network that does not encrypt is it asked which way that goes: a
// WireGuard of the machines could be on it.
func overlay(decided profile.Profile, surveyed *graph.Graph) map[int][]netip.Addr {
	if decided.Encrypts {
		return nil
	}
	end := decided.OverlayEnd()
	addresses := map[int][]netip.Addr{}
	for _, n := range surveyed.Nodes {
		for _, family := range []int{4, 6} {
			if addr := end(n, family); addr.IsValid() {
				addresses[n.Index] = append(addresses[n.Index], addr)
			}
		}
	}
	return addresses
}

// set returns the different values but the zero value, in order.
func set[T interface{ ~int | ~uint16 | ~string }](values []T) []T {
	var zero T
	slices.Sort(values)
	values = slices.Compact(values)
	return slices.DeleteFunc(values, func(value T) bool { return value == zero })
}
