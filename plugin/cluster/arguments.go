package cluster

import (
	"encoding/json"
	"strings"
)

// keptFlags are the flags of K3s and RKE2 that are kept, each with its value as
// the function returns it (docs.k3s.io/cli/server, agent). Flags without a
// function are switches.
var keptFlags = map[string]func(string) string{
	"--flannel-backend":        flannelBackend,
	"--flannel-conf":           plain,
	"--flannel-cni-conf":       plain,
	"--flannel-iface":          plain,
	"--flannel-external-ip":    nil,
	"--flannel-ipv6-masq":      nil,
	"--node-ip":                plain,
	"--node-external-ip":       plain,
	"--cluster-cidr":           plain,
	"--service-cidr":           plain,
	"--cni":                    plain,
	"--vpn-auth":               vpnName,
	"--vpn-auth-file":          func(string) string { return hidden },
	"--egress-selector-mode":   plain,
	"--disable-network-policy": nil,
	"--disable-kube-proxy":     nil,
}

// arguments returns what is kept of an annotation node-args: the role, and the
// flags that configure the nodes' network. Everything else is dropped, and so is
// a secret, whatever flag it follows. Text that is not a JSON list is dropped.
func arguments(text string) string {
	var list []string
	if json.Unmarshal([]byte(text), &list) != nil {
		return ""
	}
	kept := []string{}
	for i, argument := range list {
		if i == 0 && (argument == "server" || argument == "agent") {
			kept = append(kept, argument)
			continue
		}
		name, value, inline := strings.Cut(argument, "=")
		clean, ok := keptFlags[name]
		if !ok {
			continue
		}
		if !inline && i+1 < len(list) && !strings.HasPrefix(list[i+1], "-") {
			value = list[i+1]
		}
		kept = append(kept, flagAndValue(name, value, clean)...)
	}
	encoded, _ := json.Marshal(kept) // a list of strings can be written
	return string(encoded)
}

// flagAndValue returns a flag and its value as K3s writes them, as two elements.
func flagAndValue(name, value string, clean func(string) string) []string {
	switch {
	case clean != nil:
		return []string{name, clean(value)}
	case value == "true" || value == "false":
		return []string{name, value}
	}
	return []string{name}
}

// vpnName returns the name of an overlay from a text that also contains its
// credentials: name=tailscale,joinKey=….
func vpnName(value string) string {
	for part := range strings.SplitSeq(value, ",") {
		if name, ok := strings.CutPrefix(strings.TrimSpace(part), "name="); ok {
			return "name=" + name + "," + hidden
		}
	}
	return hidden
}

// flannelBackend returns a backend and those of its options that are not
// secret: wireguard-native=Mode=auto,PersistentKeepaliveInterval=25.
func flannelBackend(value string) string {
	name, options, given := strings.Cut(value, "=")
	if !given {
		return name
	}
	var kept []string
	for option := range strings.SplitSeq(options, ",") {
		key, _, _ := strings.Cut(option, "=")
		if key == "Mode" || key == "PersistentKeepaliveInterval" {
			kept = append(kept, option)
		}
	}
	if kept == nil {
		return name
	}
	return name + "=" + strings.Join(kept, ",")
}
