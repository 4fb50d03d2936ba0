package report

import "github.com/kubectl-wg/kubectl-wg/plugin/remedy"

// cases say in words when a remedy's variant applies, by code and variant.
var cases = map[string]map[string]string{
	"WG0101": {
		"mixed": "If the nodes run different backends",
		"plain": "If the backend does not encrypt",
	},
	"WG0103": {
		"image":      "If the image could not be pulled",
		"admission":  "If the pods were refused",
		"scheduling": "If the pods could not be scheduled",
		"lost":       "If the connection to a pod was lost",
	},
	"WG0104": {
		"unlike": "If a node runs another backend than it is configured with",
		"agent":  "If the backend is configured on an agent",
	},
	"WG0201": {
		"missing":  "If the device is missing",
		"impostor": "If a link of that name is not WireGuard",
		"port":     "If another device holds its port",
		"down":     "If the device is down",
	},
	"WG0202": {
		"hangs":      "If the program behind a userspace device does not answer",
		"permission": "If the probe lacks a permission",
	},
	"WG0306": {
		"announced": "If the node does not listen on the port that it publishes",
		"port":      "If only the port differs",
	},
	"WG0401": {
		"vxlan":   "If the packets go into an old overlay",
		"refused": "If a route refuses the packets",
		"rule":    "If a policy rule leads past the tunnel",
		"below":   "If the packets do not go into the WireGuard of the machines",
		"none":    "If there is no route into the tunnel",
	},
	"WG0402": {
		"rule":   "If a policy rule leads past the tunnel",
		"before": "If the rule is for more than pods",
		"mark":   "If a rule for marked packets leads past the tunnel",
		"hop":    "If a route has another next hop beside the tunnel",
		"wide":   "If the route past the tunnel is for more than pods",
		"route":  "If a route leads past the tunnel",
	},
	"WG0501": {
		"nftables":  "If an nftables rule drops them",
		"input":     "If the policy of the node's input chain drops them",
		"output":    "If the sending node drops them",
		"handshake": "If they arrive and the receiver does not accept them",
		"clock":     "If the sender's clock was set back",
		"network":   "If the network between the nodes drops them",
	},
	"WG0502": {
		"forward": "If the node's firewall drops forwarded packets",
		"busy":    "If the nodes were too busy to answer in time",
		"answer":  "If only the answers are lost",
	},
	"WG0503": {"fits": "If a smaller size is known to pass"},
	"WG0601": {
		"vxlan":  "If they are in VXLAN",
		"bare":   "If they have no encapsulation",
		"tunnel": "If they take another tunnel",
		"past":   "If the network plugin encrypts",
	},
	"WG0604": {
		"roamed": "If the endpoint changed meanwhile",
		"kept":   "If the control packet did not arrive",
	},
	"WG0611": {
		"xdp":      "If an XDP program is attached",
		"program":  "If a BPF program is attached",
		"redirect": "If a filter redirects packets",
		"link":     "If a link appeared or disappeared",
		"counters": "If a link counted more than was captured",
		"offload":  "If an offload can bypass the captures",
	},
}

// systems are the names of what remedies are for.
var systems = map[string]string{remedy.K3s: "K3s", remedy.RKE2: "RKE2", remedy.Flannel: "Flannel by its own manifest"}
