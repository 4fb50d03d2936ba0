package scenario

// sabotagedPeers are keys, allowed IPs and endpoints that do not fit.
var sabotagedPeers = []Scenario{
	{
		Name: "stale-key", Title: "a node still has the key that another had before it was reinstalled",
		Cluster: wireguard, Sabotage: on(peerOf("node-1", 2, "stale")), Restore: restartFlannel, Want: fail(codePeers), Pairs: bothWays,
	},
	{
		Name: "missing-peer", Title: "a node has no peer for another",
		Cluster: wireguard, Sabotage: on(peerOf("node-1", 2, "remove")), Restore: restartFlannel, Want: fail(codePeers), Pairs: bothWays,
	},
	{
		Name: "shared-key", Title: "a cloned machine has the key of the one it was cloned from",
		Cluster: wireguard, Sabotage: cloneKey, Restore: newKeys, Want: fail(codeUnique), Pairs: bothWays,
	},
	{
		Name: "published-key", Title: "a node publishes a key that its device does not hold",
		Cluster: wireguard, Restore: restartFlannel, Want: fail(codePublished), Pairs: bothWays,
		Sabotage: on(kubectl("annotate", "--overwrite", "node", "node-2",
			`flannel.alpha.coreos.com/backend-data={"PublicKey":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","Port":51820}`)),
	},
	{
		Name: "allowed-gap", Title: "a node's pods belong to no peer",
		Cluster: wireguard, Sabotage: on(peerOf("node-1", 2, "allowed=")), Restore: restartFlannel, Want: fail(codeRanges), Pairs: bothWays,
	},
	{
		Name: "allowed-part", Title: "a peer has only a part of its node's pods",
		Cluster: wireguard, Sabotage: on(peerOf("node-1", 2, "allowed=10.42.1.0/25,10.42.1.128/26")), Restore: restartFlannel, Want: fail(codeRanges),
	},
	{
		Name: "endpoint-address", Title: "both nodes send to addresses where nobody is",
		Cluster: wireguard, Restore: restartFlannel, Want: fail(codeEndpoint), Pairs: bothWays,
		Sabotage: on(peerOf("node-1", 2, "endpoint=192.0.2.77:51820"), peerOf("node-2", 1, "endpoint=192.0.2.78:51820"),
			peerOf("node-1", 2, "endpoint=192.0.2.77:51820")),
	},
	{
		Name: "endpoint-port", Title: "both nodes send to a port where nobody listens",
		Cluster: wireguard, Restore: restartFlannel, Want: fail(codeEndpoint), Pairs: bothWays,
		Sabotage: on(peerOf("node-1", 2, "endpoint=192.0.2.12:51999"), peerOf("node-2", 1, "endpoint=192.0.2.11:51999"),
			peerOf("node-1", 2, "endpoint=192.0.2.12:51999")),
	},
	{
		Name: "endpoint-roams", Title: "a node publishes an address that is not its own, and is heard from its own while it is watched",
		Cluster: wireguard, Sabotage: published, Restore: restartFlannel, Want: undecided(codeDeaf), Or: []Want{pass, fail(codeEndpoint)},
	},
	{
		Name: "endpoint-moved", Title: "both nodes publish addresses that they had before",
		Cluster: wireguard, Restore: restartFlannel, Want: fail(codeEndpoint), Pairs: bothWays,
		Sabotage: on(publishes("node-1", "192.0.2.91"), publishes("node-2", "192.0.2.92"), publishes("node-1", "192.0.2.91")),
	},
	{
		Name: "psk-one-side", Title: "only one of two nodes has the preshared key",
		Cluster: wireguard, Restore: restartFlannel, Want: fail(codeBlocked), Pairs: bothWays,
		Sabotage: on(peerOf("node-1", 2, "psk=YSBwcmVzaGFyZWQga2V5IGZvciB0aGUgc2NlbmFyaW8="), restarted("node-2")),
	},
}

// published has the other nodes send to an address that is not the last node's, until they hear from it.
func published([]string) []Command {
	return []Command{publishes("node-2", "203.0.113.9")}
}

// publishes has flannel on the other nodes send to an address.
func publishes(node, address string) Command {
	return kubectl("annotate", "--overwrite", "node", node, "flannel.alpha.coreos.com/public-ip="+address)
}

// cloneKey gives all nodes one key, as machines have it that were cloned from one. The key is the lab's own.
func cloneKey(nodes []string) []Command {
	var commands []Command
	for _, node := range nodes {
		commands = append(commands, shell(node, "rm -f /run/flannel/wgkey; echo WG9uZSBrZXkgZm9yIGFsbCBub2RlcyBvZiB0aGUgbGE= >/run/flannel/wgkey"))
	}
	return append(commands, restartFlannel(nodes)...)
}

func newKeys(nodes []string) []Command {
	var commands []Command
	for _, node := range nodes {
		commands = append(commands, shell(node, "rm -f /run/flannel/wgkey"))
	}
	return append(commands, restartFlannel(nodes)...)
}
