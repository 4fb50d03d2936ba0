package profile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Encryption is one besides WireGuard's. It is named where it was recognised, and
// nothing of it is proven.
type Encryption struct {
	Name string
	How  string // how it was recognised, a phrase
	// OnWire: its packets were seen on links that leave the hosts, so that it may carry
	// what no WireGuard does.
	OnWire bool
}

// others recognises what else encrypts in the cluster, some pods' traffic or all of it.
func others(g *graph.Graph) (found []Encryption) {
	if e, ok := ipsec(g); ok {
		found = append(found, e)
	}
	if g.Cluster.Objects[ciliumConfig]["enable-ztunnel"] == "true" {
		found = append(found,
			Encryption{Name: "mutual TLS by Cilium's ztunnel", How: "enable-ztunnel in " + ciliumConfig})
	}
	for _, mesh := range meshes {
		if namespaces := g.Cluster.Objects[evidence.MeshesObject][mesh.key]; namespaces != "" {
			found = append(found, Encryption{Name: mesh.name,
				How: fmt.Sprintf("%s on %s of the cluster's namespaces", mesh.key, namespaces)})
		}
	}
	return found
}

// meshes are what namespaces are marked with whose pods a mesh encrypts. Those of
// the run's test pods are not.
var meshes = []struct{ key, name string }{
	{"istio.io/dataplane-mode=ambient", "mutual TLS by Istio's ambient mode (HBONE, TCP port 15008)"},
	{"istio-injection=enabled", "mutual TLS by Istio's sidecars"},
	{"istio.io/rev", "mutual TLS by Istio's sidecars"},
	{"linkerd.io/inject=enabled", "mutual TLS by Linkerd's sidecars"},
	{"io.cilium/mtls-enabled=true", "mutual TLS by Cilium's ztunnel (HBONE, TCP port 15008)"},
}

// ipsec recognises IPsec by the kernels' policies for what leaves the hosts, by frames
// of ESP that left them, and by what the network plugin is configured with.
func ipsec(g *graph.Graph) (Encryption, bool) {
	policies := 0
	frames := uint64(0)
	for _, n := range g.Nodes {
		encrypts := func(d *evidence.Diversion) bool { return d.Effect == evidence.EffectEncrypt }
		if slices.ContainsFunc(n.Diversions, encrypts) {
			policies++
		}
		for _, c := range n.Captures {
			if c.Role == evidence.RoleOutside {
				frames += c.Classes["esp"]
			}
		}
	}
	var how []string
	if policies > 0 {
		how = append(how, fmt.Sprintf("policies of the kernel on %d of %d nodes", policies, len(g.Nodes)))
	}
	if frames > 0 {
		how = append(how, fmt.Sprintf("%d frames of ESP on links that leave the hosts", frames))
	}
	if g.Cluster.Objects[ciliumConfig]["enable-ipsec"] == "true" {
		how = append(how, "enable-ipsec in "+ciliumConfig)
	}
	return Encryption{Name: "IPsec", How: strings.Join(how, ", "), OnWire: frames > 0}, len(how) > 0
}

// ofOthers is what the scope says of other encryption.
func (p *Profile) ofOthers() (lines []Scope) {
	for _, other := range p.Others {
		lines = append(lines, Scope{What: other.Name,
			Why: "recognised by " + other.How + "; it is not WireGuard, and what it encrypts was not examined"})
	}
	return lines
}
