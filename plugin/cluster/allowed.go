package cluster

import (
	"encoding/json"
	"slices"
	"strings"
)

// What is kept of other people's objects is listed here, field by field.
// Everything else is dropped: it does not describe the nodes' network, and it may
// be a secret, now or in a later version.

// keptLabels are the node labels that are kept.
var keptLabels = []string{
	"kubernetes.io/os", "kubernetes.io/arch", "kubernetes.io/hostname",
	"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master",
	"node-role.kubernetes.io/etcd", "node-role.kubernetes.io/worker",
	"node.kubernetes.io/instance-type", "topology.kubernetes.io/region", "topology.kubernetes.io/zone",
	"egress.k3s.io/cluster", "microk8s.io/cluster", "submariner.io/gateway",
	"eks.amazonaws.com/compute-type", "eks.amazonaws.com/nodegroup",
	"cloud.google.com/gke-os-distribution", "kubernetes.azure.com/os-sku",
	"node.openshift.io/os_id",
}

// keptAnnotations are the node annotations that are kept, each as its function
// returns it.
var keptAnnotations = map[string]func(string) string{
	"flannel.alpha.coreos.com/backend-type":          plain,
	"flannel.alpha.coreos.com/backend-data":          lease,
	"flannel.alpha.coreos.com/backend-v6-data":       lease,
	"flannel.alpha.coreos.com/public-ip":             plain,
	"flannel.alpha.coreos.com/public-ipv6":           plain,
	"flannel.alpha.coreos.com/public-ip-overwrite":   plain,
	"flannel.alpha.coreos.com/public-ipv6-overwrite": plain,
	"flannel.alpha.coreos.com/kube-subnet-manager":   plain,

	"k3s.io/node-args": arguments, "k3s.io/internal-ip": plain, "k3s.io/external-ip": plain,
	"rke2.io/node-args": arguments, "rke2.io/internal-ip": plain, "rke2.io/external-ip": plain,
	"alpha.kubernetes.io/provided-node-ip": plain,

	"projectcalico.org/IPv4Address":                plain,
	"projectcalico.org/IPv6Address":                plain,
	"projectcalico.org/IPv4IPIPTunnelAddr":         plain,
	"projectcalico.org/IPv4VXLANTunnelAddr":        plain,
	"projectcalico.org/IPv6VXLANTunnelAddr":        plain,
	"projectcalico.org/IPv4WireguardInterfaceAddr": plain,
	"projectcalico.org/IPv6WireguardInterfaceAddr": plain,
	"projectcalico.org/WireguardPublicKey":         plain,
	"projectcalico.org/WireguardPublicKeyV6":       plain,

	"network.cilium.io/wg-pub-key":       plain,
	"network.cilium.io/ipv4-pod-cidr":    plain,
	"network.cilium.io/ipv6-pod-cidr":    plain,
	"network.cilium.io/ipv4-cilium-host": plain,
	"network.cilium.io/ipv6-cilium-host": plain,
	"io.cilium.network.wg-pub-key":       plain,
	"io.cilium.network.ipv4-pod-cidr":    plain,
	"io.cilium.network.ipv6-pod-cidr":    plain,
	"io.cilium.network.ipv4-cilium-host": plain,
	"io.cilium.network.ipv6-cilium-host": plain,

	"kilo.squat.ai/key":                  plain, // the public one
	"kilo.squat.ai/endpoint":             plain,
	"kilo.squat.ai/force-endpoint":       plain,
	"kilo.squat.ai/internal-ip":          plain,
	"kilo.squat.ai/force-internal-ip":    plain,
	"kilo.squat.ai/wireguard-ip":         plain,
	"kilo.squat.ai/allowed-location-ips": plain,
	"kilo.squat.ai/location":             plain,
	"kilo.squat.ai/leader":               plain,
	"kilo.squat.ai/granularity":          plain,
	"kilo.squat.ai/persistent-keepalive": plain,

	"node.antrea.io/wireguard-public-key": plain,
	"node.antrea.io/mac-address":          plain,
	"node.antrea.io/transport-addresses":  plain,

	"networking.talos.dev/assigned-prefixes":   plain,
	"networking.talos.dev/self-ips":            plain,
	"networking.talos.dev/kubespan-ip":         plain,
	"networking.talos.dev/kubespan-public-key": plain,
}

func plain(value string) string { return strings.TrimSpace(value) }

// leaseFields are what flannel's backends publish of a node that is not secret
// (flannel pkg/backend/wireguard, vxlan).
var leaseFields = []string{"PublicKey", "Port", "VNI", "VtepMAC"}

func lease(value string) string { return fields(value, leaseFields) }

// fields returns those fields of a JSON object that are allowed and have a single
// value, empty if there are none.
func fields(text string, allowed []string) string {
	kept := pick(text, allowed)
	if len(kept) == 0 {
		return ""
	}
	encoded, _ := json.Marshal(kept) // read from JSON, so it can be written
	return string(encoded)
}

// pick reads the allowed fields of a JSON object. As in Go's decoder, the case of
// names does not matter.
func pick(text string, allowed []string) map[string]any {
	var object map[string]any
	if json.Unmarshal([]byte(text), &object) != nil {
		return nil
	}
	kept := map[string]any{}
	for name, value := range object {
		at := slices.IndexFunc(allowed, func(one string) bool { return strings.EqualFold(one, name) })
		if at >= 0 && single(value) {
			kept[allowed[at]] = value
		}
	}
	return kept
}

func single(value any) bool {
	switch value.(type) {
	case string, float64, bool:
		return true
	}
	return false
}

// networkFields and backendFields are what is kept of flannel's net-conf.json
// (flannel Documentation/configuration.md, backends.md).
var (
	networkFields = []string{
		"Network", "IPv6Network", "EnableIPv4", "EnableIPv6", "EnableNFTables", "SubnetLen", "IPv6SubnetLen",
	}
	backendFields = []string{
		"Type", "ListenPort", "ListenPortV6", "MTU", "Mode", "PersistentKeepaliveInterval",
		"VNI", "Port", "DirectRouting", "GBP",
	}
)

// netConf returns what is kept of a net-conf.json. Of a preshared key that is
// only its presence.
func netConf(text string) string {
	var object map[string]any
	if json.Unmarshal([]byte(text), &object) != nil {
		return ""
	}
	kept := pick(text, networkFields)
	for name, value := range object {
		if strings.EqualFold(name, "Backend") {
			kept["Backend"] = backend(value)
		}
	}
	encoded, _ := json.Marshal(kept) // read from JSON, so it can be written
	return string(encoded)
}

func backend(value any) map[string]any {
	text, _ := json.Marshal(value) // read from JSON, so it can be written
	kept := pick(string(text), backendFields)
	psk := pick(string(text), []string{"PSK"})["PSK"]
	if psk != nil && psk != "" {
		kept["PSK"] = "(preshared key set)"
	}
	return kept
}
