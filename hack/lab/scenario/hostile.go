package scenario

import "fmt"

const byHand = "the report cannot undo what somebody did on purpose"

// hostile are clusters that want to be believed.
var hostile = []Scenario{
	{
		Name: "fake-wireguard", Title: "a TUN named flannel-wg wraps cleartext in data messages on UDP 51820, and answers like WireGuard",
		Cluster: wireguard, Sabotage: fakes("wireguard --socket"), Restore: dropFakes, Want: fail(codeLeak), Pairs: bothWays, Unmendable: byHand,
	},
	{
		Name: "fake-wireguard-bare", Title: "the same without a configuration socket",
		Cluster: wireguard, Sabotage: fakes("wireguard"), Restore: dropFakes, Want: fail(codeDevice), Pairs: bothWays,
		Findings: map[string]string{codeLeak: "fail"}, Unmendable: byHand,
	},
	{
		Name: "fake-own-format", Title: "a TUN named flannel-wg encapsulates in clear in a format of its own, and answers like WireGuard",
		Cluster: wireguard, Sabotage: fakes("own --socket"), Restore: dropFakes, Want: fail(codeLeak), Pairs: bothWays, Unmendable: byHand,
	},
	{
		Name: "tee", Title: "every packet of the tunnel also leaves in clear, in one direction",
		Cluster: wireguard, Sabotage: tee("eth0"), Restore: untee, Want: fail(codeLeak), Unmendable: byHand,
	},
	{
		Name: "tee-second-nic", Title: "every packet of the tunnel also leaves in clear, on one of two network cards",
		Cluster:  wireguard,
		Sabotage: inTurn(secondCards, tee("eth1")), Restore: inTurn(untee, dropSecondCards), Want: fail(codeLeak), Unmendable: byHand,
	},
	{
		Name: "leak-young", Title: "what a new pod sends in its first seconds also leaves in clear, and the test pods are older",
		Cluster: wireguard, Sabotage: leakYoung, Restore: unleakYoung, Want: fail(codeFirst),
		Pairs: []string{"node-1>node-2"}, Findings: map[string]string{codeLeak: "fail"}, Unmendable: byHand,
	},
	{
		Name: "middlebox", Title: "something in between answers in the place of pods",
		Cluster: wireguard, Sabotage: middlebox, Restore: dropMiddlebox, Want: fail(codePods), Unmendable: byHand,
	},
	{
		Name: "probe-blind", Title: "both probes say that all is well, and captured nothing",
		Cluster: wireguard, Args: lying, Lies: map[string]string{"node-1": "blind", "node-2": "blind"}, Want: undecided(codeDeaf), Pairs: bothWays,
	},
	{
		Name: "probe-hides-leak", Title: "the probe beside a leak does not report it, and the other one sees it arrive",
		Cluster: wireguard, Args: lying, Lies: map[string]string{"node-1": "hides"},
		Sabotage: tee("eth0"), Restore: untee, Want: fail(codeLeak), Unmendable: byHand,
	},
	{
		Name: "probe-truncates", Title: "a probe's evidence breaks off",
		Cluster: wireguard, Args: lying, Lies: map[string]string{"node-2": "truncates"}, Want: undecided(codeStarted), Pairs: bothWays,
	},
	{
		Name: "probe-escapes", Title: "a probe sends names that would write to a terminal",
		Cluster: wireguard, Args: lying, Lies: map[string]string{"node-2": "escapes"}, Want: undecided(codeDeaf), Pairs: bothWays,
	},
	{
		Name: "probe-floods", Title: "a probe and a test pod send a gigabyte each",
		Cluster: wireguard, Args: lying, Lies: map[string]string{"node-2": "floods"}, Want: undecided(codeStarted), Pairs: bothWays,
	},
	{
		Name: "probe-hangs", Title: "a probe and a test pod never say a word",
		Cluster: wireguard, Args: append([]string{"--timeout", "30s"}, lying...), Lies: map[string]string{"node-2": "hangs"},
		Want: undecided(codeStarted), Or: []Want{stopped}, Pairs: bothWays,
	},
}

func inTurn(first, second func([]string) []Command) func([]string) []Command {
	return func(nodes []string) []Command { return append(first(nodes), second(nodes)...) }
}

// fakes take the place of all nodes' devices.
func fakes(arguments string) func([]string) []Command {
	return onEach(func(node string) Command {
		return start(node, "fake", "fake flannel-wg "+arguments, "[ -e /run/lab/flannel.hold ] && ip route show dev flannel-wg 2>/dev/null | grep -q 10.42.0.0/16")
	})
}

func dropFakes(nodes []string) []Command {
	var commands []Command
	for _, node := range nodes {
		commands = append(commands, stop(node, "fake"), shell(node, "while ip link show dev flannel-wg >/dev/null 2>&1; do sleep 0.05; done"))
	}
	return append(commands, restartFlannel(nodes)...)
}

// tee copies what enters the first node's tunnel to one of its network cards.
func tee(card string) func([]string) []Command {
	return func(nodes []string) []Command { return []Command{teeOn(card)(nodes[0])} }
}

func untee(nodes []string) []Command { return []Command{unteeOn(nodes[0])} }

func teeOn(card string) func(node string) Command {
	return func(node string) Command {
		return start(node, "tee", "tee flannel-wg "+card, "grep -q copying /run/lab/tee.log")
	}
}

func unteeOn(node string) Command { return stop(node, "tee") }

// leakYoung spares the first pod that comes, which is the run's test pod, and copies what the second sends.
func leakYoung(nodes []string) []Command {
	return []Command{start(nodes[0], "young", "young eth0 1", "grep -q waiting /run/lab/young.log")}
}

func unleakYoung(nodes []string) []Command { return []Command{stop(nodes[0], "young")} }

// middlebox sends the canaries of the first node's pods to an echo.
func middlebox(nodes []string) []Command {
	return []Command{
		start(nodes[0], "echo", fmt.Sprintf("echo %d", 7777), "true"),
		shell(nodes[0], `
			nft add table inet sabotage
			nft add chain inet sabotage prerouting '{ type nat hook prerouting priority -110; policy accept; }'
			nft add rule inet sabotage prerouting iifname cni0 ip daddr 10.42.0.0/16 meta l4proto '{ tcp, udp }' redirect to :7777`),
	}
}

func dropMiddlebox(nodes []string) []Command {
	return []Command{stop(nodes[0], "echo"), dropTable(nodes[0])}
}
