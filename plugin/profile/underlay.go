package profile

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Overlay is what wraps the pods' packets before a WireGuard below it encrypts
// them.
type Overlay struct {
	// Overhead is how many bytes it adds to a packet of a pod, by the family of
	// its own packets. VXLAN: IP 20 or 40, UDP 8, VXLAN 8, Ethernet 14 (RFC 7348);
	// Geneve without options the same (RFC 8926).
	Overhead map[int]int
	// Ports are the UDP ports that it sends to, nil if it sends other packets, or that
	// is not known. VXLAN: Linux's and IANA's.
	Ports []uint16
	// Unknown: what wraps them is not known, or whether anything does.
	Unknown bool
	// Device is the name that the WireGuard below has on most nodes.
	Device string
	// Marked: a firewall mark leads what is for the other nodes into it, and no
	// route without one.
	Marked bool
	// Chains begin the names of the chains that set it. What they accept before they
	// mark is known: the WireGuard's own datagrams.
	Chains string
}

// Bare reports whether pods' packets are known to enter the WireGuard as they are.
func (o *Overlay) Bare() bool { return len(o.Overhead) == 0 && !o.Unknown }

// overlays are the backends that a WireGuard can be below of.
var overlays = map[string]Overlay{
	"vxlan":          {Overhead: map[int]int{4: 50, 6: 70}, Ports: []uint16{8472, 4789}},
	"geneve":         {Overhead: map[int]int{4: 50, 6: 70}, Ports: []uint16{6081}},
	"ipip":           {Overhead: map[int]int{4: 20, 6: 40}}, // IP in IP: RFC 2003
	"host-gw":        {},
	"unencapsulated": {}, // Calico's
}

// machines is a WireGuard below the network plugin.
type machines struct {
	name, title string
	runsAs      string // see Profile.RunsAs; that of the network plugin if empty
	recognised  string
	device      func(n *graph.Node) string // "" if a node has none
	published   func(n *graph.Node, family int) string
	usual       string // the name that it has on most nodes
	marked      bool   // see Overlay
	chains      string // see Overlay
	unknown     bool   // see Overlay
	scope       []Scope
}

// underlay recognises a WireGuard of the machines themselves below a network
// plugin that does not encrypt, as K3s' "--flannel-iface wg0": the addresses where
// the nodes are to be reached are behind a WireGuard device. Its endpoints, keys
// and allowed IPs are then the machines' own affair; what must hold is that
// everything between these addresses goes through it.
func (p *Profile) underlay(g *graph.Graph) {
	if p.Encrypts || p.Delegates || p.Below != nil {
		return
	}
	below, ok := kubespan(g)
	if !ok {
		below, ok = p.routedBelow(g)
	}
	if !ok {
		return
	}
	overlay, known := overlays[p.Backend]
	overlay.Unknown = !known || below.unknown
	overlay.Device = below.usual
	overlay.Marked = below.marked
	overlay.Chains = below.chains
	p.Below = &overlay
	p.Name += "-over-" + below.name
	p.Title += ", over " + below.title
	p.Endpoint = p.OverlayEnd()
	p.Device = func(n *graph.Node, _ int) string { return below.device(n) }
	if below.runsAs != "" {
		p.RunsAs = below.runsAs
	}
	if below.published != nil {
		p.Published = below.published
	}
	if below.recognised != "" {
		p.Recognised = append(p.Recognised, below.recognised)
	}
	p.Scope = append(below.scope, p.Scope...)
}

// OverlayEnd returns where a network plugin that does not encrypt sends what is for
// a node: where that says, else to the node's own address.
func (p *Profile) OverlayEnd() func(*graph.Node, int) netip.Addr {
	says := p.Endpoint
	return func(n *graph.Node, family int) netip.Addr {
		if addr := says(n, family); addr.IsValid() {
			return addr
		}
		return internalIP(n, family)
	}
}

// routedBelow finds the WireGuard devices that the kernels' routes to the other nodes
// lead into. Where it is not known how the network plugin sends to them, all of
// these routes must.
func (p *Profile) routedBelow(g *graph.Graph) (machines, bool) {
	end := p.OverlayEnd()
	ends := make(map[*graph.Node][]netip.Addr, len(g.Nodes))
	for _, n := range g.Nodes {
		ends[n] = []netip.Addr{end(n, 4), end(n, 6)}
	}
	devices := map[string]int{}
	used := map[*graph.Node]string{} // what would otherwise be looked for once for each pair
	for _, n := range g.Nodes {
		device, all := below(g, n, ends)
		if p.Backend == "" && !all {
			return machines{}, false
		}
		if used[n] = device; device != "" {
			devices[device]++
		}
	}
	usual := ""
	for device, nodes := range devices {
		if nodes > devices[usual] || nodes == devices[usual] && device < usual {
			usual = device
		}
	}
	return machines{
		name: "wireguard", title: "WireGuard of the machines", usual: usual,
		device: func(n *graph.Node) string {
			switch {
			case used[n] != "":
				return used[n]
			case n.Device(usual) != nil: // it is there, and not used
				return usual
			}
			return ""
		},
	}, usual != ""
}

// below returns the WireGuard device through which a node reaches the address
// of some other, empty if there is none, and whether it reaches all others so that
// its kernel was asked for.
func below(g *graph.Graph, n *graph.Node, ends map[*graph.Node][]netip.Addr) (device string, all bool) {
	if len(n.Devices) == 0 {
		return "", false
	}
	asked, reached := 0, 0
	for _, other := range g.Nodes {
		for _, address := range ends[other] {
			route := n.RouteTo(address)
			if other == n || route == nil {
				continue
			}
			asked++
			if n.Device(route.Link) == nil {
				continue
			}
			reached++
			device = cmp.Or(device, route.Link)
		}
	}
	return device, reached > 0 && reached == asked
}

// internalIP is a node's own address of a family, as the API has it.
func internalIP(n *graph.Node, family int) netip.Addr {
	for _, a := range n.Node.Addresses {
		if addr, err := netip.ParseAddr(a.Addr); err == nil && a.Type == "InternalIP" && addr.Is4() == (family == 4) {
			return addr
		}
	}
	return netip.Addr{}
}

// holder names the device of a node that has a public key, "" if none has.
func holder(n *graph.Node, key string) string {
	for _, d := range n.Devices {
		if d.PublicKey == key && key != "" {
			return d.Name
		}
	}
	return ""
}

// inside names the tunnel of the machines into which the network plugin's own
// WireGuard sends its messages, if there is one. Either of the two encrypts.
func (p *Profile) inside(g *graph.Graph) {
	if !p.Encrypts {
		return
	}
	nodes := map[string]int{}
	for _, n := range g.Nodes {
		for _, l := range n.Links {
			if (l.Role == evidence.RoleWireGuard || evidence.OtherTunnel(l)) && n.SendsInto(l.Name) {
				nodes[l.Name]++
			}
		}
	}
	if len(nodes) == 0 {
		return
	}
	outer := slices.MaxFunc(slices.Sorted(maps.Keys(nodes)), func(a, b string) int { return nodes[a] - nodes[b] })
	p.Title += ", inside of " + outer
	p.Recognised = append(p.Recognised, fmt.Sprintf("peers reached through %s on %d of %d nodes", outer, nodes[outer],
		len(g.Nodes)))
}
