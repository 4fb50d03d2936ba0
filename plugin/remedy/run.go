package remedy

// runRemedies are for the run itself: a pod did not start, or there was no
// session with it (WG0103). None of them has a command for a node: what keeps a
// pod from starting is decided by whoever runs the cluster.
var runRemedies = []row{
	// Prints no command: which registry the nodes reach is the operator's to know.
	{"WG0103", "image", "", Hint{
		Title: "Let the nodes pull the probe's image",
		Note: "Mirror the image and name it with --image and --image-pull-secret, or load it onto the nodes and " +
			"use --image-pull-policy=Never. kubectl wg verify --print-images names it.",
	}},
	// Prints no command: which policy may be relaxed is the operator's to know.
	{"WG0103", "admission", "", Hint{
		Title: "Allow the test pods to be created",
		Note: "A policy or quota rejects them. kubectl wg verify --print-manifests shows what is created. " +
			"Without --namespace the run makes namespaces of its own; with it, name one that allows these pods.",
	}},
	// Prints no command: disabling a webhook disables what it protects.
	{"WG0103", "webhook", "", Hint{
		Title: "Let the API server reach the webhook, or test in a namespace that it leaves out",
		Note: "If the webhook's pod runs on another node than the API server, that is the pod network that you want " +
			"tested. Use --namespace with a namespace that the webhook leaves out, often kube-system, or repair " +
			"or disable the webhook.",
	}},
	// Prints no command: what may leave the node is the operator's to know.
	{"WG0103", "scheduling", "", Hint{Title: "Make room on the node, or leave it out with --nodes"}},
	// Prints no command: which firewall is between the two is not known.
	{"WG0103", "unreachable", "", Hint{
		Title: "Let the API server reach the kubelet",
		Note: "Allow TCP to the kubelet's port, usually 10250, from the control plane's nodes, and check that the " +
			"node's internal address is one that they can reach (kubectl get nodes -o wide).",
	}},
	// Prints no command: which firewall is between the two is not known.
	{"WG0103", "unreachable", K3s, Hint{
		Title: "Let the server reach the kubelet: each agent needs its tunnel to every server",
		Note: "An agent opens a tunnel to every server, on TCP 6443, and servers reach its kubelet through it: check " +
			"the agent's log for the servers that it does not reach. " +
			"Without a tunnel (--egress-selector-mode=disabled on the servers, or a kubelet on another server) TCP " +
			"10250 has to be allowed from each server to --node-ip.",
	}},
	// Prints no command: which firewall is between the two is not known.
	{"WG0103", "unreachable", RKE2, Hint{
		Title: "Let the server reach the kubelet: each agent needs its tunnel to every server",
		Note: "An agent opens a tunnel to every server, on TCP 9345, and servers reach its kubelet through it: check " +
			"the agent's log for the servers that it does not reach. Without a tunnel (egress-selector-mode: " +
			"disabled on the servers, or a kubelet on another server) TCP 10250 has to be allowed from each server " +
			"to node-ip.",
	}},
	// Prints no command: nothing is to be changed.
	{"WG0103", "lost", "", Hint{Title: "Run again once the node and the API server are stable"}},
	// Prints no command: the cause is not known.
	{"WG0103", "", "", Hint{Title: "Check the node and its kubelet, then run again"}},
}
