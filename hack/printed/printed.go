// Package printed judges the commands and texts of remedies, for tests: whether
// they are safe to paste into a shell, and whether they open or take away more
// than the one tunnel needs. It runs nothing and knows no remedy.
package printed

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Command returns what is wrong with a command, nothing if it is safe to paste.
// A {name} in it stands for one fact.
func Command(command string) []string {
	list, problems := split(command)
	for _, words := range list {
		problems = append(problems, judge(words)...)
	}
	return append(problems, Text(command)...)
}

// programs are those that a remedy may call. Another one is read by a reviewer first.
var programs = map[string]func(words []string) []string{
	"echo": nil, "mkdir": nil, "touch": nil, "modprobe": nil, "ethtool": nil, "sed": sed,
	"ip": ip, "nft": nft, "iptables": iptables, "ip6tables": iptables, "{iptables}": iptables,
	"iptables-legacy": iptables, "ip6tables-legacy": iptables, "iptables-nft": iptables, "ip6tables-nft": iptables,
	"ufw": ufw, "firewall-cmd": firewalld, "rm": remove, "systemctl": systemctl, "sysctl": sysctl,
	"kubectl": kubectl, "reboot": func([]string) []string { return []string{Reboot} },
}

// Reboot is the problem of a command that restarts a node: only a change of the
// backend is a reason.
const Reboot = "it reboots the node"

func judge(words []string) []string {
	if len(words) == 0 {
		return []string{"an empty command"}
	}
	judges, known := programs[words[0]]
	switch {
	case !known:
		return []string{fmt.Sprintf("no remedy uses the program %q yet", words[0])}
	case judges == nil:
		return nil
	}
	return judges(words[1:])
}

// ip must not touch a default route, nor more routes than those of one range.
func ip(words []string) (problems []string) {
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		words = words[1:]
	}
	if len(words) < 2 {
		return []string{"ip without an object and a command"}
	}
	object, verb, rest := words[0], words[1], words[2:]
	if verb == "flush" && (object != "route" || len(rest) < 2 || rest[0] != "root") {
		problems = append(problems, "it flushes more than the routes within one range")
	}
	if object == "rule" && strings.HasPrefix(verb, "del") && (len(rest) < 4 || rest[0] != "priority") {
		problems = append(problems, "it deletes a rule by less than its priority and table")
	}
	for _, word := range rest {
		if object == "route" && (word == "default" || strings.HasSuffix(word, "/0")) {
			problems = append(problems, "it changes the default route")
		}
	}
	return problems
}

// nft may add a rule for addresses, and must not empty or remove anything. At the
// head of a chain that forwards it would come before the chains of NetworkPolicies;
// at the position of another rule it does not.
func nft(words []string) (problems []string) {
	if len(words) < 5 || words[0] != "add" && words[0] != "insert" || words[1] != "rule" {
		return []string{"nft does something else than adding a rule"}
	}
	if slices.Contains(words, "accept") && !slices.ContainsFunc(words, func(word string) bool {
		return word == "saddr" || word == "daddr" || word == "{end}"
	}) {
		problems = append(problems, "it accepts packets of all addresses")
	}
	if words[0] == "insert" && strings.EqualFold(words[4], "forward") && (len(words) < 6 || words[5] != "position") {
		problems = append(problems, "it comes before the chains of NetworkPolicies in FORWARD")
	}
	return append(problems, everyone(words)...)
}

// iptables: likewise. To delete another's drop opens as much as an accept does.
func iptables(words []string) (problems []string) {
	var verb, chain, number, target string
	addressed := false
	next := func(i int) string {
		if i < len(words) && !strings.HasPrefix(words[i], "-") {
			return words[i]
		}
		return ""
	}
	for i, word := range words {
		switch word {
		case "-A", "-I", "-D", "-R", "-F", "-X", "-P", "-N", "-Z",
			"--append", "--insert", "--delete", "--flush", "--policy":
			verb, chain, number = strings.TrimLeft(word, "-")[:1], next(i+1), next(i+2)
		case "-j", "--jump", "-g":
			target = next(i + 1)
		case "-s", "--source", "-d", "--destination", "--{side}":
			addressed = true
		}
	}
	adds := strings.EqualFold(verb, "a") || strings.EqualFold(verb, "i")
	deletes := strings.EqualFold(verb, "d")
	if !adds && !deletes {
		problems = append(problems, "iptables does something else than adding or deleting a rule")
	}
	if !addressed && (adds && target == "ACCEPT" || deletes && (target == "DROP" || target == "REJECT")) {
		problems = append(problems, "it accepts packets of all addresses")
	}
	if strings.EqualFold(verb, "i") && chain == "FORWARD" && (number == "" || number == "1") {
		problems = append(problems, "it comes before the chains of NetworkPolicies in FORWARD")
	}
	return append(problems, everyone(words)...)
}

