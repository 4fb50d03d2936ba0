package remedy

import (
	"maps"
	"regexp"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// ruleFacts are those of a rule that drops the tunnel's or the pods' packets.
var ruleFacts = map[string]string{
	"node": "node-2", "peer": "node-1", "port": "51820", "family": "ip", "table": "filter",
	"chain": "INPUT", "handle": "7", "number": "3", "ip": "ip",
	"end": "saddr", "side": "source", "address": "192.0.2.11", "version": "4", "iptables": "iptables-nft",
	"here": "10.42.1.0/24", "there": "10.42.0.0/24",
}

// with returns facts with one of another value, or without it.
func with(facts map[string]string, name, value string) map[string]string {
	facts = maps.Clone(facts)
	facts[name] = value
	if value == "" {
		delete(facts, name)
	}
	return facts
}

// An accept is as narrow as the tunnel needs, and stands directly before the rule
// that drops or behind all rules of a chain.
func TestNarrowAccepts(t *testing.T) {
	output := with(with(with(ruleFacts, "end", "daddr"), "side", "destination"), "chain", "OUTPUT")
	for _, test := range []struct {
		code, variant string
		facts         map[string]string
		want          string
	}{
		{"WG0501", "nft-rule", ruleFacts,
			"nft insert rule ip filter INPUT position 7 ip saddr 192.0.2.11 udp dport 51820 accept"},
		{"WG0501", "nft-policy", ruleFacts, "nft add rule ip filter INPUT ip saddr 192.0.2.11 udp dport 51820 accept"},
		{"WG0501", "iptables-rule", ruleFacts,
			"iptables-nft -t filter -I INPUT 3 --source 192.0.2.11 -p udp --dport 51820 -j ACCEPT"},
		{"WG0501", "iptables-policy", ruleFacts,
			"iptables-nft -t filter -A INPUT --source 192.0.2.11 -p udp --dport 51820 -j ACCEPT"},
		{"WG0501", "output-nft-rule", output,
			"nft insert rule ip filter OUTPUT position 7 ip daddr 192.0.2.11 udp dport 51820 accept"},
		{"WG0501", "output-iptables-policy", output,
			"iptables-nft -t filter -A OUTPUT --destination 192.0.2.11 -p udp --dport 51820 -j ACCEPT"},
		{"WG0501", "firewalld-rule", with(with(ruleFacts, "version", "4"), "link", "eth0"),
			"firewall-cmd --permanent --add-rich-rule='rule family=ipv4 source address=192.0.2.11 port port=51820 " +
				"protocol=udp accept'\nfirewall-cmd --add-rich-rule='rule family=ipv4 source address=192.0.2.11 port " +
				"port=51820 protocol=udp accept'"},
		{"WG0501", "firewalld-rule", with(ruleFacts, "address", ""), ""},
		{"WG0501", "output-firewalld-rule", output, ""},
		{"WG0502", "forward-firewalld-rule", ruleFacts,
			"firewall-cmd --permanent --zone=trusted --add-source=10.42.0.0/24 --add-source=10.42.1.0/24\n" +
				"firewall-cmd --zone=trusted --add-source=10.42.0.0/24 --add-source=10.42.1.0/24"},
		{"WG0502", "forward-firewalld-rule", with(ruleFacts, "there", ""), ""},
		{"WG0502", "unforwarded4", with(ruleFacts, "link", "flannel-wg"),
			"sysctl -w net/ipv4/conf/flannel-wg/forwarding=1"},
		{"WG0502", "unforwarded6", with(ruleFacts, "link", "flannel-wg"), ""},
		{"WG0502", "conntrack", ruleFacts, ""},
		{"WG0501", "nft-rule", with(ruleFacts, "handle", ""), ""},
		{"WG0501", "nft-rule", with(ruleFacts, "address", ""), ""},
		{"WG0501", "iptables-rule", with(ruleFacts, "number", ""), ""},
		{"WG0501", "iptables-rule", with(ruleFacts, "iptables", "reboot;"), ""},
		{"WG0502", "forward-nft-rule", ruleFacts,
			"nft insert rule ip filter INPUT position 7 ip saddr 10.42.0.0/24 ip daddr 10.42.1.0/24 accept\n" +
				"nft insert rule ip filter INPUT position 7 ip saddr 10.42.1.0/24 ip daddr 10.42.0.0/24 accept"},
		{"WG0502", "forward-iptables-rule", ruleFacts,
			"iptables-nft -t filter -I INPUT 3 -s 10.42.0.0/24 -d 10.42.1.0/24 -j ACCEPT\n" +
				"iptables-nft -t filter -I INPUT 3 -s 10.42.1.0/24 -d 10.42.0.0/24 -j ACCEPT"},
		{"WG0502", "forward-nft-rule", with(ruleFacts, "here", ""), ""},
		{"WG0502", "forward-policy", with(ruleFacts, "device", "flannel-wg"), ""},
		{"WG0502", "policies", ruleFacts, ""},
	} {
		hint, ok := For(verdict.Finding{Code: test.code, Variant: test.variant, Facts: test.facts}, "")
		var commands []string
		for _, step := range hint.Steps {
			if step.On != "node-2" {
				t.Errorf("%s %s: on %s", test.code, test.variant, step.On)
			}
			commands = append(commands, step.Command)
		}
		if got := strings.Join(commands, "\n"); !ok || hint.Title == "" || got != test.want {
			t.Errorf("%s %s: %v %q, want %q", test.code, test.variant, ok, got, test.want)
		}
	}
}

// No command of the whole table opens more than one other end needs: every accept
// names an address or a pod range, and none is put at the head of a chain.
func TestNoBlanketAccept(t *testing.T) {
	accepts := regexp.MustCompile(`(?i)\baccept\b|ACCEPT`)
	narrow := regexp.MustCompile(`\{address\}|\{here\}`)
	placed := regexp.MustCompile(
		`position \{handle\}|nft add rule|-I \{chain\} \{number\}|-A \{chain\}|--add-rich-rule=`)
	for _, r := range table {
		for _, step := range r.hint.Steps {
			if accepts.MatchString(step.Command) &&
				(!narrow.MatchString(step.Command) || !placed.MatchString(step.Command)) {
				t.Errorf("%s %s: %s", r.code, r.variant, step.Command)
			}
		}
	}
}
