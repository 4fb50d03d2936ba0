package logs

import (
	"regexp"
	"slices"
	"strings"
)

// Message is a message of a system that is known: what it means and what to do.
type Message struct {
	Form *regexp.Regexp
	Code string // of the check that finds the same, empty if none does
	// Problem says that something is wrong; else it explains what was seen elsewhere.
	Problem bool
	Means   string
	Hint    string // empty where there is nothing to do
}

// Known are the messages that are known, in the order in which they are tried. A form is
// taken from the source that writes it, which its comment names.
var Known = []Message{
	// flannel pkg/backend/wireguard/device.go, with the kernel's EOPNOTSUPP; k3s#11166.
	known(`could not create wireguard interface: operation not supported`, "WG0201",
		"the kernel of this node has no WireGuard",
		"install the module or a newer kernel, then restart flannel (K3s, RKE2); kubectl wg explain WG0201 has the commands"),
	// flannel device.go, with EADDRINUSE of the device's socket.
	known(`failed to set interface \S+ to UP state: address already in use`, "WG0201",
		"another program or device of this node uses the UDP port",
		"find it with: ss -ulnp; then set another ListenPort in flannel's net-conf, or stop the other one"),
	// flannel device.go.
	known(`could not create wireguard interface|failed to set interface \S+ to UP state|failed to configure device`,
		"WG0201",
		"flannel could not make or configure its WireGuard device",
		"see the rest of the message; kubectl wg explain WG0201"),
	known(`could not (?:write key file|parse private key from file|generate private key)`, "WG0301",
		"flannel could not read or write its key file",
		"look at /run/flannel/wgkey on the node; remove it if it is damaged, then restart flannel"),
	known(`could not parse psk`, "WG0201", "the preshared key in flannel's net-conf is not valid",
		"it is 32 bytes in base64: wg genpsk"),
	// flannel wireguard.go.
	known(`no valid Mode configured`, "WG0201",
		"the Mode in flannel's net-conf is not valid",
		"one of: separate, auto, ipv4, ipv6"),
	known(`IPv[46] is enabled but the lease has no IPv[46]`, "WG0801",
		"flannel has an address family that this node has no pod range of",
		"give the node a pod range of both families, or disable one"),
	// flannel wireguard_network.go.
	known(`Ignoring non-wireguard subnet: type=`, "WG0101",
		"another node publishes another backend: there is no tunnel between the two, and no traffic",
		"configure the same backend on all servers and restart the nodes that have the old one"),
	known(`failed to unmarshal BackendData`, "WG0301",
		"another node publishes no valid key",
		"restart flannel on the node that the message names"),
	known(`failed to setup (?:ipv[46] )?peer`, "WG0302",
		"flannel could not add another node as a peer",
		"kubectl wg explain WG0302"),
	known(`failed to (?:add (?:ipv[46] )?route|set up the route)`, "WG0401",
		"the route to the pods of other nodes could not be made", "kubectl wg explain WG0401"),
	note(`"?flannel-wg\S*"? already exists; recreating device`,
		"flannel was restarted: all peers, counters and handshakes of the device began again"),

	// K3s pkg/agent/flannel/setup.go; k3s#6440.
	known(`wireguard backend was deprecated in K3s v1\.26|Cannot configure unknown flannel backend 'wireguard'`, "WG0101",
		"this K3s no longer has the backend wireguard", "--flannel-backend=wireguard-native, on all servers"),
	known(`Flannel is using external addresses with an insecure backend`, "WG0101",
		"pod traffic crosses public addresses unencrypted",
		"--flannel-backend=wireguard-native on all servers, then restart all nodes"),
	known(`flannel-external-ip flag set but this node does not set node-external-ip`, "WG0306",
		"this node publishes an internal address to nodes that may not reach it", "--node-external-ip on this node"),

	// cilium pkg/wireguard/agent/agent.go.
	known(`WireGuard not supported by the Linux kernel`, "WG0201", "the kernel of this node has no WireGuard",
		"install the module or a newer kernel; then restart the cilium pod of the node"),
	known(`detected duplicate public key`, "WG0303", "two nodes have the same key, and one of them gets no tunnel",
		"remove cilium_wg0.key in Cilium's state directory on one of them, and restart its cilium pod"),
	known(`[Ff]ailed to (?:add|configure|obtain) WireGuard device|Failed to set up WireGuard peers`, "WG0201",
		"Cilium could not make or configure its WireGuard device",
		"see the rest of the message; kubectl wg explain WG0201"),
	known(`Failed to remove stale AllowedIPs from WireGuard peer`, "WG0304",
		"a peer keeps addresses that are no longer its own", "restart the cilium pod of the node"),

	// calico felix/wireguard/wireguard.go.
	known(`Wireguard is not supported`, "WG0201",
		"the kernel of this node has no WireGuard, and Calico sends the traffic from and to this node in PLAINTEXT",
		"install the module or a newer kernel; Calico tries again by itself"),
	known(`Unable to create wireguard link`, "WG0201",
		"Calico could not make its WireGuard device",
		"kubectl wg explain WG0201"),
	known(`Public key already associated with a node`, "WG0303",
		"two nodes have the same key, and Calico sends the traffic with both in PLAINTEXT",
		"on one of them delete the device (ip link delete wireguard.cali), and restart its calico-node pod"),
	note(`Public key out of sync or updated`, "Calico has made a new key and publishes it"),
	note(`Waiting for wireguard link to come up`, "Calico waits for its device"),

	// systemd src/shared/module-util.c, and linux kernel/module.
	known(`Failed to find module 'wireguard'`, "WG0201", "the kernel of this node has no module wireguard",
		"install the module or a newer kernel; kubectl wg explain WG0201 has the commands"),
	known(`wireguard: (?:version magic|Unknown symbol|disagrees about version of symbol)`, "WG0201",
		"the module wireguard of this node was built for another kernel",
		"install the module for the kernel that runs, or start the kernel that the module is for"),
	// wireguard-tools src/ipc.h by way of wg-quick, with EPROTONOSUPPORT.
	known(`Unable to access interface: Protocol not supported`, "WG0201",
		"the kernel of this node has no WireGuard, and wg-quick could not make its device",
		"install the module or a newer kernel, then restart the unit that the line is of"),

	// linux drivers/net/wireguard, as a socket's error and in the kernel's log.
	known(`[Rr]equired key not available`, "WG0304",
		"no peer of the device has the address that a packet is for",
		"kubectl wg explain WG0304"),
	known(`Packet has unallowed src IP`, "WG0304",
		"a peer sent a packet from an address that is not among its allowed IPs",
		"kubectl wg explain WG0304"),
}

