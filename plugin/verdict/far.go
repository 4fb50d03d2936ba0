package verdict

import (
	"cmp"
	"encoding/binary"
	"iter"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// far is, packed into 64 bytes, what a node's device said of one of its peers:
// the peer as it was first read and how its counters moved. Of the readings it
// keeps how far each is from the one before, since only that is judged.
type far struct {
	key      uint32
	peerEnd  uint32 // endpoint at the first reading
	countEnd uint32 // endpoint at the last reading
	allowed  uint32
	way      uint32 // the kernel's route to countEnd
	trail    uint32 // place in Node.trails of what was captured of it
	index    int32
	device   uint16 // place in Node.farDevices
	flags    uint8
	readings uint8
	age      int64
	tx, rx   [evidence.Readings - 1]uint32
}

const (
	isPeer  uint8 = 1 << iota // the device has it as a peer
	counted                   // its counters were read
	shaken                    // a handshake was completed
	wide                      // the counters did not fit; see Node.wide
)

// farKey finds a peer of a device.
type farKey struct {
	device uint16
	key    uint32
}

// peers gathers what a node says of its devices' peers while it is laid out.
type peers struct {
	at      map[farKey]int
	devices map[string]uint16
}

// far returns the place for a device's peer, a new one if it is the first that
// is said of it; nil if there are more devices than any host has.
func (c *Case) far(n *Node, p *peers, device, publicKey string) *far {
	number, known := p.devices[device]
	if !known {
		if len(n.farDevices) == math.MaxUint16 {
			return nil
		}
		number = uint16(len(n.farDevices))
		p.devices[device] = number
		n.farDevices = append(n.farDevices, device)
	}
	key := farKey{number, c.key(publicKey)}
	at, known := p.at[key]
	if !known {
		if n.far == nil {
			n.far = make([]far, 0, len(c.Nodes))
		}
		at = len(n.far)
		p.at[key] = at
		n.far = append(n.far, far{key: key.key, device: number})
	}
	return &n.far[at]
}

// maxAllowed is how many allowed IPs of one peer are joined. Joining takes time
// that grows with the square of their number.
const maxAllowed = 4096

// addPeer joins the parts of a peer whose allowed IPs did not fit one message.
func (c *Case) addPeer(n *Node, p *peers, part *evidence.Peer) {
	f := c.far(n, p, part.Device, part.PublicKey)
	switch {
	case f == nil:
	case f.flags&isPeer != 0 && len(c.prefixesOf(f.allowed)) > maxAllowed:
		n.ProbeGap = cmp.Or(n.ProbeGap, "a peer has more allowed IPs than are judged")
	case f.flags&isPeer != 0:
		f.allowed = c.prefixList(slices.Concat(c.prefixesOf(f.allowed), part.AllowedIPs))
	default:
		f.flags |= isPeer
		f.peerEnd, f.allowed = c.endpoint(part.Endpoint), c.prefixList(part.AllowedIPs)
	}
}

func (c *Case) addCount(n *Node, p *peers, count *evidence.Count) {
	f := c.far(n, p, count.Device, count.PublicKey)
	if f == nil {
		return
	}
	before, exact := *f, n.wide[farKey{f.device, f.key}]
	f.flags = f.flags&isPeer | counted
	if count.Handshake != 0 {
		f.flags |= shaken
	}
	f.countEnd, f.age = c.endpoint(count.Endpoint), count.Age
	f.readings = uint8(min(max(count.Readings, 0), evidence.Readings))
	f.index = int32(count.Index)
	if !steps(&f.tx, &count.TX) || !steps(&f.rx, &count.RX) || int(f.index) != count.Index {
		f.flags |= wide
		if n.wide == nil {
			n.wide = map[farKey]*evidence.Count{}
		}
		n.wide[farKey{f.device, f.key}] = count
	}
	again := before.flags&counted != 0
	if again && (!before.countsAs(f) || f.flags&wide != 0 && *exact != *count) || count.Readings < 0 || count.Readings > evidence.Readings {
		conflict(&n.conflicts.probe, "the counters of a peer of "+count.Device)
	}
}

// countsAs reports whether two counts of one peer are the same.
func (f *far) countsAs(other *far) bool {
	one, two := *f, *other
	for _, count := range []*far{&one, &two} {
		count.flags &^= isPeer
		count.peerEnd, count.allowed = 0, 0
	}
	return one == two
}

// steps packs readings if none is below the one before and no step is too long.
func steps(packed *[evidence.Readings - 1]uint32, readings *[evidence.Readings]uint64) bool {
	for i := range packed {
		step := readings[i+1] - readings[i]
		if readings[i+1] < readings[i] || step > math.MaxUint32 {
			return false
		}
		packed[i] = uint32(step)
	}
	return true
}

func unsteps(packed *[evidence.Readings - 1]uint32) (readings [evidence.Readings]uint64) {
	for i, step := range packed {
		readings[i+1] = readings[i] + uint64(step)
	}
	return readings
}

// Count is how a peer's counters moved, as its first reading was 0: readings
// tell only by their distance.
type Count struct {
	Endpoint  netip.AddrPort // at the last reading
	TX, RX    [evidence.Readings]uint64
	Age       int64 // of the last handshake, nanoseconds
	Handshake bool  // there was one
	Index     int   // of the device's link
	Readings  int
}

func (c *Case) count(n *Node, f *far, into *Count) {
	into.Endpoint, into.Age, into.Handshake = c.endpoints.value(f.countEnd), f.age, f.flags&shaken != 0
	into.Index, into.Readings = int(f.index), int(f.readings)
	into.TX, into.RX = unsteps(&f.tx), unsteps(&f.rx)
	if f.flags&wide != 0 {
		exact := n.wide[farKey{f.device, f.key}]
		into.TX, into.RX, into.Index = exact.TX, exact.RX, exact.Index
	}
}

// peer unpacks a peer.
func (c *Case) peer(n *Node, f *far, into *Peer) {
	into.Device, into.PublicKey = n.farDevices[f.device], c.keys.value(f.key)
	into.Endpoint, into.AllowedIPs = c.endpoints.value(f.peerEnd), c.prefixes.value(f.allowed)
}

// Peer is a peer of a device at the first reading.
type Peer struct {
	Device, PublicKey string
	Endpoint          netip.AddrPort
	AllowedIPs        []netip.Prefix
}

// Peers returns the peers of all the node's devices.
func (c *Case) Peers(n *Node) iter.Seq[Peer] {
	return func(yield func(Peer) bool) {
		for i := range n.far {
			if n.far[i].flags&isPeer == 0 {
				continue
			}
			var peer Peer
			if c.peer(n, &n.far[i], &peer); !yield(peer) {
				return
			}
		}
	}
}

// Peer returns a device's peer with that key, nil if it has none.
func (c *Case) Peer(n *Node, device, publicKey string) *Peer {
	key := c.keys.find(publicKey)
	if at := c.find(n, device, key); at >= 0 && n.far[at].flags&isPeer != 0 {
		var peer Peer
		c.peer(n, &n.far[at], &peer)
		return &peer
	}
	return nil
}

// sortFar puts what a node says of others into the order of these others, the
// order in which pairs are judged.
func (c *Case) sortFar(n *Node) {
	slices.SortFunc(n.far, func(a, b far) int { return c.compareFar(&a, b.key, b.device) })
}

func (c *Case) compareFar(a *far, key uint32, device uint16) int {
	if a.key == key {
		return cmp.Compare(a.device, device)
	}
	return cmp.Or(cmp.Compare(c.owner(a.key), c.owner(key)), strings.Compare(c.keys.value(a.key), c.keys.value(key)))
}

// find returns the place of a device's peer, -1 if there is none.
func (c *Case) find(n *Node, device string, key uint32) int {
	number := slices.Index(n.farDevices, device)
	if number < 0 || key == 0 {
		return -1
	}
	at, found := slices.BinarySearchFunc(n.far, key, func(f far, key uint32) int { return c.compareFar(&f, key, uint16(number)) })
	if !found {
		return -1
	}
	return at
}

// owner returns the place of the node whose device has a key, behind all nodes
// for a stranger's.
func (c *Case) owner(key uint32) int32 {
	if int(key) < len(c.owners) {
		return c.owners[key]
	}
	return math.MaxInt32
}

func (c *Case) key(text string) uint32 {
	if text == "" {
		return 0
	}
	return c.keys.number(text, func() string { return text })
}

func (c *Case) endpoint(e netip.AddrPort) uint32 {
	if e == (netip.AddrPort{}) {
		return 0
	}
	return c.endpoints.number(e, func() netip.AddrPort { return e })
}

func (c *Case) prefixList(list []netip.Prefix) uint32 {
	if len(list) == 0 {
		return 0
	}
	b := make([]byte, 0, 64)
	for _, p := range list {
		text, _ := p.MarshalBinary() // it never fails
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	return c.prefixes.number(string(b), func() []netip.Prefix { return list })
}

// prefixesOf returns a list while others are still being numbered.
func (c *Case) prefixesOf(id uint32) []netip.Prefix {
	c.prefixes.mu.RLock()
	defer c.prefixes.mu.RUnlock()
	return c.prefixes.value(id)
}