// everyone finds addresses that are all addresses.
func everyone(words []string) []string {
	for _, word := range words {
		if strings.HasSuffix(word, "0.0.0.0/0") || strings.HasSuffix(word, "::/0") {
			return []string{"it names all addresses"}
		}
	}
	return nil
}

func ufw(words []string) []string {
	text := strings.Join(words, " ")
	if strings.Contains(text, "allow") && !strings.Contains(text, "from ") || strings.Contains(text, "from any") {
		return []string{"it accepts packets of all addresses"}
	}
	return nil
}

func firewalld(words []string) []string {
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "--permanent", "--reload", "--add-source":
		case "--zone":
		case "--add-rich-rule":
			if !strings.Contains(value, "source address=") {
				return []string{"it accepts packets of all addresses"}
			}
		default:
			return []string{"it accepts packets of all addresses: " + word}
		}
	}
	return everyone(words)
}

// sed may take an option out of K3s' configuration, before it is set again.
func sed(words []string) []string {
	const file = "/etc/rancher/k3s/config.yaml"
	if len(words) != 3 || words[0] != "-i" || !option.MatchString(words[1]) || words[2] != file {
		return []string{"sed does something else than removing an option of K3s"}
	}
	return nil
}

var option = regexp.MustCompile(`^/\^[a-z-]+:/d$`)

// remove: a key that Flannel makes again.
// keyFiles are where network plugins keep a node's private key, of which they make
// another.
var keyFiles = []string{"/run/flannel/wgkey", "/var/run/cilium/state/cilium_wg0.key"}

func remove(words []string) []string {
	if len(words) != 2 || words[0] != "-f" || !slices.Contains(keyFiles, words[1]) {
		return []string{"it removes other files than a network plugin's key"}
	}
	return nil
}

func systemctl(words []string) []string {
	if len(words) != 2 || words[0] != "restart" {
		return []string{"systemctl does something else than restarting a service"}
	}
	return nil
}

// kubectl may delete pods that are made again, by labels.
func kubectl(words []string) []string {
	text := " " + strings.Join(words, " ") + " "
	if !strings.Contains(text, " delete ") {
		return nil
	}
	if !strings.Contains(text, " delete pod -l ") || !strings.Contains(text, " --field-selector spec.nodeName=") {
		return []string{"it deletes other objects than one node's pods of a DaemonSet"}
	}
	return nil
}

// broad are texts that no remedy may have, not in a note either.
var broad = []struct {
	text *regexp.Regexp
	why  string
}{
	{regexp.MustCompile(`--add-port`), "firewall-cmd --add-port opens the port to everyone"},
	{regexp.MustCompile(`ufw allow \S+/(udp|tcp)`), "ufw allow PORT opens the port to everyone"},
	{
		regexp.MustCompile(`ufw disable|(stop|disable|mask) (--now )?(ufw|firewalld|nftables)`),
		"it switches the firewall off",
	},
	{regexp.MustCompile(`[io]ifname \S+ accept`), "it accepts all that comes by a link"},
	{regexp.MustCompile(`-I FORWARD( -| 1 |$)`), "it comes before the chains of NetworkPolicies in FORWARD"},
	{regexp.MustCompile(`-P (INPUT|FORWARD|OUTPUT) ACCEPT`), "it makes a chain accept everything"},
	{regexp.MustCompile(`(iptables|nft) (-F|flush)`), "it empties a firewall"},
	{regexp.MustCompile(`kubectl delete (networkpolic|netpol|node)`), "it deletes what others need"},
}

// Text returns what is wrong with a text that an operator may follow.
func Text(text string) (problems []string) {
	for _, b := range broad {
		if b.text.MatchString(text) {
			problems = append(problems, b.why)
		}
	}
	return problems
}

// sysctl may have the kernel forward what arrives on one link, which every node
// of Kubernetes does.
func sysctl(words []string) []string {
	if len(words) != 2 || words[0] != "-w" {
		return []string{"sysctl does something else than writing one setting"}
	}
	found := forwardsOne.FindStringSubmatch(words[1])
	if found == nil || found[1] == "all" || found[1] == "default" {
		return []string{"sysctl does something else than forwarding what arrives on one link"}
	}
	return nil
}

var forwardsOne = regexp.MustCompile(`^net/ipv4/conf/(\{link\}|[A-Za-z0-9._-]+)/forwarding=1$`)
