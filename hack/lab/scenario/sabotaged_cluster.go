package scenario

// sabotagedCluster are failures that the API shows.
var sabotagedCluster = []Scenario{
	{
		Name: "mixed-backends", Title: "a node's lease says another backend",
		Cluster: wireguard, Restore: restartFlannel, Want: fail(codeBackends),
		Sabotage: on(kubectl("annotate", "--overwrite", "node", "node-2", "flannel.alpha.coreos.com/backend-type=vxlan")),
	},
	{
		Name: "one-endpoint", Title: "two nodes publish one address",
		Cluster: wireguard, Restore: restartFlannel, Want: fail(codeEndpoints),
		Sabotage:   on(kubectl("annotate", "--overwrite", "node", "node-2", "flannel.alpha.coreos.com/public-ip=192.0.2.11")),
		Unmendable: "the nodes need addresses or ports of their own, which no command can find for them",
	},
	{
		Name: "node-not-ready", Title: "a node's kubelet is silent",
		Cluster: wireguard, Want: undecided(codeNodes),
		Sabotage: on(shell("node-2", "kill -STOP $(cat /run/lab/kubelet.pid)"),
			kubectl("patch", "node", "node-2", "--subresource=status", "-p", `{"status":{"conditions":[{"type":"Ready","status":"Unknown","reason":"NodeStatusUnknown"}]}}`)),
		Restore: on(shell("node-2", "kill -CONT $(cat /run/lab/kubelet.pid)"),
			kubectl("wait", "--for=condition=Ready", "node", "node-2", "--timeout=60s"),
			shell(operator, `for i in $(seq 100); do kubectl get node node-2 -o jsonpath={.spec.taints} | grep -q node.kubernetes.io || exit 0; sleep 0.2; done; exit 1`)),
	},
	{
		Name: "node-virtual", Title: "one of the nodes is virtual: it has no host to look at",
		Cluster: wireguard, Sabotage: on(strangeNode(`"type":"virtual-kubelet"`, "linux")...), Restore: on(noStrangeNode), Want: undecided(codeNodes),
		Pairs: []string{}, Tested: 2,
	},
	{
		Name: "node-windows", Title: "one of the nodes runs Windows",
		Cluster: wireguard, Sabotage: on(strangeNode(`"lab":"windows"`, "windows")...), Restore: on(noStrangeNode), Want: undecided(codeNodes),
		Pairs: []string{}, Tested: 2,
	},
	{
		Name: "family-missing", Title: "a family was asked for that the pods do not have",
		Cluster: wireguard, Args: []string{"--family", "all"}, Want: undecided(codeAddressed), Pairs: only6, Tested: 4,
	},
	{
		Name: "image-missing", Title: "a node cannot get the probe's image",
		Cluster: wireguard, Args: []string{"--image", "localhost/lab/probe:partial", "--image-pull-policy", "Never"}, Want: undecided(codeStarted),
		Sabotage: on(shell("node-1", "ctr images tag --force $(ctr images ls -q | grep /wg-probe: | head -n 1) localhost/lab/probe:partial")),
		Restore:  on(shell("node-1", "ctr images rm localhost/lab/probe:partial >/dev/null 2>&1 || true")),
	},
	{
		Name: "quota", Title: "a quota refuses some of the run's pods",
		Cluster: wireguard, Args: []string{"--namespace", "lab-quota"}, Want: undecided(codeStarted), Or: []Want{stopped},
		Sabotage: on(kubectl("create", "namespace", "lab-quota"),
			kubectl("label", "namespace", "lab-quota", "pod-security.kubernetes.io/enforce=privileged"),
			kubectl("-n", "lab-quota", "create", "quota", "few", "--hard=pods=1")),
		Restore: on(kubectl("delete", "namespace", "lab-quota", "--ignore-not-found", "--wait=true")),
	},
	{
		Name: "deaf-capture", Title: "a capture that loses frames proves nothing",
		Cluster: wireguard, Args: []string{"--capture-buffer", "256"}, Want: undecided(codeDeaf),
	},
}

// strangeNode registers a node that no kubelet stands behind.
func strangeNode(label, system string) []Command {
	return []Command{
		shell(operator, `echo '{"apiVersion":"v1","kind":"Node","metadata":{"name":"strange","labels":{%s}}}' | kubectl apply -f -`, label),
		kubectl("patch", "node", "strange", "--subresource=status", "-p",
			`{"status":{"nodeInfo":{"operatingSystem":"`+system+`"},"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady"}]}}`),
	}
}

var noStrangeNode = kubectl("delete", "node", "strange", "--ignore-not-found")
