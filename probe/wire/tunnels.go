package wire

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Bounds of all tunnels. A node of a cluster of 5,000 has 5,000
// peers, in two families at most.
const (
	maxTunnels = 16384
	// maxUnformed is how many pairs of addresses that never exchanged a
	// WireGuard message are kept: port scans, not peers. Of more, the datagrams
	// are counted by the class malformed of their link only: no tunnel's.
	maxUnformed    = 64
	maxTunnelLinks = 8
)

// ends names a tunnel by its underlay addresses, as this host sees them.
type ends struct{ local, remote netip.AddrPort }

// tunnel is what passed between two underlay addresses.
type tunnel struct {
	links []int
	ways  [2]passage // arriving and leaving
}

// tunnels sums WireGuard messages over all links, which feed it concurrently.
type tunnels struct {
	mu       sync.Mutex
	all      map[ends]*tunnel
	unformed int
	words    int // memory of counters, of wordBudget
	// missed are WireGuard messages of tunnels beyond maxTunnels.
	missed uint64
}

// recent is the tunnel that a link saw last in one direction: most likely the
// next frame's too.
type recent struct {
	ends ends
	one  *tunnel
}

// add counts the outermost datagram of a frame on a WireGuard port. It asks the
// link's recent tunnels first, and notes the one it is.
func (t *tunnels) add(link int, d *dissection, f *Frame, s *settings, last *[2]recent) {
	source := netip.AddrPortFrom(d.source, d.sourcePort)
	target := netip.AddrPortFrom(d.target, d.targetPort)
	between, way := ends{local: target, remote: source}, 0
	if f.transmitted() {
		between, way = ends{local: source, remote: target}, 1
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	known := &last[way]
	if known.one == nil || known.ends != between {
		formed := d.class == ClassWireGuard
		one := t.between(between, formed)
		if one == nil {
			if formed {
				t.missed++
			}
			return
		}
		if !slices.Contains(one.links, link) && len(one.links) < maxTunnelLinks {
			one.links = append(one.links, link)
		}
		*known = recent{ends: between, one: one}
	}
	t.count(link, &known.one.ways[way], d, f, s)
}

// count counts the messages of a datagram, or of the datagrams of a super-packet.
func (t *tunnels) count(link int, passage *passage, d *dissection, f *Frame, s *settings) {
	size := f.Segment
	if size <= 0 || size > d.size {
		size = d.size
	}
	if size == d.size && !f.SegmentKnown {
		size = stride(d.payload, d.size)
	}
	size = max(1, size)
	for at := 0; at < d.size || at == 0; at += size {
		end := min(at+size, d.size)
		m, ok := parseMessage(d.payload[min(at, len(d.payload)):min(end, len(d.payload))], end-at)
		if !ok {
			passage.flow.Malformed++
			if at > len(d.payload) {
				return // nothing was captured of it
			}
			continue
		}
		limit := maxWords
		if t.words >= wordBudget {
			limit = minWords
		}
		t.words += passage.add(link, &m, s, limit)
	}
}

// between returns the tunnel with these ends, nil if there are too many.
func (t *tunnels) between(e ends, formed bool) *tunnel {
	if one := t.all[e]; one != nil {
		return one
	}
	if len(t.all) >= maxTunnels || !formed && t.unformed >= maxUnformed {
		return nil
	}
	if !formed {
		t.unformed++
	}
	one := &tunnel{}
	t.all[e] = one
	return one
}

// messages returns the Tunnel messages, ordered by address.
func (t *tunnels) messages(s *settings, links []*LinkStats) []evidence.Message {
	var out []evidence.Message
	who := newAudience(s)
	for _, e := range sortedEnds(t.all) {
		one := t.all[e]
		m := &evidence.Tunnel{Local: e.local, Remote: e.remote}
		m.TX = one.ways[1].report(s, who)
		m.RX = one.ways[0].report(s, who)
		for _, link := range one.links {
			m.Links = append(m.Links, links[link].name)
		}
		slices.Sort(m.Links)
		for !fits(evidence.Message{Tunnel: m}) {
			flow := &m.TX
			if len(m.RX.Sizes) > len(m.TX.Sizes) {
				flow = &m.RX
			}
			if len(flow.Sizes) == 0 {
				break
			}
			flow.Sizes = flow.Sizes[:len(flow.Sizes)-1]
		}
		out = append(out, evidence.Message{Tunnel: m})
	}
	return out
}

func sortedEnds(all map[ends]*tunnel) []ends {
	keys := make([]ends, 0, len(all))
	for e := range all {
		keys = append(keys, e)
	}
	slices.SortFunc(keys, func(a, b ends) int {
		if c := a.local.Compare(b.local); c != 0 {
			return c
		}
		return a.remote.Compare(b.remote)
	})
	return keys
}

// streamRoom is what the encoder adds around a message: its stream and number.
const streamRoom = 512

// fits reports whether a message can be encoded with room for its stream's name.
func fits(m evidence.Message) bool {
	line, err := evidence.Encode(&m)
	return err == nil && len(line) <= evidence.MaxMessage-streamRoom
}
