package run

import (
	"maps"
	"net/netip"
	"slices"
	"unique"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// known is of what the nodes said of themselves before anything was sent that
// on which the run depends. Among a thousand nodes it is a small part.
type known struct {
	keys      []string           // of every device and peer, published ones too
	ports     []uint16           // of the devices
	mtus      []int              // of the devices' links
	overhead  map[int]int        // of an overlay on the devices, by family
	owner     map[string]int     // index of a node by its public key
	endpoints map[int]netip.Addr // where a node says that its tunnel ends
	peers     map[int][]peerEnd  // of a node's devices
}

// peerEnd is where a node's device believes a tunnel to end.
type peerEnd struct {
	key      unique.Handle[string]
	endpoint unique.Handle[netip.AddrPort]
}

func newPeerEnd(key string, endpoint netip.AddrPort) peerEnd {
	return peerEnd{unique.Make(key), unique.Make(endpoint)}
}

// newKnown takes what the probes said.
func (v *verification) newKnown() *known {
	k := &known{owner: map[string]int{}, endpoints: map[int]netip.Addr{}, peers: map[int][]peerEnd{}}
	first := firstLook{v.recording, map[string][]*evidence.Message{}}
	for _, a := range v.probes {
		first.seen[evidence.StreamName("probe", a.node.Name)], k.peers[a.node.Index] = a.looked()
	}
	said := graph.New(first)
	decided := profile.Decide(said)
	if decided.Below != nil {
		k.overhead = decided.Below.Overhead
	}
	for _, n := range said.Nodes {
		for _, family := range []int{4, 6} {
			k.owner[decided.Published(n, family)] = n.Index
			if addr := decided.Endpoint(n, family); addr.IsValid() && !k.endpoints[n.Index].IsValid() {
				k.endpoints[n.Index] = addr
			}
		}
	}
	keys := map[unique.Handle[string]]bool{}
	for _, n := range said.Nodes {
		for _, d := range n.Devices {
			k.owner[d.PublicKey] = n.Index // outweighs what is published
			k.ports = append(k.ports, d.Port)
			if link := n.Link(d.Name); link != nil {
				k.mtus = append(k.mtus, link.MTU)
			}
		}
	}
	for _, peers := range k.peers {
		for _, peer := range peers {
			keys[peer.key] = true
		}
	}
	delete(k.owner, "")
	k.keys = slices.Collect(maps.Keys(k.owner))
	for key := range keys {
		k.keys = append(k.keys, key.Value())
	}
	k.keys, k.ports, k.mtus = set(k.keys), set(k.ports), set(k.mtus)
	return k
}

// firstLook is a recording in which probes said only what a run depends on.
type firstLook struct {
	*recording.Recording
	seen map[string][]*evidence.Message // by stream
}

func (f firstLook) Messages(stream string) []*evidence.Message {
	if stream == evidence.PluginStream {
		return f.Recording.Messages(stream)
	}
	return f.seen[stream]
}
