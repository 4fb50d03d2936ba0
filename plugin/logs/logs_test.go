package logs

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/golden"
)

// Each known message, as its program writes it, is found and has a code that exists.
func TestKnown(t *testing.T) {
	seen := map[*Message]bool{}
	for _, row := range []struct{ text, code string }{
		{"E1127 main.go:359] Failed to initialize backend: could not create wireguard interface: operation not supported", "WG0201"},
		{`level=fatal msg="flannel exited: failed to register flannel network: could not create wireguard interface: operation not supported"`, "WG0201"},
		{"failed to set interface flannel-wg to UP state: address already in use", "WG0201"},
		{"could not create wireguard interface: permission denied", "WG0201"},
		{"could not parse private key from file: wgtypes: incorrect key size: 3", "WG0301"},
		{"could not parse psk: illegal base64 data", "WG0201"},
		{"no valid Mode configured", "WG0201"},
		{"failed to configure wg interface: IPv6 is enabled but the lease has no IPv6", "WG0801"},
		{"W1127 wireguard_network.go:137] Ignoring non-wireguard subnet: type=vxlan", "WG0101"},
		{"E1127 wireguard_network.go:146] failed to unmarshal BackendData: unexpected end of JSON input", "WG0301"},
		{"failed to setup ipv4 peer (xyz=): failed to parse publicKey", "WG0302"},
		{"failed to add ipv6 route to (fd42::/56): file exists", "WG0401"},
		{`W1127 device.go:194] "flannel-wg" already exists; recreating device`, ""},
		{`level=fatal msg="The wireguard backend was deprecated in K3s v1.26, please switch to wireguard-native."`, "WG0101"},
		{"Flannel is using external addresses with an insecure backend: vxlan. Please consider using an encrypting flannel backend.", "WG0101"},
		{"Server has flannel-external-ip flag set but this node does not set node-external-ip.", "WG0306"},
		{"WireGuard not supported by the Linux kernel (netlink: operation not supported). Please upgrade your kernel", "WG0201"},
		{`detected duplicate public key. node "b" uses same key as existing node "a"`, "WG0303"},
		{"Failed to set up WireGuard peers", "WG0201"},
		{"2026-11-27 [INFO][55] felix/wireguard.go 610: Wireguard is not supported ipVersion=0x4", "WG0201"},
		{"felix/wireguard.go: Unable to create wireguard link, retrying...", "WG0201"},
		{"felix/wireguard.go: Public key already associated with a node", "WG0303"},
		{"Failed to remove stale AllowedIPs from WireGuard peer", "WG0304"},
		{"felix/wireguard.go: Waiting for wireguard link to come up...", ""},
		{"felix/wireguard.go: Public key out of sync or updated", ""},
		{"Failed to find module 'wireguard'", "WG0201"},
		{"wireguard: version magic '5.10.0-1 SMP' should be '5.10.0-2 SMP'", "WG0201"},
		{"wireguard: Unknown symbol udp_tunnel6_xmit_skb (err -2)", "WG0201"},
		{"Unable to access interface: Protocol not supported", "WG0201"},
		{"sendmsg: Required key not available", "WG0304"},
		{"wireguard: flannel-wg: Packet has unallowed src IP (10.42.1.3) from peer 2", "WG0304"},
	} {
		found := find(row.text)
		if found != nil {
			seen[found] = true
		}
		if !regexp.MustCompile(Pattern()).MatchString(row.text) {
			t.Errorf("%s: is not matched by the pattern", row.text)
		}
		if found == nil || found.Code != row.code || found.Problem != (row.code != "") || !Related(row.text) {
			t.Errorf("%s: %+v, want %s", row.text, found, row.code)
		}
	}
	for i, message := range Known {
		if !seen[&Known[i]] {
			t.Errorf("%s: no line of the table has it", message.Form)
		}
		if message.Means == "" || message.Problem != (message.Hint != "") {
			t.Errorf("%s: a problem has a hint, and others have none", message.Form)
		}
	}
}

func TestRelated(t *testing.T) {
	for text, want := range map[string]bool{
		"Starting flannel with backend wireguard-native": true, "Subnet added: 10.42.1.0/24 via 192.0.2.2:51820": true,
		"dev wg0 is up": true, "Running flannel backend.": true,
		"Synced iptables rules": false, "swgr reloaded": false, "Trace[51820001]: done": false,
	} {
		if Related(text) != want || regexp.MustCompile(Pattern()).MatchString(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

func TestParse(t *testing.T) {
	line := Parse("n1", "flannel", "2026-11-27T21:00:00.123456789Z a message of wireguard")
	if line.Time.Nanosecond() != 123456789 || line.Text != "a message of wireguard" || line.Known != nil {
		t.Errorf("%+v", line)
	}
	if line := Parse("n1", "flannel", "no time"); !line.Time.IsZero() || line.Text != "no time" {
		t.Errorf("%+v", line)
	}
	if line := Parse("n1", "flannel", strings.Repeat("x", 1<<20)); len(line.Text) > maxText+8 {
		t.Errorf("%d bytes", len(line.Text))
	}
}

func TestWriter(t *testing.T) {
	var lines []Line
	for _, row := range []struct{ node, raw string }{
		{"n2", "2026-11-27T21:00:02Z Ignoring non-wireguard subnet: type=vxlan"},
		{"n1", "2026-11-27T21:00:01Z Starting flannel with backend wireguard-native"},
		{"n1", "2026-11-27T21:00:03Z could not create wireguard interface: operation not supported"},
		{"n1", `2026-11-27T21:00:02Z "flannel-wg" already exists; recreating device`},
		{"n1", "2026-11-27T21:00:09Z could not create wireguard interface: operation not supported"},
		{"n3", "wireguard, at no time"},
	} {
		lines = append(lines, Parse(row.node, "kube-flannel-x", row.raw))
	}
	Sort(lines)
	var out bytes.Buffer
	w := Writer{To: &out, Show: strings.ToUpper}
	if err := w.Findings(Findings(lines)); err != nil {
		t.Fatal(err)
	}
	for i, line := range lines {
		if err := w.Line(line, i == len(lines)-1); err != nil {
			t.Fatal(err)
		}
	}
	golden.Compare(t, "lines.golden", out.Bytes())
}
