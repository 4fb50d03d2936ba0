package profile

import (
	"encoding/json"
	"iter"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
)

// k3sConfiguration reads the annotation that K3s writes when it starts: its
// arguments and its configuration file as one list, "--x=y" split in two, the
// values of secrets hidden (k3s pkg/nodeconfig). Only servers name a backend.
func k3sConfiguration(n *graph.Node) Configuration {
	args := k3sArguments(n)
	if len(args) == 0 {
		return Configuration{}
	}
	c := Configuration{Role: args[0]}
	custom, vpn := false, false
	for name, value := range flags(args) {
		switch name {
		case "--flannel-backend":
			c.Backend = k3sBackend(n, value)
			c.Explicit = true
		case "--flannel-conf":
			custom = true
		case "--flannel-external-ip":
			c.ExternalIP = value != "false"
		case "--vpn-auth", "--vpn-auth-file":
			vpn = true
		}
	}
	switch {
	case c.Role != "server":
	case vpn: // it takes the place of whatever backend is named
		c.Backend = extension
	case !c.Explicit && !custom:
		c.Backend = "vxlan" // the default, docs.k3s.io "Basic network options"
	}
	return c
}

// k3sBackend is the backend that a value of --flannel-backend makes Flannel run:
// without options, which releases of 2022 took behind an equals sign. "none"
// leaves Flannel to others, whose configuration this is not.
func k3sBackend(n *graph.Node, value string) string {
	name, _, _ := strings.Cut(value, "=")
	switch {
	case name == "none":
		return ""
	case name == "wireguard" && n.Annotations[flannelPrefix+"backend-type"] == extension:
		return extension // a script of K3s until v1.26, not Flannel's own backend
	}
	return strings.TrimSuffix(name, "-native")
}

// k3sWithoutFlannel reports whether K3s on a node was configured not to run Flannel.
func k3sWithoutFlannel(n *graph.Node) bool {
	for name, value := range flags(k3sArguments(n)) {
		if name == "--flannel-backend" && value == "none" {
			return true
		}
	}
	return false
}

// k3sUnit names the systemd unit of a node: servers and agents have different
// ones (k3s install.sh). The role is what the node wrote when it started, else
// a label that every server has.
func k3sUnit(g *graph.Graph) func(*graph.Node) string {
	server := func(n *graph.Node) bool {
		_, apart := n.Labels["node-role.kubernetes.io/etcd"] // a server that only keeps the data
		_, plain := n.Labels["node-role.kubernetes.io/control-plane"]
		return plain || apart
	}
	labelled := slices.ContainsFunc(g.Nodes, server)
	return func(n *graph.Node) string {
		role := ""
		if args := k3sArguments(n); len(args) > 0 {
			role = args[0]
		}
		switch {
		case role == "server", role == "" && server(n):
			return "k3s"
		case role == "agent", role == "" && labelled:
			return "k3s-agent"
		}
		return ""
	}
}

// k3sArguments are what K3s on a node was last started with, the role first.
func k3sArguments(n *graph.Node) (args []string) {
	_ = json.Unmarshal([]byte(n.Annotations["k3s.io/node-args"]), &args) // what cannot be read says nothing
	return args
}

// flags are the flags among arguments, each with its value.
func flags(args []string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i, arg := range args {
			name, value, inline := strings.Cut(arg, "=")
			if !inline && i+1 < len(args) {
				value = args[i+1]
			}
			if strings.HasPrefix(name, "-") && !yield(name, value) {
				return
			}
		}
	}
}