func known(form, code, means, hint string) Message {
	return Message{Form: regexp.MustCompile(form), Code: code, Problem: true, Means: means, Hint: hint}
}

func note(form, means string) Message { return Message{Form: regexp.MustCompile(form), Means: means} }

// related matches lines that are about WireGuard or about what it depends on.
var related = regexp.MustCompile(`(?i)wire-?guard|\bwg[0-9-]|flannel-wg|cilium_wg|\bwg\b|` +
	`flannel (?:exited|backend)|flannel found podcidr|will be used by flannel|unknown flannel backend|backend type|` +
	`\b5182[01]\b|\b51871\b|required key not available`)

// Words are in lower case; a line that is related has one of them at least, in any case.
// Most lines have none, and are not compared with the forms, which takes long.
var Words = []string{
	"wg", "wireguard", "wire-guard", "flannel", "backend", "key", "psk", "5182", "51871", "failed to set", "failed to add",
	"failed to configure", "no valid mode", "the lease has no", "unable to access interface", "unallowed src",
}

// Related reports whether a line is about WireGuard.
func Related(text string) bool {
	return hasWord(text) && (related.MatchString(text) || find(text) != nil)
}

func hasWord(text string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(Words, func(word string) bool { return strings.Contains(text, word) })
}

// Pattern is a regular expression (RE2) for the lines that are related, of those that have one
// of the Words.
func Pattern() string {
	forms := []string{related.String()}
	for _, message := range Known {
		forms = append(forms, message.Form.String())
	}
	return "(?:" + strings.Join(forms, ")|(?:") + ")"
}

// find returns what is known of a line, nil if nothing is.
func find(text string) *Message {
	if !hasWord(text) {
		return nil
	}
	for i := range Known {
		if Known[i].Form.MatchString(text) {
			return &Known[i]
		}
	}
	return nil
}
