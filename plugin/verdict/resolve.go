package verdict

import (
	"math"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Carrier is what carries a node's pod traffic of one family.
type Carrier struct {
	Name     string           // of the WireGuard device, empty if none should and none did
	Expected string           // what the profile names, which is Name unless another one carried the traffic
	Endpoint netip.Addr       // where the node says that its tunnel ends
	Device   *evidence.Device // nil if it was not read
	Link     *evidence.Link   // nil if there is none
	key      uint32
}

// toward is where a node's rows hold what is of one other node, together with
// what they hold in rows of their own: a pair then needs few places in memory.
type toward struct {
	far         int32  // the other's key as a peer of the carrier, -1 for none
	holder      int32  // the peer whose allowed IPs match the other's pod, -1 for none
	route       uint32 // the kernel's route to the other's pod
	canaries    uint32
	into, outOf uint32 // what was seen entering the tunnel for the other, and leaving it
	controls    controls
}

// controls says what is known of the controls between a node and another.
type controls uint8

const (
	controlSent    controls = 1 << iota // to the other
	controlLeft                         // for the other, on an outside link
	controlArrived                      // from the other, on an outside link
)

// Carrier returns what should carry a node's traffic, once that was resolved.
func (n *Node) Carrier(family int) *Carrier {
	if at := slot(family); at >= 0 {
		return &n.carriers[at]
	}
	return &Carrier{}
}

// Resolve finds, for all pairs, both ends of the tunnel between their nodes.
// What should carry the traffic is the profile's to say: expected returns a
// carrier's name and endpoint. What did carry it is known by evidence, see
// carriedBy.
func (c *Case) Resolve(expected func(n *Node, family int) Carrier) {
	c.each(func(n *Node) {
		for _, family := range c.Run.Families {
			carrier := expected(n, family)
			carrier.Expected = carrier.Name
			carrier.Name = c.carriedBy(n, carrier.Expected, family)
			carrier.Device, carrier.Link = n.Device(carrier.Name), n.Link(carrier.Name)
			if carrier.Device != nil {
				carrier.key = c.keys.find(carrier.Device.PublicKey)
			}
			n.carriers[slot(family)] = carrier
		}
	})
	ranges := newRanges(&c.prefixes)
	for _, family := range c.Run.Families {
		targets := make([]target, len(c.Nodes))
		workers(len(c.Nodes), func(i int) {
			n := c.Nodes[i]
			ip := n.PodIP(family)
			targets[i] = target{n, ip, c.addresses.find(ip), ranges.bearing(n, family)}
		})
		c.each(func(n *Node) { c.resolve(n, family, targets) })
	}
}

// carriedBy returns the WireGuard link that saw the marked packets of a node:
// the expected one if it saw any, else the one that saw most of them, bare or
// inside an overlay. If none did it is the expected one, whose absence is then
// to be judged.
func (c *Case) carriedBy(n *Node, expected string, family int) string {
	if c.marked(n, expected, family, 1) > 0 {
		return expected
	}
	best, most := expected, uint64(0)
	for _, d := range n.Devices {
		link := n.Link(d.Name)
		if link == nil || link.Role != evidence.RoleWireGuard {
			continue
		}
		seen := c.marked(n, d.Name, family, math.MaxUint64)
		if seen > most || seen == most && seen > 0 && d.Name < best {
			best, most = d.Name, seen
		}
	}
	return best
}

// marked counts the marked packets of pods that a link of the node saw, up to
// enough of them.
func (c *Case) marked(n *Node, link string, family int, enough uint64) (sum uint64) {
	for _, received := range []bool{false, true} {
		for _, number := range n.columns[column{link, received, family}] {
			s := c.seen.value(number)
			sum += uint64(s.UDP) + uint64(s.TCP) + uint64(s.ICMP) + uint64(s.First)
			if sum >= enough {
				return sum
			}
		}
	}
	return sum
}

// at32 returns the number at a place of a row, 0 if there is no row.
func at32(row []uint32, at int) uint32 {
	if row == nil {
		return 0
	}
	return row[at]
}

func (c *Case) controls(n *Node, other int) (known controls) {
	if at32(n.controls, other) > 0 {
		known |= controlSent
	}
	if c.controlled(n.sentControls, other) {
		known |= controlLeft
	}
	if c.controlled(n.receivedControls, other) {
		known |= controlArrived
	}
	return known
}

func (c *Case) controlled(columns [][]uint32, other int) bool {
	return slices.ContainsFunc(columns, func(column []uint32) bool { return c.seen.value(column[other]).Control > 0 })
}

// target is what is the same for all nodes that send to one.
type target struct {
	*Node
	ip      netip.Addr // of its pod
	address uint32     // the same
	bearing []uint32   // lists of allowed IPs that bear on its pods
}

// resolve fills one node's row of one family.
func (c *Case) resolve(n *Node, family int, targets []target) {
	at := slot(family)
	carrier := &n.carriers[at]
	into, outOf := n.columns[column{carrier.Name, false, family}], n.columns[column{carrier.Name, true, family}]
	n.toward[at] = make([]toward, len(c.Nodes))
	device := slices.Index(n.farDevices, carrier.Name)
	byKey := make([]int32, len(c.keys.values)+1)
	holders := newHolders(n, device, len(c.prefixes.values))
	for i := range n.far {
		if int(n.far[i].device) == device {
			byKey[n.far[i].key] = int32(i) + 1
		}
	}
	routes := make([]uint32, len(c.addresses.values)+1)
	for _, a := range n.answers {
		routes[a.to] = a.route
	}
	for i := range targets {
		t, to := toward{far: -1, holder: -1}, &targets[i]
		if i != n.at {
			if key := to.carriers[at].key; key != 0 && carrier.Device != nil {
				t.far = byKey[key] - 1
			}
			t.route = routes[to.address]
			t.canaries, t.into, t.outOf = at32(n.canaries[at].rows, i), at32(into, i), at32(outOf, i)
			t.controls = c.controls(n, i)
			var rivals []int32
			t.holder, rivals = c.holder(&holders, to)
			if rivals != nil {
				if n.rivals == nil {
					n.rivals = map[pair][]int32{}
				}
				n.rivals[pair{n.at, i, family}] = rivals
			}
		}
		n.toward[at][i] = t
	}
}

// trail is a list of links that ciphertext took. A node's first trail is of
// ciphertext that was not captured: it has none.
type trail struct{ links []string }

// trace finds the trails of a node and returns their places, by list of links.
func (c *Case) trace(n *Node) (places map[uint32]uint32) {
	n.trails = []trail{{}}
	places = map[uint32]uint32{0: 0}
	for i := range n.captured {
		list := n.captured[i].links
		if _, known := places[list]; !known {
			places[list] = uint32(len(n.trails))
			n.trails = append(n.trails, trail{c.links.value(list)})
		}
	}
	return places
}

// traceControls finds where the controls of a node and for it were seen:
// columns of its outside links, of both families.
func (n *Node) traceControls() {
	for _, l := range n.Outside() {
		for _, family := range []int{4, 6} {
			if sent := n.columns[column{l.Name, false, family}]; sent != nil {
				n.sentControls = append(n.sentControls, sent)
			}
			if received := n.columns[column{l.Name, true, family}]; received != nil {
				n.receivedControls = append(n.receivedControls, received)
			}
		}
	}
}

func (c *Case) linkList(list []string) uint32 {
	if len(list) == 0 {
		return 0
	}
	b := make([]byte, 0, 64)
	for _, link := range list {
		b = append(append(b, link...), 0)
	}
	return c.links.number(string(b), func() []string { return list })
}
