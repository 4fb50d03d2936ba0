package printed

import (
	"slices"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	for line, want := range map[string]string{
		"ip link delete {link}":                    "ip|link|delete|{link}",
		"systemctl restart k3s || systemctl x":     "systemctl|restart|k3s;systemctl|x",
		"mkdir -p /etc/a && echo 'b: {c}' >> /e/f": "mkdir|-p|/etc/a;echo|b: {c}|/e/f",
		"kubectl apply -f - <<'EOF'\na: $b\nEOF":   "kubectl|apply|-f|-",
		"nft add rule a b 'ip saddr { 1, 2 } x'":   "nft|add|rule|a|b|ip saddr { 1, 2 } x",
		"echo '{\"a\": 1}' | kubectl create -f -":  `echo|{"a": 1};kubectl|create|-f|-`,
		"a''b": "ab",
	} {
		list, problems := split(line)
		var commands []string
		for _, words := range list {
			commands = append(commands, strings.Join(words, "|"))
		}
		if got := strings.Join(commands, ";"); got != want || len(problems) > 0 {
			t.Errorf("%q: %q %q, want %q", line, got, problems, want)
		}
	}
	for _, line := range []string{
		"a; b", "a | b", "a & b", "a > b", "a < b", "a $(b)", "a `b`", "a $b", "a *", "a ?",
		"a [b]", "a {b,c}", "a {}", "a ~", "a # b", "a \\b",
		"a \"b\"", "a 'b", "a\nb", "a\tb", "a (b)", "a !b",
		"a <<EOF\nb\nEOF", "a <<'EOF'\nb\nEOF\nc", "a 'b\nc'", "a ä",
	} {
		if list, problems := split(line); len(problems) == 0 {
			t.Errorf("%q is taken for %q", line, list)
		}
	}
}

func TestCommand(t *testing.T) {
	for _, command := range []string{
		"ip -4 route flush root 10.42.1.0/24 dev eth0",
		"ip -{ip} route delete {route} dev {link}",
		"ip -4 rule delete priority 50 table 77",
		"ip link delete flannel.1",
		"nft insert rule inet filter input ip saddr 192.0.2.11 udp dport 51820 accept",
		"nft add rule ip filter FORWARD ip saddr 10.42.0.0/24 ip daddr 10.42.1.0/24 accept",
		"{iptables} -I INPUT -s {from} -p udp --dport {port} -j ACCEPT",
		"iptables -D INPUT -s 192.0.2.11 -p udp --dport 51820 -j DROP",
		"ufw allow from 192.0.2.11 to any port 51820 proto udp",
		"firewall-cmd --permanent '--add-rich-rule=rule family=ipv4 source address=192.0.2.11 port port=51820 " +
			"protocol=udp accept'",
		"kubectl -n kube-flannel delete pod -l app=flannel --field-selector spec.nodeName=node-1",
		"rm -f /run/flannel/wgkey",
		"nft insert rule ip filter FORWARD position 7 ip saddr 10.42.0.0/24 ip daddr 10.42.1.0/24 accept",
		"nft insert rule {family} {table} {chain} position {handle} {ip} {end} {address} udp dport {port} accept",
		"iptables -t filter -I FORWARD 3 -s 10.42.0.0/24 -d 10.42.1.0/24 -j ACCEPT",
		"{iptables} -t {table} -I {chain} {number} --{side} {address} -p udp --dport {port} -j ACCEPT",
		"mkdir -p /etc/rancher/k3s && touch /etc/rancher/k3s/config.yaml && " +
			"sed -i '/^flannel-iface:/d' /etc/rancher/k3s/config.yaml",
	} {
		if problems := Command(command); len(problems) > 0 {
			t.Errorf("%q: %q", command, problems)
		}
	}
	for command, want := range map[string]string{
		"ip route flush table 52":                   "flushes more",
		"ip route flush root":                       "flushes more",
		"ip rule flush":                             "flushes more",
		"ip rule delete priority 50":                "deletes a rule",
		"ip -4 route delete default dev eth0":       "default route",
		"ip -4 route flush root 0.0.0.0/0 dev eth0": "default route",
		"ip -6 route delete ::/0 dev eth0":          "default route",
		"ip":                                        "without an object",
		"nft insert rule ip filter FORWARD iifname flannel-wg accept":    "all addresses",
		"nft insert rule ip filter FORWARD ip saddr 10.42.0.0/24 accept": "before the chains",
		"nft insert rule inet filter input udp dport 51820 accept":       "all addresses",
		"nft insert rule inet filter input ip saddr 0.0.0.0/0 accept":    "names all addresses",
		"nft flush ruleset":                                             "something else",
		"nft delete table inet filter":                                  "something else",
		"iptables -I INPUT -p udp --dport 51820 -j ACCEPT":              "all addresses",
		"iptables -D INPUT -p udp --dport 51820 -j DROP":                "all addresses",
		"iptables -I FORWARD -s 10.42.0.0/16 -j ACCEPT":                 "before the chains",
		"iptables -A INPUT -s 0.0.0.0/0 -p udp --dport 51820 -j ACCEPT": "names all addresses",
		"iptables -F":                "something else",
		"iptables -P FORWARD ACCEPT": "something else",
		"ufw allow 51820/udp":        "all addresses",
		"ufw disable":                "switches the firewall off",
		"firewall-cmd --permanent --add-port=51820/udp":          "all addresses",
		"firewall-cmd --zone=trusted --add-interface=flannel-wg": "all addresses",
		"firewall-cmd --zone=trusted --add-source=0.0.0.0/0":     "names all addresses",
		"iptables -I FORWARD 1 -s 10.42.0.0/16 -j ACCEPT":        "before the chains",
		"nft insert rule ip filter FORWARD position 7 accept":    "all addresses",
		"sed -i '/^PermitRootLogin:/d' /etc/ssh/sshd_config":     "removing an option",
		"rm -rf /run/flannel":                                    "removes other files",
		"systemctl stop firewalld":                               "something else",
		"kubectl delete networkpolicy --all":                     "deletes other objects",
		"kubectl delete node node-1":                             "deletes other objects",
		"reboot":                                                 Reboot,
		"curl x":                                                 "no remedy uses",
		"systemctl restart k3s || reboot":                        Reboot,
		"ip link delete $(reboot)":                               "literally",
		"":                                                       "empty",
	} {
		problems := Command(command)
		found := slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, want) })
		if !found {
			t.Errorf("%q: %q, want %q", command, problems, want)
		}
	}
}

func TestText(t *testing.T) {
	for _, text := range []string{
		"with ufw: ufw allow 51820/udp", "firewall-cmd --permanent --add-port=51820/udp",
		"systemctl disable --now firewalld",
		"nft insert rule ip filter FORWARD iifname flannel-wg accept",
		"kubectl delete networkpolicy x", "iptables -P FORWARD ACCEPT",
		"iptables -F", "iptables -I FORWARD -i x", "iptables -I FORWARD", "ufw disable",
	} {
		if len(Text(text)) == 0 {
			t.Errorf("%q is fine", text)
		}
	}
	if problems := Text("look at ufw status and at nft list ruleset"); len(problems) > 0 {
		t.Errorf("%q", problems)
	}
}
