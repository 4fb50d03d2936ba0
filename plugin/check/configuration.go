package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

func (v *view) configured() verdict.Outcome {
	told := 0
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
		told++
		servers[configuration.Backend] = append(servers[configuration.Backend], n.Name)
		if runs := v.Backends[n.Name]; runs != configuration.Backend && runs != "" {
			out := fail("%s last started with the backend %s, but its lease says %s",
				n.Name, configuration.Backend, runs)
			out.Facts = map[string]string{"node": n.Name}
			out.Variant = "unlike"
			return out
		}
	}
	switch {
	case len(servers) > 1:
		var groups []string
		for _, backend := range slices.Sorted(maps.Keys(servers)) {
			groups = append(groups, fmt.Sprintf("%s on %s", backend, list(servers[backend])))
		}
		return fail("the servers are configured with different backends: %s", list(groups))
	case len(ignored) > 0:
		out := warn("the backend is an option of servers; on the agents %s it has no effect", list(ignored))
		out.Variant = "agent"
		return out
	case told == 0:
		return skip("no node says what it was configured with")
	}
	return pass("%s configured and running", slices.Sorted(maps.Keys(servers))[0])
}

// servers is what the servers of a cluster were told of endpoints.
type servers struct{ told, externalIP bool }

// told reads it from all nodes.
func (v *view) told() (all servers) {
	for _, n := range v.Nodes {
		configuration := v.Configured(n)
		all.told = all.told || configuration.Role == "server"
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
	case !v.servers.told:
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
	owner := map[netip.AddrPort]string{}
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
			if other := owner[endpoint]; other != "" && other != n.Name {
				out := fail("%s and %s publish the same endpoint %s", other, n.Name, endpoint)
				out.Facts = map[string]string{"node": n.Name, "peer": other}
				return out
			}
			owner[endpoint] = n.Name
		}
	}
	return pass("%s, all different", plural(uint64(len(owner)), "endpoint"))
}
