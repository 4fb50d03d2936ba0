package profile

import (
	"encoding/json"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
)

// k3sConfiguration reads the annotation that K3s writes when it starts: its
// arguments and its configuration file as one list, "--x=y" split in two, the
// values of secrets hidden (k3s pkg/nodeconfig). Only servers name a backend.
func k3sConfiguration(n *graph.Node) Configuration {
	var args []string
	if json.Unmarshal([]byte(n.Annotations["k3s.io/node-args"]), &args) != nil || len(args) == 0 {
		return Configuration{}
	}
	c := Configuration{Role: args[0]}
	custom := false
	for i, arg := range args {
		name, value, inline := strings.Cut(arg, "=")
		if !inline && i+1 < len(args) {
			value = args[i+1]
		}
		switch name {
		case "--flannel-backend":
			c.Backend, c.Explicit = strings.TrimSuffix(value, "-native"), true
		case "--flannel-conf":
			custom = true
		case "--flannel-external-ip":
			c.ExternalIP = value != "false"
		}
	}
	if c.Backend == "" && c.Role == "server" && !custom {
		c.Backend = "vxlan" // the default, docs.k3s.io "Basic network options"
	}
	return c
}
