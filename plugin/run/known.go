package run

import (
	"net/netip"
	"sync"
	"unique"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// known is what the nodes said of themselves before anything was sent. Of
// their devices' peers it keeps what a run depends on, which among a thousand
// nodes is a small part of all that was said.
type known struct {
	*verdict.Case // without peers
	peers         map[int][]peerEnd
}

// peerEnd is where a node's device believes a tunnel to end.
type peerEnd struct {
	key      unique.Handle[string]
	endpoint unique.Handle[netip.AddrPort]
}

func newKnown(recording *evidence.Recording) *known {
	first := &firstLook{Recording: recording, peers: map[string][]peerEnd{}}
	k := &known{Case: verdict.NewCase(first), peers: map[int][]peerEnd{}}
	for _, n := range k.Nodes {
		k.peers[n.Index] = first.peers[evidence.StreamName("probe", n.Name)]
	}
	return k
}

// firstLook is a recording that keeps peers for itself.
type firstLook struct {
	*evidence.Recording
	mu    sync.Mutex
	peers map[string][]peerEnd // by stream
}

// Messages returns all messages but those of peers. What makes no sense in
// them the judge will find.
func (f *firstLook) Messages(stream string) (rest []*evidence.Message) {
	var peers []peerEnd
	var columns evidence.Unpacker
	for _, m := range f.Recording.Messages(stream) {
		switch {
		case m.Peer != nil, m.Peers != nil:
			_ = columns.Unpack(m, func(one *evidence.Message) {
				peers = append(peers, peerEnd{unique.Make(one.Peer.PublicKey), unique.Make(one.Peer.Endpoint)})
			})
		case m.Count == nil && m.Counts == nil:
			rest = append(rest, m)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.peers[stream] = peers
	return rest
}
