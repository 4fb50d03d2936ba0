package scenario

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

var calico = cluster(topology.Calico, "", 2)

// calicoRows are what real Felix makes of its own settings, and what happens to nodes that it keeps out of its tunnels: it
// fails open, so what is for their pods leaves in clear. Each row ends with Felix running on every node.
var calicoRows = []Scenario{
	{
		Name: "calico-healthy", Title: "Calico's own IPAM, Felix and WireGuard, hosts' own packets in clear by design",
		Cluster: calico, Want: pass, Sabotage: nothing, Restore: nothing,
	},
	{
		Name: "calico-host-encryption", Title: "Felix encrypts the hosts' own packets too",
		Cluster: calico, Want: pass,
		Sabotage: inTurn(felixConfiguration(`"wireguardHostEncryptionEnabled":true`), onEach(untilHostRoute)),
		Restore:  inTurn(felixConfiguration(`"wireguardHostEncryptionEnabled":null`), onEach(untilNoHostRoute)),
	},
	{
		Name: "calico-scope", Title: "pods reach Services and nodes through Calico",
		Cluster: calico, Args: allScopes, Meanwhile: proxied, Sabotage: onEach(proxy), Restore: onEach(withoutProxy),
		Want: pass, Classes: flannelCells,
	},
	{
		Name: "calico-scope-hosts", Title: "the same where Felix encrypts the hosts' own packets too",
		Cluster: calico, Args: allScopes, Meanwhile: proxied, Want: pass, Classes: allCells,
		Sabotage: inTurn(inTurn(felixConfiguration(`"wireguardHostEncryptionEnabled":true`), onEach(untilHostRoute)), onEach(proxy)),
		Restore: inTurn(onEach(withoutProxy),
			inTurn(felixConfiguration(`"wireguardHostEncryptionEnabled":null`), onEach(untilNoHostRoute))),
	},
	{
		Name: "calico-scope-ended", Title: "pods still send to pods that have ended, and their node sends it on by its default route",
		Cluster: calico, Args: endedScope, Want: fail(codeClasses), Unmendable: "which routes BIRD is to set is not known",
		Classes: map[string]string{"pod-pod": encrypted, "pod-ended": leaks},
	},
	{
		Name: "calico-scope-ended-refused", Title: "the same where a node has the route that BIRD sets, which refuses the rest of its block",
		Cluster: calico, Args: endedScope, Want: pass, Classes: map[string]string{"pod-pod": encrypted, "pod-ended": encrypted},
		Sabotage: onEach(func(node string) Command {
			return shell(node, `pod=$(ip -4 -o route show | sed -n 's/^\([0-9.]*\) dev cali.*/\1/p' | head -n 1)
				last=${pod##*.}
				ip route replace blackhole "${pod%%.*}.$((last - last %% 64))/26" proto bird`)
		}),
		Restore: onEach(func(node string) Command { return shell(node, "ip route flush type blackhole proto bird") }),
	},
	{
		Name: "calico-off", Title: "WireGuard is switched off in Felix' configuration",
		Cluster: calico, Want: fail(codeLeak), Findings: map[string]string{codeBackends: "warn"},
		Sabotage: inTurn(felixConfiguration(`"wireguardEnabled":false`), onEach(untilOutside)),
		Restore:  inTurn(felixConfiguration(`"wireguardEnabled":true`), onEach(untilInside)),
	},
	{
		Name: "calico-override", Title: "one node has a configuration of its own without WireGuard",
		Cluster: calico, Want: fail(codeBackends), Findings: map[string]string{codeLeak: "fail"}, Pairs: bothWays,
		Sabotage: inTurn(on(felixOverride), onEach(untilOutside)),
		Restore: inTurn(on(kubectl("delete", "felixconfigurations.crd.projectcalico.org", "node.node-2", "--ignore-not-found")),
			onEach(untilInside)),
	},
	{
		Name: "calico-key-removed", Title: "one node publishes no key, so the other throws its pods' packets out of the tunnel",
		Cluster: calico, Want: fail(codePublished), Pairs: bothWays, Unmendable: felixIsNoPod,
		Findings: map[string]string{codeRoute: "fail", codeLeak: "fail"},
		Sabotage: inTurn(on(holdFelix, annotateKey("-")), onFirst(untilOutside)), Restore: felixBack,
	},
	{
		// Only a third node would throw the pods of both out of its tunnel: Felix does not compare with its own key.
		Name: "calico-key-shared", Title: "two nodes publish the same key, so neither is a peer of the other",
		Cluster: calico, Want: fail(codePublished), Pairs: bothWays, Unmendable: felixIsNoPod,
		Findings: map[string]string{codeUnique: "fail"},
		Sabotage: on(holdFelix, publishKeyOf, shell("node-1", "sleep 15")), Restore: felixBack,
	},
	{
		Name: "calico-key-foreign", Title: "a node publishes a key that its device does not hold",
		Cluster: calico, Want: fail(codePublished), Pairs: bothWays, Unmendable: felixIsNoPod,
		Sabotage: on(holdFelix, annotateKey("=YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="), shell("node-1", "sleep 15")),
		Restore:  felixBack,
	},
	{
		Name: "calico-tc-drop", Title: "a filter of traffic control drops the tunnel's datagrams",
		Cluster: calico, Want: fail(codeBlocked), Pairs: bothWays, Unmendable: lookAt,
		Sabotage: on(shell("node-1", `
			/sbin/modprobe -a sch_ingress cls_u32 act_gact 2>/dev/null || true
			tc qdisc replace dev eth0 clsact
			tc filter add dev eth0 egress protocol ip u32 match ip protocol 17 0xff match ip dport 51820 0xffff action drop`)),
		Restore: on(shell("node-1", "tc qdisc delete dev eth0 clsact 2>/dev/null || true")),
	},
}

