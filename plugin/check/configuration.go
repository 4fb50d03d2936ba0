package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func (v *view) configured() verdict.Outcome {
	known := 0
	var ignored []string
	servers := map[string][]string{}
	for _, n := range v.Nodes {
		configuration := v.Configured(n)
		if configuration.Role == "agent" && configuration.Explicit {
			ignored = append(ignored, n.Name)
		}
		if configuration.Role != "server" || configuration.Backend == "" {
			continue
		}
		known++
		servers[configuration.Backend] = append(servers[configuration.Backend], n.Name)
		if runs := v.Backends[n.Name]; runs != configuration.Backend && runs != "" {
			out := fail("%s last started with the backend %s, but its lease says %s",
				n.Name, configuration.Backend, runs)
			out.Facts = map[string]string{"node": n.Name}
			out.Variant = "unlike"
			if v.Encrypts && runs == v.Backend { // what is configured would end the encryption
				out.Add("; when it starts again it runs %s", configuration.Backend)
				out.Variant = "unnamed"
			}
			return out
		}
	}
	switch {
	case len(servers) > 1:
		out := fail("the servers are configured with different backends: %s", grouped(servers))
		if v.Encrypts {
			out.Variant = "unnamed"
		}
		return out
	case len(ignored) > 0:
		out := warn("the backend is an option of servers, which the configuration of the agents %s contains too: it "+
			"has no effect there, and may stop them when they start again", list(ignored))
		out.Variant = "agent"
		out.Facts = map[string]string{"node": ignored[0]}
		return out
	case known == 0:
		return skip("no node says what it was configured with")
	}
	return pass("%s configured and running", slices.Sorted(maps.Keys(servers))[0])
}

// servers is what the servers of a cluster are configured with for endpoints.
type servers struct{ known, externalIP bool }

// serverConfiguration reads it from all nodes.
func (v *view) serverConfiguration() (all servers) {
	for _, n := range v.Nodes {
		configuration := v.Configured(n)
		all.known = all.known || configuration.Role == "server"
		all.externalIP = all.externalIP || configuration.ExternalIP
	}
	return all
}

func (v *view) overwritten(n *graph.Node) verdict.Outcome {
	overwrite := v.Overwrite(n)
	switch {
	case overwrite.Address == "":
		return skip("%s overwrites no address", n.Name)
	case v.servers.externalIP:
		return pass("%s is published as %s, as the servers' %s asks for", n.Name, overwrite.Address, overwrite.Option)
	case !v.servers.known:
		return skip("no server says what it was configured with")
	}
	out := warn("%s is published as %s by %s, which no server's configuration asks for",
		n.Name, overwrite.Address, overwrite.By)
	out.Facts = map[string]string{"node": n.Name}
	return out
}

func (v *view) endpoints() verdict.Outcome {
	if !v.Encrypts {
		return skip("%s publishes no endpoints", v.Title)
	}
	owners := map[netip.AddrPort][]*graph.Node{}
	for _, n := range v.Nodes {
		for _, family := range []int{4, 6} {
			addr := v.Endpoint(n, family)
			if !addr.IsValid() {
				continue
			}
			port := uint16(0)
			if d := n.Device(v.Device(n, family)); d != nil {
				port = d.Port
			}
			endpoint := netip.AddrPortFrom(addr, port)
			if all := owners[endpoint]; len(all) == 0 || all[len(all)-1] != n {
				owners[endpoint] = append(all, n)
			}
		}
	}
	for _, endpoint := range slices.SortedFunc(maps.Keys(owners), netip.AddrPort.Compare) {
		if nodes := owners[endpoint]; len(nodes) > 1 {
			return v.oneEndpoint(endpoint, nodes)
		}
	}
	return pass("%s, all different", plural(uint64(len(owners)), "endpoint"))
}

// oneEndpoint reports that several nodes publish the same endpoint: the address of a
// NAT before them, or one that each of them has on a card, as machines made from
// one image have.
func (v *view) oneEndpoint(endpoint netip.AddrPort, nodes []*graph.Node) verdict.Outcome {
	first, second := nodes[0], nodes[1]
	names := first.Name + " and " + second.Name
	if more := len(nodes) - 2; more > 0 {
		names = fmt.Sprintf("%s, %s and %s", first.Name, second.Name, plural(uint64(more), "other node"))
	}
	out := fail("%s publish the same endpoint %s", names, endpoint)
	out.Facts = map[string]string{"node": second.Name, "peer": first.Name}
	link := cardOf(first, endpoint.Addr())
	if slices.ContainsFunc(nodes, func(n *graph.Node) bool { return cardOf(n, endpoint.Addr()) == "" }) {
		return out
	}
	out.Variant = "same"
	out.Facts["link"] = link
	out.Add(": each of them has this address, %s has it on %s", first.Name, link)
	if card := v.distinctCard(link, endpoint.Addr()); card != "" {
		address := addressOn(first, card, endpoint.Addr().Is4())
		out.Facts["card"] = card
		out.Facts["address"] = address.String()
		out.Add("; on %s they differ, %s has %s there", card, first.Name, address)
	}
	return out
}

// cardOf is the link that leaves the host and has the address, empty if none has.
func cardOf(n *graph.Node, addr netip.Addr) string {
	for _, a := range n.Addresses {
		if l := n.Link(a.Link); l != nil && l.Role == evidence.RoleOutside && a.Prefix.Addr() == addr {
			return a.Link
		}
	}
	return ""
}

// addressOn is a link's first address of a family that is not link-local, the
// zero Addr if it has none.
func addressOn(n *graph.Node, link string, four bool) netip.Addr {
	for _, a := range n.Addresses {
		if addr := a.Prefix.Addr(); a.Link == link && addr.Is4() == four && !addr.IsLinkLocalUnicast() {
			return addr
		}
	}
	return netip.Addr{}
}

// distinctCard is the name of the only link besides the one with the shared
// address, on which all nodes have addresses of its family, each another; empty if
// there is none or several.
func (v *view) distinctCard(taken string, shared netip.Addr) string {
	only := ""
	for _, l := range v.Nodes[0].Outside() {
		if l.Name == taken {
			continue
		}
		seen := map[netip.Addr]bool{shared: true, {}: true}
		distinct := !slices.ContainsFunc(v.Nodes, func(n *graph.Node) bool {
			addr := addressOn(n, l.Name, shared.Is4())
			known := seen[addr] || cardOf(n, addr) != l.Name
			seen[addr] = true
			return known
		})
		switch {
		case !distinct:
		case only != "":
			return ""
		default:
			only = l.Name
		}
	}
	return only
}
