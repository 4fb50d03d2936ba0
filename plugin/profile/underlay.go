package profile

import (
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
)

// Overlay is what wraps the pods' packets before a WireGuard below it encrypts
// them.
type Overlay struct {
	// Overhead is how many bytes it adds to a packet of a pod, by the family of
	// its own packets. VXLAN: IP 20 or 40, UDP 8, VXLAN 8, Ethernet 14 (RFC 7348);
	// Geneve without options the same (RFC 8926).
	Overhead map[int]int
}

// overlays are the backends that a WireGuard can be below of.
var overlays = map[string]Overlay{
	"vxlan":   {Overhead: map[int]int{4: 50, 6: 70}},
	"geneve":  {Overhead: map[int]int{4: 50, 6: 70}},
	"host-gw": {},
	// Calico's; IP in IP: IP 20 (RFC 2003).
	"ipip":           {Overhead: map[int]int{4: 20}},
	"unencapsulated": {},
}

// underlay recognises a WireGuard of the machines themselves below a backend
// that does not encrypt, K3s' "--flannel-iface wg0": the addresses where the
// nodes say that they are to be reached are behind a WireGuard device. Its
// endpoints, keys and allowed IPs are then the machines' own affair; what must
// hold is that everything between these addresses goes through it.
func (p *Profile) underlay(g *graph.Graph) {
	overlay, ok := overlays[p.Backend]
	if !ok {
		return
	}
	devices := map[string]int{}
	for _, n := range g.Nodes {
		if device := p.below(g, n); device != "" {
			devices[device]++
		}
	}
	usual := ""
	for device, nodes := range devices {
		if nodes > devices[usual] || nodes == devices[usual] && device < usual {
			usual = device
		}
	}
	if usual == "" {
		return
	}
	p.Below, p.Name, p.Title = &overlay, p.Name+"-over-wireguard", p.Title+", over WireGuard of the machines"
	p.Device = func(n *graph.Node, _ int) string {
		switch device := p.below(g, n); {
		case device != "":
			return device
		case n.Device(usual) != nil: // it is there, and not used
			return usual
		}
		return ""
	}
}

// below returns the WireGuard device through which a node reaches the address
// of some other, empty if there is none.
func (p *Profile) below(g *graph.Graph, n *graph.Node) string {
	if len(n.Devices) == 0 {
		return ""
	}
	for _, other := range g.Nodes {
		for _, family := range []int{4, 6} {
			if route := n.RouteTo(p.Endpoint(other, family)); other != n && route != nil &&
				n.Device(route.Link) != nil {
				return route.Link
			}
		}
	}
	return ""
}
