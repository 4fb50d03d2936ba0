package build

import (
	"slices"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// services are kube-proxy and a network policy controller, which only a lab with Network.Services needs.
var services = component{
	name: "services", module: "services", packages: []string{"tool"}, expect: "6 min", ldflags: kubernetesVersionFlags(),
	place: []placement{{"kube-proxy", "bin/kube-proxy"}, {"kube-router", "bin/kube-router"}},
}

// Needs names what a network needs besides what all labs do.
func Needs(network topology.Network) []string {
	needs := []string{network.Backend}
	if network.Services {
		needs = append(needs, services.name)
	}
	return needs
}

// componentsOf are those that every lab needs, and those of Needs.
func componentsOf(needs []string) []component {
	all := slices.Clone(components)
	for _, c := range []component{calico, services} {
		if slices.Contains(needs, c.name) {
			all = append(all, c)
		}
	}
	if slices.ContainsFunc(needs, topology.OfCilium) {
		all = append(all, cilium)
	}
	return all
}
