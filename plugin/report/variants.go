package report

import "github.com/kubectl-wg/kubectl-wg/plugin/remedy"

// cases say in words when a remedy's variant applies, by code and variant.
var cases = map[string]map[string]string{
	"WG0101": {
		"mixed":     "If the nodes run different backends",
		"plain":     "If the backend does not encrypt",
		"tun":       "If the packets go into a TUN device",
		"unleased":  "If the network plugin did not start on a node",
		"rangeless": "If a node has no pod range",
	},
	"WG0102": {
		"notready": "If a node is not Ready",
		"old":      "If the node's kernel is too old for WireGuard",
	},
	"WG0103": {
		"image":       "If the image could not be pulled",
		"admission":   "If the pods were refused",
		"webhook":     "If an admission webhook could not be reached",
		"scheduling":  "If the pods could not be scheduled",
		"unreachable": "If the API server cannot reach the kubelet",
		"lost":        "If the connection to a pod was lost",
	},
	"WG0104": {
		"unlike":  "If a node runs another backend than it is configured with",
		"agent":   "If the backend is configured on an agent",
		"unnamed": "If the configuration no longer names the backend that runs",
	},
	"WG0106": {
		"same": "If the address is one that both nodes have",
	},
	"WG0201": {
		"missing":     "If the device is missing",
		"impostor":    "If a link of that name is not WireGuard",
		"port":        "If another device holds its port",
		"down":        "If the device is down",
		"ipv4":        "If the network plugin encrypts IPv6 only",
		"ipv6":        "If the network plugin encrypts IPv4 only",
		"unaddressed": "If the device has no address",
	},
	"WG0202": {
		"hangs":      "If the program behind a userspace device does not answer",
		"permission": "If the probe lacks a permission",
	},
	"WG0306": {
		"announced": "If the node does not listen on the port that it publishes",
		"own":       "If the node takes its own port for the other's",
		"private":   "If the endpoint is a private address behind a gateway",
		"external":  "If the node publishes no external address",
	},
	"WG0401": {
		"vxlan":   "If the packets go into an old overlay",
		"refused": "If a route refuses the packets",
		"rule":    "If a policy rule leads past the tunnel",
		"thrown":  "If a route of type throw keeps them out of the tunnel",
		"below":   "If the packets do not go into the WireGuard of the machines",
		"none":    "If there is no route into the tunnel",
		"program": "If no program of the network is where the packets leave",
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
		"nft-rule":               "If a rule of nftables drops them",
		"nft-policy":             "If the policy of a chain of nftables drops them",
		"iptables-rule":          "If a rule of iptables drops them",
		"iptables-policy":        "If the policy of a chain of iptables drops them",
		"output-nft-rule":        "If a rule of nftables drops them on the sending node",
		"output-nft-policy":      "If the policy of a chain of nftables drops them on the sending node",
		"output-iptables-rule":   "If a rule of iptables drops them on the sending node",
		"output-iptables-policy": "If the policy of a chain of iptables drops them on the sending node",
		"policies":               "If a chain of network policies drops them",
		"tc":                     "If a filter of traffic control drops them",
		"xdp":                    "If an XDP program may drop them",
		"program":                "If a BPF program may drop them",
		"dnat":                   "If they are sent on to another address",
		"reverse-path":           "If the reverse path filter drops them",
		"checksum":               "If their checksums are wrong",
		"doubtful":               "If a rule may drop them, and that is not certain",
		"dropped":                "If what drops them was not found",
		"handshake":              "If the preshared keys do not match",
		"clock":                  "If the sender's clock was set back",
		"source-port":            "If their source port is rewritten",
		"network":                "If the network between the nodes drops them",
		"output":                 "If they do not leave the sending node",
		"loop":                   "If the route to the endpoint leads into the tunnel itself",
		"no-route":               "If there is no route to the endpoint",
		"unreachable":            "If a route refuses the endpoint",
		"vpn":                    "If the route to the endpoint leads into another tunnel",
		"neighbour":              "If the next hop does not answer",
		"own-address":            "If the endpoint is an address of the sending node itself",
	},
	"WG0502": {
		"forward-nft-rule":      "If a rule of nftables drops forwarded packets",
		"forward-iptables-rule": "If a rule of iptables drops forwarded packets",
		"forward-policy":        "If the policy for forwarded packets may drop them",
		"policies":              "If network policies may drop them",
		"doubtful":              "If a rule may drop them, and that is not certain",
		"busy":                  "If the nodes were too busy to answer in time",
		"answer":                "If only the answers are lost",
	},
	"WG0503": {
		"fits":    "If a smaller size is known to pass",
		"between": "If a filter by size is more likely",
	},
	"WG0601": {
		"vxlan":  "If they are in VXLAN",
		"geneve": "If they are in Geneve",
		"bare":   "If they have no encapsulation",
		"tunnel": "If they take another tunnel",
		"past":   "If the network plugin encrypts",
	},
	"WG0602": {
		"inside": "If the tunnel lies inside another one",
	},
	"WG0604": {
		"inside": "If the control packet goes through another tunnel",
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
