package verdict

import (
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Carrier is what should carry a node's pod traffic of one family.
type Carrier struct {
	Name     string           // of the WireGuard device, empty if none should
	Endpoint netip.Addr       // where the node says that its tunnel ends
	Device   *evidence.Device // nil if it was not read
	Link     *evidence.Link   // nil if there is none
	key      uint32
}

// toward is where a node's rows hold what is of one other node.
type toward struct {
	far    int32  // the other's key as a peer of the carrier, -1 for none
	holder int32  // the peer whose allowed IPs match the other's pod, -1 for none
	route  uint32 // the kernel's route to the other's pod
}

// Carrier returns what should carry a node's traffic, once that was resolved.
func (n *Node) Carrier(family int) *Carrier {
	if at := slot(family); at >= 0 {
		return &n.carriers[at]
	}
	return &Carrier{}
}

// Resolve finds, for all pairs, both ends of the tunnel between their nodes.
// What should carry the traffic is the profile's to say: expected returns a
// carrier's name and endpoint.
func (c *Case) Resolve(expected func(n *Node, family int) Carrier) {
	c.each(func(n *Node) {
		for _, family := range c.Run.Families {
			carrier := expected(n, family)
			carrier.Device, carrier.Link = n.Device(carrier.Name), n.Link(carrier.Name)
			if carrier.Device != nil {
				carrier.key = c.keys.find(carrier.Device.PublicKey)
			}
			n.carriers[slot(family)] = carrier
		}
	})
	ranges := newRanges(&c.prefixes)
	for _, family := range c.Run.Families {
		// Which lists of allowed IPs bear on which node's pods is the same for all.
		bearing := make([][]uint32, len(c.Nodes))
		workers(len(c.Nodes), func(i int) { bearing[i] = ranges.bearing(c.Nodes[i], family) })
		c.each(func(n *Node) { c.resolve(n, family, bearing) })
	}
	c.each(c.trace)
}

// resolve fills one node's row of one family.
func (c *Case) resolve(n *Node, family int, bearing [][]uint32) {
	at := slot(family)
	carrier := &n.carriers[at]
	n.into[at] = n.columns[column{carrier.Name, false, family}]
	n.outOf[at] = n.columns[column{carrier.Name, true, family}]
	n.toward[at] = make([]toward, len(c.Nodes))
	device := slices.Index(n.farDevices, carrier.Name)
	byKey := make([]int32, len(c.keys.values)+1)
	holders := newHolders(n, device, len(c.prefixes.values))
	for i := range n.far {
		if int(n.far[i].device) == device {
			byKey[n.far[i].key] = int32(i) + 1
		}
	}
	for i, to := range c.Nodes {
		t := toward{far: -1, holder: -1}
		if i != n.at {
			ip := to.PodIP(family)
			if key := to.carriers[at].key; key != 0 && carrier.Device != nil {
				t.far = byKey[key] - 1
			}
			t.route = lookup(n.answers, c.addresses.find(ip))
			var rivals []int32
			t.holder, rivals = c.holder(n, &holders, bearing[i], to, ip)
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

// trail is where the controls of a node and for it were seen, on some links:
// columns of both families, whichever there are.
type trail struct{ sent, received [][]uint32 }

// trace finds the columns of each list of links that ciphertext took, and of
// all outside links, which is list 0.
func (c *Case) trace(n *Node) {
	n.trails = map[uint32]trail{}
	add := func(list uint32, links []string) {
		if _, known := n.trails[list]; known {
			return
		}
		var t trail
		for _, link := range links {
			for _, family := range []int{4, 6} {
				if column := n.columns[column{link, false, family}]; column != nil {
					t.sent = append(t.sent, column)
				}
				if column := n.columns[column{link, true, family}]; column != nil {
					t.received = append(t.received, column)
				}
			}
		}
		n.trails[list] = t
	}
	add(0, n.outsideNames())
	last := uint32(0)
	for i := range n.captured {
		if list := n.captured[i].links; list != last {
			add(list, c.links.value(list))
			last = list
		}
	}
}

func (n *Node) outsideNames() []string {
	var names []string
	for _, l := range n.Outside() {
		names = append(names, l.Name)
	}
	return names
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