const felixIsNoPod = "Felix runs as a service of the node here, so that deleting its pod restarts nothing"

// felixConfiguration merges fields into the configuration of all nodes. Felix restarts when one changes.
func felixConfiguration(fields string) func([]string) []Command {
	return on(kubectl("patch", "felixconfigurations.crd.projectcalico.org", "default", "--type=merge",
		"--patch", `{"spec":{`+fields+`}}`))
}

// felixOverride is the configuration of node-2 alone.
var felixOverride = Command{Node: operator, Argv: []string{"kubectl", "create", "--filename", "-"}, Stdin: []byte(`
apiVersion: crd.projectcalico.org/v1
kind: FelixConfiguration
metadata: {name: node.node-2}
spec: {wireguardEnabled: false}
`)}

// holdFelix ends Felix on node-2 until releaseFelix: what it published of the node would come back.
var (
	holdFelix    = shell("node-2", "touch /run/lab/felix.hold; kill $(cat /run/lab/felix.pid)")
	releaseFelix = shell("node-2", "rm -f /run/lab/felix.hold")
)

// felixBack has Felix on node-2 publish its key again: first there is none, so that the key which comes is its own.
var felixBack = inTurn(inTurn(on(annotateKey("-")), onFirst(untilOutside)), inTurn(on(releaseFelix), onEach(untilInside)))

const keyAnnotation = "projectcalico.org/WireguardPublicKey"

// annotateKey sets (=VALUE) or removes (-) what node-2 publishes as its key.
func annotateKey(change string) Command {
	return kubectl("annotate", "--overwrite", "node", "node-2", keyAnnotation+change)
}

// publishKeyOf has node-2 publish the key of node-1.
var publishKeyOf = Command{Node: operator, Argv: []string{"sh", "-ec", `
	key=$(kubectl get node node-1 -o jsonpath='{.metadata.annotations.projectcalico\.org/WireguardPublicKey}')
	kubectl annotate --overwrite node node-2 ` + keyAnnotation + `=$key`}}

// onFirst has the command for the first node alone.
func onFirst(command func(node string) Command) func([]string) []Command {
	return func(nodes []string) []Command { return []Command{command(nodes[0])} }
}

// Felix needs some seconds in a virtual machine, and twice that where it restarts. Its table is the first of its range.
const felixPatience = 180

func untilTable(node, condition string) Command {
	return shell(node, `
		for i in $(seq %d); do
			table=$(ip route show table 1 2>/dev/null || true)
			if %s; then exit 0; fi
			sleep 1
		done
		echo "$table"
		exit 1`, felixPatience, condition)
}

// untilInside waits until a node's tunnel has routes to the pods of others, untilOutside until it has none.
func untilInside(node string) Command {
	return untilTable(node, `echo "$table" | grep '/26' | grep -q 'dev wireguard.cali'`)
}

func untilOutside(node string) Command {
	return untilTable(node, `! echo "$table" | grep '/26' | grep -q 'dev wireguard.cali'`)
}

// untilHostRoute waits until the other nodes' own addresses are behind the tunnel, or are no more.
func untilHostRoute(node string) Command {
	return untilTable(node, `echo "$table" | grep -q '^192.0.2.*dev wireguard.cali'`)
}

func untilNoHostRoute(node string) Command {
	return untilTable(node, `! echo "$table" | grep -q '^192.0.2.*dev wireguard.cali' && echo "$table" | grep '/26' | grep -q 'dev wireguard.cali'`)
}

// settleCalico waits until every node sends what is for the others' pods into its tunnel.
func settleCalico(ctx context.Context, lab *state.Lab) error {
	var problems []error
	for _, node := range lab.Nodes {
		if said, err := execute(ctx, lab, untilInside(node)); err != nil {
			problems = append(problems, fmt.Errorf("waiting for Felix on %s: %w\n%s", node, err, said))
		}
	}
	return errors.Join(problems...)
}
