package scenario

import (
	"context"
	"fmt"
)

// blind are clusters in which packets take a way that captures do not see, or do not know.
var blind = []Scenario{
	{
		Name: "obfuscated-udp", Title: "all UDP that node-1's pods begin travels in an obfuscating tunnel, and the answers in WireGuard",
		Cluster: wireguard, Sabotage: obfuscate("udp"), Restore: deobfuscate, Witness: seesObscured,
		Want: fail(codeLeak), Or: []Want{fail(codePath), fail(codeInside)}, Unmendable: lookAt,
	},
	{
		Name: "obfuscated-tcp", Title: "all TCP that node-1's pods begin travels in an obfuscating tunnel, and the answers in WireGuard",
		Cluster: wireguard, Sabotage: obfuscate("tcp"), Restore: deobfuscate, Witness: seesObscured,
		Want: fail(codeLeak), Or: []Want{fail(codePath), fail(codeInside)}, Unmendable: lookAt,
	},
	{
		Name: "xdp", Title: "XDP programs lead UDP of a pod from its link to the network card, and on the other node back",
		Cluster: wireguard, Sabotage: redirect, Restore: unredirect,
		Want: undecided(codeBlind), Or: []Want{fail(codeBlind), fail(codePath), fail(codeInside), fail(codeCipher)},
	},
	{
		Name: "late-link", Title: "a link between the nodes appears, carries a pod's packets in clear, and is gone, all while captures run",
		Cluster: wireguard, Sabotage: inTurn(bystanders, idle), Restore: inTurn(dropLate, dropBystanders), Disturb: lateLink, Args: []string{"-v"},
		Want: undecided(codeBlind), Or: []Want{undecided(codePath), fail(codeBlind), fail(codePath), fail(codeLeak)},
	},
	{
		Name: "late-link-unused", Title: "a pod of somebody else comes and goes while captures run",
		Cluster: wireguard, Sabotage: nothing, Restore: on(shell("node-1", "ip netns delete late 2>/dev/null || true")), Want: pass, Args: []string{"-v"},
		Disturb: whileCapturing(0, "", `
			ip netns add late
			ip link add veth-late mtu 1420 type veth peer name eth0 netns late mtu 1420
			ip link set veth-late master cni0 up
			sleep 0.2
			ip netns delete late`),
	},
}

// obfuscate has a bystander's and the canaries' packets of one protocol, in one direction, take obf0.
func obfuscate(protocol string) func([]string) []Command {
	return func(nodes []string) []Command {
		commands := bystanders(nodes)
		for i, node := range nodes[:2] {
			arguments := fmt.Sprintf("obfuscate obf0 192.0.2.%d:7777 192.0.2.%d:7777", 11+i, 12-i)
			commands = append(commands, start(node, "obfuscate", arguments, "ip link show up dev obf0 2>/dev/null | grep -q obf0"))
		}
		commands = append(commands, shell(nodes[0], `
			ip route add 10.42.1.0/24 dev obf0 table 100
			ip rule add priority 50 fwmark 1 lookup 100
			nft add table ip sabotage
			nft add chain ip sabotage prerouting '{ type filter hook prerouting priority -150; }'
			nft add rule ip sabotage prerouting ip saddr 10.42.0.0/24 ip daddr 10.42.1.0/24 meta l4proto %s ct direction original meta mark set 1`, protocol))
		return append(commands, talk(nodes, protocol, "", bystanderPort, false)...)
	}
}

func deobfuscate(nodes []string) []Command {
	commands := dropBystanders(nodes)
	for _, node := range nodes[:2] {
		commands = append(commands, stop(node, "obfuscate"))
	}
	return commands
}

// redirect waits on both nodes for the run's test pod, whose link is the first that appears.
func redirect(nodes []string) []Command {
	return []Command{
		start(nodes[0], "redirect", "redirect out eth0", "grep -q waiting /run/lab/redirect.log"),
		start(nodes[1], "redirect", "redirect in eth0", "grep -q waiting /run/lab/redirect.log"),
	}
}

func unredirect(nodes []string) []Command {
	return []Command{stop(nodes[0], "redirect"), stop(nodes[1], "redirect")}
}

// idle has the bystander listen, and nobody send yet.
func idle(nodes []string) []Command {
	return []Command{launch(nodes[1], "take", fmt.Sprint("ip netns exec bystander /opt/lab/lab hostile take ", bystanderPort), "grep -q listening /run/lab/take.log")}
}

// lateLink is a cable between two nodes that is there for less than a second.
func lateLink(ctx context.Context, t *Trial) error {
	if err := t.await(ctx, `name="starting the captures"`); err != nil {
		return err
	}
	first, second := t.lab.Nodes[0], t.lab.Nodes[1]
	for _, command := range []Command{
		shell(network, "ip link add late0 netns /run/netns/kwg-$LAB-%s type veth peer name late0 netns /run/netns/kwg-$LAB-%s", first, second),
		shell(second, "ip address add 203.0.113.130/30 dev late0; ip link set late0 up; echo 0 >/proc/sys/net/ipv4/conf/late0/rp_filter"),
		shell(first, "ip address add 203.0.113.129/30 dev late0; ip link set late0 up; ip route add %s/32 via 203.0.113.130 dev late0 onlink", bystanderTo),
		shell(first, "timeout 0.3 ip netns exec bystander /opt/lab/lab hostile send udp %s:%d || true", bystanderTo, bystanderPort),
		shell(second, "for i in $(seq 50); do grep -q received /run/lab/take.log && exit 0; sleep 0.05; done; echo nothing crossed the late link; exit 1"),
		shell(first, "ip link delete late0"),
	} {
		if said, err := execute(ctx, t.lab, command); err != nil {
			return fmt.Errorf("on %s: %w\n%s", command.Node, err, said)
		}
	}
	return nil
}

func dropLate(nodes []string) []Command {
	return []Command{shell(nodes[0], "ip link delete late0 2>/dev/null || true")}
}
