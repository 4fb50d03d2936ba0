package verdict

import (
	"iter"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Case is a recording laid out for judging: what each node's streams said,
// found by what it is about. It interprets nothing.
//
// What nodes say of each other grows with the square of their number, so it is
// packed: rows by the other node's place, and numbers for what many say alike.
type Case struct {
	Run      evidence.Run
	Cluster  evidence.Cluster
	Nodes    []*Node // the nodes of the run, by index
	Excluded []*evidence.Node
	Problems []evidence.Problem // the plugin's own
	Gap      string             // what the plugin's stream lacks
	Strays   []Leak             // seen in clear, of no pair of the run
	Asked    Asked              // the pairs of the run, by place in Nodes

	done    <-chan struct{} // see NewCaseUntil
	byName  map[string]*Node
	byIndex map[int]*Node
	leaks   map[pair][]Leak
	// sightings are those of the plugin's own stream: it makes none, but
	// whatever says that there was a leak is believed.
	sightings []*evidence.Sighting
	owners    []int32 // by key, the place of the node whose device has it

	keys      numbers[string, string]
	endpoints numbers[netip.AddrPort, netip.AddrPort]
	addresses numbers[netip.Addr, netip.Addr]
	prefixes  numbers[string, []netip.Prefix]
	links     numbers[string, []string]
	routes    numbers[evidence.Route, *evidence.Route]
	canaries  numbers[string, *Canaries]
	shapes    numbers[string, *shape]
	seen      numbers[seen, seen]
}

// pair is an ordered pair of nodes by their places, and a family.
type pair struct{ from, to, family int }

// Leak is a sighting and the name of the node whose capture made it.
type Leak struct {
	*evidence.Sighting
	On string
}

// Node is all that is known of one node of the run.
type Node struct {
	evidence.Node
	ProbeGap string // what the probe's stream lacks or how it contradicts itself, empty if it is sound
	PodGap   string // the same of the pod's stream
	PodIPs   []netip.Addr
	Pods     map[string]*evidence.Pod // by role
	// TriesSeen are the tries that the probe saw in tunnels, Tried what the pod
	// knows of tries.
	TriesSeen []*evidence.TrySeen
	Tried     []*evidence.Tried
	// Newcomer is the new pod that was made here, nil if none was to be.
	Newcomer *evidence.Newcomer

	Hello     evidence.Hello
	Module    *evidence.Module
	Links     []*evidence.Link
	Addresses []*evidence.Address
	Table     []*evidence.Route // routing table entries
	Rules     []*evidence.Rule
	Sockets   []*evidence.Socket
	Devices   []*evidence.Device
	Firewall  []*evidence.Firewall
	Captures  []*evidence.Capture
	Problems  []evidence.Problem // of the probe

	Inventories []*evidence.Inventory
	Diversions  []*evidence.Diversion
	LinkCounts  []*evidence.LinkCount
	LinkEvents  []*evidence.LinkEvent

	// OnWire are the links on which WireGuard messages were seen, with how many
	// frames those of them took at least that were seen on no other link.
	OnWire     map[string]uint64
	PodProblem []evidence.Problem // of the pod

	// What the checks find out of a node once, for all of its pairs: why its
	// captures cannot vouch for what they did not see, and the link on which
	// no control was seen. Empty if all is fine.
	Unsound, Uncontrolled string

	conflicts  conflicts // of its probe and of its pod
	in         *Case
	at         int // place in its Nodes
	sightings  []*evidence.Sighting
	betrayed   bool   // something of what it sent was seen in clear
	far        []far  // sorted by whose peer it is
	wire       []wire // what was captured of each
	farDevices []string
	retired    []uint32                             // keys of peers without allowed IPs
	beside     map[place]*[evidence.Readings]uint64 // bytes that were sent to these
	wide       map[farKey]*evidence.Count
	captured   []captured          // until it is settled
	sessions   []uint32            // receiver indices, see flow
	answers    []answer            // the kernel's routes for addresses, sorted by address
	marked     []answer            // the same with a firewall mark
	columns    map[column][]uint32 // what was seen of whom, by place; see seen
	controls   []uint32            // controls sent, by place
	refused    map[int]string      // why a control was not sent, by place
	canaries   [2]canaries         // by family
	trails     []trail

	sentControls, receivedControls [][]uint32 // columns of outside links

	// By family, of the tunnel that should carry it; see Resolve.
	carriers [2]Carrier
	toward   [2][]toward // by place
	rivals   map[pair][]int32
}

// Leaks returns what was seen in clear of a pair's traffic, by any node.
func (c *Case) Leaks(from, to *Node, family int) []Leak {
	if !from.betrayed {
		return nil
	}
	return c.leaks[pair{from.at, to.at, family}]
}

// Node returns the node of that name, nil if it is not part of the run.
func (c *Case) Node(name string) *Node { return c.byName[name] }

// At returns the node with that index, nil if there is none.
func (c *Case) At(index int) *Node { return c.byIndex[index] }

// slot is the place of a family in what is kept by family, -1 for none.
func slot(family int) int {
	switch family {
	case 4:
		return 0
	case 6:
		return 1
	}
	return -1
}

// Link returns the node's link of that name, nil if there is none.
func (n *Node) Link(name string) *evidence.Link {
	for _, l := range n.Links {
		if l.Name == name {
			return l
		}
	}
	return nil
}

// Device returns the node's WireGuard device of that name, nil if it was not read.
func (n *Node) Device(name string) *evidence.Device {
	for _, d := range n.Devices {
		if d.Name == name {
			return d
		}
	}
	return nil
}

// PodIP returns the test pod's address of that family, the zero Addr if it has
// none.
func (n *Node) PodIP(family int) netip.Addr {
	for _, ip := range n.PodIPs {
		if ip.Is4() == (family == 4) {
			return ip
		}
	}
	return netip.Addr{}
}

// Outside returns the node's links that leave the host and are up.
func (n *Node) Outside() []*evidence.Link {
	var links []*evidence.Link
	for _, l := range n.Links {
		if l.Role == evidence.RoleOutside && l.Up {
			links = append(links, l)
		}
	}
	return links
}

// Capture returns the account of the capture on a link, nil if there was none.
func (n *Node) Capture(link string) *evidence.Capture {
	for _, c := range n.Captures {
		if c.Link == link {
			return c
		}
	}
	return nil
}

// ControlError is why a control for another node was not sent.
func (n *Node) ControlError(to *Node) string { return n.refused[to.at] }

// RouteTo returns the kernel's route to an address, nil if it was not asked.
func (n *Node) RouteTo(to netip.Addr) *evidence.Route {
	return n.in.routes.value(lookup(n.answers, n.in.addresses.find(to)))
}

// Answers returns each address that the node's kernel was asked about and its
// route, in the order of addresses.
func (n *Node) Answers() iter.Seq2[netip.Addr, *evidence.Route] {
	return func(yield func(netip.Addr, *evidence.Route) bool) {
		c := n.in
		sorted := slices.SortedFunc(slices.Values(n.answers), func(a, b answer) int {
			return c.addresses.value(a.to).Compare(c.addresses.value(b.to))
		})
		for _, a := range sorted {
			if !yield(c.addresses.value(a.to), c.routes.value(a.route)) {
				return
			}
		}
	}
}
