package remedy

// reachRemedies are for reachability and sizes (WG05xx) on any system. The
// comment of each row says what its commands change besides, "nothing" where it
// has none. A row without commands follows one with them for a recording that
// does not say where the rule is.
var reachRemedies = []row{
	// Nothing: which MTU the network carries is the operator's to know.
	{"WG0504", "", "", Hint{
		Title: "Lower the tunnel's MTU, or raise that of {link}",
		Note: "Set it in the network plugin's configuration (some subtract the overhead from the MTU of the link " +
			"below themselves), restart it, and recreate the pods.",
	}},
	// Nothing: what writes the CNI configuration is not known.
	{"WG0505", "new", "", Hint{
		Title: "Give pods the MTU of {device}, {mtu}",
		Note: "The CNI configuration of {node} sets another: look for \"mtu\" in /etc/cni/net.d, and in what " +
			"installs it. Pods get it when they are created again.",
	}},
	// Nothing: which pods may restart is the operator's to know.
	{"WG0505", "", "", Hint{
		Title: "Create the old pods again",
		Note: "kubectl rollout restart their deployments, daemon sets and stateful sets, or reboot the nodes one " +
			"by one. If new ones get it too, the CNI configuration in /etc/cni/net.d sets it.",
	}},

	// The other node may send any datagram to this UDP port; no other port and no other sender.
	{"WG0501", "nft-rule", "", acceptBefore(insertByNft, ownInput)},
	{"WG0501", "nft-rule", "", openNarrow}, // Nothing.
	// The same, behind all rules of the chain: nothing that it drops is accepted for others.
	{"WG0501", "nft-policy", "", acceptBehind(appendByNft, ownInput)},
	{"WG0501", "nft-policy", "", openNarrow}, // Nothing.
	// As nft-rule.
	{"WG0501", "iptables-rule", "", acceptBefore(insertByXt, ownInput)},
	{"WG0501", "iptables-rule", "", openNarrow}, // Nothing.
	// As nft-policy.
	{"WG0501", "iptables-policy", "", acceptBehind(appendByXt, ownInput)},
	{"WG0501", "iptables-policy", "", openNarrow}, // Nothing.
	// The node may send datagrams to this UDP port of the other node; nothing else.
	{"WG0501", "output-nft-rule", "", acceptBefore(insertByNft, ownOutput)},
	{"WG0501", "output-nft-rule", "", openOut}, // Nothing.
	// The same, behind all rules of the chain.
	{"WG0501", "output-nft-policy", "", acceptBehind(appendByNft, ownOutput)},
	{"WG0501", "output-nft-policy", "", openOut}, // Nothing.
	// As output-nft-rule.
	{"WG0501", "output-iptables-rule", "", acceptBefore(insertByXt, ownOutput)},
	{"WG0501", "output-iptables-rule", "", openOut}, // Nothing.
	// As output-nft-policy.
	{"WG0501", "output-iptables-policy", "", acceptBehind(appendByXt, ownOutput)},
	{"WG0501", "output-iptables-policy", "", openOut}, // Nothing.
	// The other node may send any datagram to this UDP port, now and after a restart of firewalld. Newer versions
	// own their table, which nft may not change then; a reload could empty the tables of others.
	{"WG0501", "firewalld-rule", "", Hint{
		Title: "Have firewalld accept UDP port {port} for {address} alone",
		Steps: []Step{
			{On: "{node}", Command: "firewall-cmd --permanent " + richRule},
			{On: "{node}", Command: "firewall-cmd " + richRule},
		},
		Note: "If firewall-cmd --get-zone-of-interface={link} names another zone than firewall-cmd " +
			"--get-default-zone, add --zone and its name to both. A reload is not needed.",
	}},
	{"WG0501", "firewalld-rule", "", openNarrow}, // Nothing.
	// Nothing: which policy object or direct rule it is is not known.
	{"WG0501", "output-firewalld-rule", "", Hint{
		Title: "Have firewalld let UDP port {port} to {address} out",
		Note: "Its zones let all out; a policy object or a direct rule does not: firewall-cmd --list-all-policies " +
			"and firewall-cmd --direct --get-all-rules list them.",
	}},
	// Nothing: what a program for NetworkPolicies wrote it writes again.
	{"WG0501", "policies", "", Hint{
		Title: "Let the policies of the nodes accept UDP port {port} between the nodes",
		Note: "The rule is in a chain of the program that enforces network policies, such as one for host " +
			"endpoints: change the policy, since the program writes its chains again.",
	}},
	// Nothing: whose filter it is is not known.
	{"WG0501", "tc", "", Hint{
		Title: "Have the filter on {link} let UDP port {port} pass",
		Note: "tc filter show dev {link} ingress (or egress) lists it. Find out what attached it, often a network " +
			"plugin or an appliance, and have that leave the tunnel's port out.",
	}},
	// Nothing: what the port is translated for may be in use.
	{"WG0501", "dnat", "", Hint{
		Title: "Give either the tunnel or the Service another UDP port than {port}",
		Note: "A Service of type LoadBalancer or NodePort or a pod's hostPort takes the port from the host: " +
			"kubectl get services -A and the pods' hostPort name it; nft list ruleset and " +
			"iptables-save -t nat show the rule. " +
			"Connections that are known keep their target until conntrack forgets them.",
	}},
	// Nothing: the route may be meant, and a loose filter is a weaker one.
	{"WG0501", "reverse-path", "", Hint{
		Title: "Have {node} answer {address} by the link that its datagrams arrive on",
		Note: "Either change the route back, or set rp_filter of {link} to 2 (loose), which still drops what no " +
			"route leads back to: net.ipv4.conf.{link}.rp_filter=2 in /etc/sysctl.d.",
	}},
	// Nothing: which card computes wrongly is not known.
	{"WG0501", "checksum", "", Hint{
		Title: "Find what damages the checksums between {peer} and {node}",
		Note: "Often a card's or a hypervisor's offload: ethtool -k lists tx-checksumming of the cards, and " +
			"ethtool -K switches it off for a trial, on the sender first.",
	}},
	// Nothing: how large the table may be depends on the node's memory.
	{"WG0501", "conntrack", "", trackMore},
	// Nothing: the keys are the network plugin's to set.
	{"WG0501", "handshake", "", Hint{
		Title: "Give both nodes the same preshared key, or none",
		Note:  "Set it in the network plugin's configuration on every node and restart it.",
	}},
	// Nothing: how the plugin is restarted is not known.
	{"WG0501", "clock", "", Hint{
		Title: "Restart the network plugin on {node}, which clears handshake timestamps that lie in the future",
		Note:  "Its WireGuard device has to be made again. Then keep the clocks right with NTP.",
	}},
	// Nothing: what drops is not known for certain.
	{"WG0501", "program", "", Hint{
		Title: "Find out whether the program on {link} of {node} drops UDP port {port}",
		Note:  "bpftool net show dev {link} and ip -d link show {link} name it. After that: " + lookAt,
	}},
	{"WG0501", "doubtful", "", Hint{ // Nothing.
		Title: "Find out whether the rule that is shown drops UDP port {port}",
		Note:  "Its counter rises if it does. After that: " + lookAt,
	}},
	{"WG0501", "dropped", "", Hint{ // Nothing.
		Title: "Find what drops UDP port {port} on {node} behind its network card",
		Note:  lookAt,
	}},
	{"WG0501", "source-port", "", Hint{ // Nothing: what the translation is for may be in use.
		Title: "Have {node} keep the source port {own} of the tunnel",
		Note: "A translation for the same port is in the way, often of a Service of type LoadBalancer or NodePort " +
			"or of a pod's hostPort (kubectl get services -A), or a masquerade of all that leaves: nft list " +
			"ruleset and iptables-save -t nat show the rules, conntrack -L -p udp the connection.",
	}},
	// The entry is for this endpoint alone: the route below it counts again.
	{"WG0501", "unreachable", "", Hint{
		Title: "Remove the route that refuses {address}",
		Steps: []Step{{On: "{node}", Command: "ip -{version} route delete {type} {route} table {table}"}},
		Note:  "Find out what added it, otherwise it will return.",
	}},
	{"WG0501", "unreachable", "", wayToEndpoint}, // Nothing.
	{"WG0501", "no-route", "", wayToEndpoint},    // Nothing.
	// As unreachable.
	{"WG0501", "loop", "", Hint{
		Title: "Remove the route that leads {address} into {device} itself",
		Steps: []Step{{On: "{node}", Command: "ip -{version} route delete {route} dev {link} table {table}"}},
		Note:  "Find out what added it, otherwise it will return.",
	}},
	{"WG0501", "loop", "", Hint{ // Nothing: the route is for more than the endpoint.
		Title: "Lead {address} out of a network card of {node}, and not into {device}",
		Note: "Where the cluster's pod range overlaps the nodes' network, one of the two has to change. Else a VPN " +
			"or wg-quick with AllowedIPs 0.0.0.0/0 took the route: have it leave {address} out.",
	}},
	{"WG0501", "own-address", "", Hint{ // Nothing: who of the two should have it is not known.
		Title: "Give {address} to one node alone",
		Note: "{node} has it on {link}. The addresses of kube-ipvs0 are external and load balancer addresses of " +
			"Services (kubectl get services -A), which kube-proxy's mode ipvs takes for its own on every node: " +
			"give the Service an address that no node has, or use another mode. On another link it is often a " +
			"virtual address (keepalived, kube-vip) or a cloned configuration.",
	}},
	{"WG0501", "overlap", "", Hint{ // Nothing: ranges are chosen when a cluster is made.
		Title: "Give the cluster's pods another range than {range}, or the nodes other addresses",
		Note: "The pod range is set when the cluster is created: a cluster with another one is the usual way. ip " +
			"-{version} route get {address} on {node} shows where its packets go.",
	}},
	{"WG0501", "vpn", "", Hint{ // Nothing: the other tunnel may be meant.
		Title: "Lead {address} past the other tunnel of {node}, or repair that one",
		Note: "ip -{version} route get {address} names the route. A VPN that takes all traffic has to leave the " +
			"nodes' addresses out.",
	}},
	{"WG0501", "neighbour", "", Hint{ // Nothing: the fault is outside of the node.
		Title: "Find why nobody answers for {hop} on {link} of {node}",
		Note: "The host of that address may be down, in another VLAN, or have another address than it publishes: " +
			"ip neighbour show dev {link}, and tcpdump -ni {link} arp or icmp6 on both.",
	}},
	{"WG0501", "output", "", Hint{ // Nothing: what drops is not known.
		Title: "Find what keeps UDP to port {port} of {peer} from leaving {node}",
		Note: "ip -{version} route get {address} and ip neighbour show {address} show its way; nft list ruleset and " +
			"iptables-save (and iptables-legacy-save) the filters of output; tc -s filter show dev LINK egress " +
			"those of the card.",
	}},
	{"WG0501", "xdp", "", Hint{ // Nothing: whose program it is is not known.
		Title: "Find out whether the XDP program on {link} of {node} drops UDP port {port}, or the network does",
		Note: "bpftool net show dev {link} names the program, and ip -s -d link show {link} what it drops. The " +
			"datagrams leave {peer}: look at security groups, network ACLs and firewalls between the nodes as well.",
	}},
	{"WG0501", "network", "", Hint{ // Nothing: the fault is between the nodes.
		Title: "Open UDP port {port} between the nodes in the network",
		Note: "The datagrams leave {peer} and never reach the network card of {node}: look at security groups, " +
			"network ACLs and firewalls between them, in both directions.",
	}},

	{"WG0501", "twin", "", Hint{ // Nothing: which of the two machines changes is not known.
		Title: "Give {link} of {node} another hardware address than {holder} has",
		Note: "Machines that were cloned share it, and Kubernetes needs each node's to differ: " +
			"set another one in the hypervisor and start the machine again. Compare /etc/machine-id and the " +
			"WireGuard keys of the two as well.",
	}},
	{"WG0501", "forwarded", "", Hint{ // Nothing: the fault is between the nodes.
		Title: "Have the NAT in front of {node} forward UDP port {port} of {address} to it",
		Note: "Look at its port forwarding, or at the provider's mapping of the address, then at security groups and " +
			"firewalls between the nodes. If {address} is no longer the public address of {node}, publish the one " +
			"that is: it has to stay the same.",
	}},
	{"WG0501", "hairpin", "", Hint{ // Nothing: the fault is between the nodes.
		Title: "Have {node} and {peer} reach each other inside of their NAT",
		Note: "Both are published at {address}. Either the NAT sends what comes from inside back (hairpin NAT) and " +
			"forwards UDP port {port} to {node}, or the nodes publish addresses of the network behind it, if all " +
			"others reach those too.",
	}},

	// Pods of the two nodes may send each other any packet, past this rule alone: rules before it, NetworkPolicies
	// among them, count as before.
	{"WG0502", "forward-nft-rule", "", Hint{
		Title: "Let the pods of the two nodes pass, before the rule that drops their packets",
		Steps: []Step{
			{On: "{node}", Command: "nft insert rule {family} {table} {chain} position {handle} " + podsByNft},
			{On: "{node}", Command: "nft insert rule {family} {table} {chain} position {handle} " + podsBackByNft},
		},
		Note: forwardFirewall,
	}},
	{"WG0502", "forward-nft-rule", "", forwardNarrow}, // Nothing.
	// As forward-nft-rule.
	{"WG0502", "forward-iptables-rule", "", Hint{
		Title: "Let the pods of the two nodes pass, before the rule that drops their packets",
		Steps: []Step{
			{On: "{node}", Command: "{iptables} -t {table} -I {chain} {number} -s {there} -d {here} -j ACCEPT"},
			{On: "{node}", Command: "{iptables} -t {table} -I {chain} {number} -s {here} -d {there} -j ACCEPT"},
		},
		Note: forwardFirewall,
	}},
	{"WG0502", "forward-iptables-rule", "", forwardNarrow}, // Nothing.
	// Pods of the two nodes may send packets to the host and through it, now and after a restart of firewalld; its
	// table is not that of NetworkPolicies, which count as before.
	{"WG0502", "forward-firewalld-rule", "", Hint{
		Title: "Have firewalld trust the pods of the two nodes",
		Steps: []Step{
			{On: "{node}", Command: "firewall-cmd --permanent " + trustPods},
			{On: "{node}", Command: "firewall-cmd " + trustPods},
		},
		Note: "Usually the whole pod range of the cluster is trusted so, and that of its Services. " +
			"A reload is not needed.",
	}},
	{"WG0502", "forward-firewalld-rule", "", forwardNarrow}, // Nothing.
	// What arrives on this link alone is forwarded, as every node of Kubernetes does.
	{"WG0502", "unforwarded4", "", Hint{
		Title: "Have {node} forward what arrives on {link}",
		Steps: []Step{{On: "{node}", Command: "sysctl -w net/ipv4/conf/{link}/forwarding=1"}},
		Note: "Find what switched it off, otherwise it will return: a file in /etc/sysctl.d, /usr/lib/sysctl.d or " +
			"/etc/sysctl.conf that sets net.ipv4.ip_forward to 0. Kubernetes needs it to be 1 on every node.",
	}},
	// Nothing: with forwarding on, a node that takes its default route from router advertisements would lose it.
	{"WG0502", "unforwarded6", "", Hint{
		Title: "Have {node} forward IPv6",
		Note: "Set net.ipv6.conf.all.forwarding to 1 in /etc/sysctl.d; where the default route is from router " +
			"advertisements, set accept_ra of that network card to 2 before, or the node loses the route.",
	}},
	{"WG0502", "conntrack", "", trackMore}, // Nothing, as above.
	// Nothing: an accept for pods behind the policy chains is the firewall's own to place.
	{"WG0502", "forward-policy", "", Hint{
		Title: "Have the firewall of {node} forward packets between {device} and the pods",
		Note: "Look at network policies first: kubectl get networkpolicies -A. Then have the firewall's own " +
			"configuration accept the pod ranges when it forwards (ufw route allow, a firewalld zone for {device}), " +
			"behind the chains of network policies and not before them.",
	}},
	{"WG0502", "policies", "", Hint{ // Nothing: a policy is meant.
		Title: "Find the network policy that selects the test pods",
		Note: "A network policy may select the test pods: kubectl get networkpolicies -A, and in the run's " +
			"namespace while it lasts (verify --keep); some programs create one in each new namespace. Let verify " +
			"run where none applies, with --namespace, or add one that lets the test pods talk. If none selects " +
			"them, look for a firewall that drops forwarded packets, at net.ipv4.conf.*.forwarding and at the " +
			"pods' routes.",
	}},
	{"WG0502", "doubtful", "", forwardNarrow}, // Nothing: what drops is not known for certain.
	{"WG0502", "busy", "", Hint{ // Nothing.
		Title: "Run verify again when the nodes are less busy",
		Note: "Where the test pods or the captures do not get the processor in time, a missing answer says " +
			"nothing of the network.",
	}},
	{"WG0502", "before", "", Hint{ // Nothing: what drops is not known.
		Title: "Find what keeps the pods' packets from {device} on {node}",
		Note: "ip route get with the other pod's address, from the pod's own and iif its link, shows where they go; " +
			"look for network policies (kubectl get networkpolicies -A), for a firewall that drops forwarded " +
			"packets, and at net.ipv4.conf.*.rp_filter and forwarding.",
	}},
	{"WG0502", "behind", "", Hint{ // Nothing: what drops is not known.
		Title: "Find what keeps the packets that leave {device} from the pods on {node}",
		Note: "The tunnel works. Look for network policies (kubectl get networkpolicies -A), for a firewall that " +
			"drops forwarded packets (firewalld and ufw do by default), at net.ipv4.conf.{device}.rp_filter and " +
			"forwarding, and at the route to the pods.",
	}},
	{"WG0502", "within", "", Hint{ // Nothing: what drops is not known.
		Title: "Find why {device} of {node} hands over nothing of what {peer} sends",
		Note: "WireGuard drops what comes from an address that is not among the allowed IPs of the peer: wg show " +
			"{device} on {node} lists them, and ip -s link show {device} counts errors and drops. If they fit, " +
			"compare the kernel with that of a node that works, and have the network plugin make the device again.",
	}},
	{"WG0502", "", "", Hint{ // Nothing: what drops is not known.
		Title: "Find what stops the pods' own packets",
		Note: "Look for network policies (kubectl get networkpolicies -A), for a firewall that " +
			"drops forwarded packets (firewalld and ufw do by default) and at the pods' routes.",
	}},
	{"WG0503", "fits", "", Hint{ // Nothing: the MTU is set in the network plugin's configuration.
		Title: "Lower the tunnel's MTU to {mtu}",
		Note: "Packets of {mtu} bytes pass from {node} to {peer}. Set it in the network plugin's configuration; for " +
			"one that subtracts WireGuard's overhead itself this is {underlay}. Restart it and recreate the pods.",
	}},
	{"WG0503", "pods", "", Hint{ // Nothing: both are in configurations that are not known.
		Title: "Give pods the tunnel's MTU, {most}, or have their node tell them",
		Note: "The kernel of {node} answers what is too large for {device} with ICMP \"fragmentation needed\" (IPv6: " +
			"\"packet too big\"), and that did not reach the pod: look for what drops ICMP in nft list ruleset " +
			"on {node}. The pods' MTU is set by the CNI configuration in /etc/cni/net.d; they get another when they " +
			"are created again.",
	}},
	{"WG0503", "between", "", Hint{ // Nothing.
		Title: "Lower the tunnel's MTU, or find what drops packets between {mtu} and {size} bytes",
		Note: "Packets of {mtu} bytes pass from {node} to {peer}, those of {size} do not. A network that carries " +
			"less than 1280 bytes is rather a filter by size: look for one on {peer} first.",
	}},
	{"WG0503", "", "", Hint{ // Nothing.
		Title: "Lower the tunnel's MTU",
		Note: "The network below carries less than the tunnel's MTU plus 60 bytes (80 over IPv6). Set the MTU in " +
			"the network plugin's configuration and create the pods again.",
	}},
}

// The commands that accept the tunnel's datagrams accept what one other node
// sends, or what is sent to it, directly before the rule that drops it or behind
// the last rule of a chain whose policy drops. None opens a port to everyone, and
// none stands before chains of NetworkPolicies.
const (
	insertByNft = "nft insert rule {family} {table} {chain} position {handle} {ip} {end} {address} udp dport " +
		"{port} accept"
	appendByNft = "nft add rule {family} {table} {chain} {ip} {end} {address} udp dport {port} accept"
	insertByXt  = "{iptables} -t {table} -I {chain} {number} --{side} {address} -p udp --dport {port} -j ACCEPT"
	appendByXt  = "{iptables} -t {table} -A {chain} --{side} {address} -p udp --dport {port} -j ACCEPT"

	ownInput = "Add it to the firewall's own configuration too, or it is gone after a restart. With ufw: ufw allow " +
		"from {address} to any port {port} proto udp; with firewalld: firewall-cmd --add-rich-rule='rule " +
		"family=ipv{version} source address={address} port port={port} protocol=udp accept', " +
		"and again with --permanent."
	ownOutput = "Add it to the firewall's own configuration too, or it is gone after a restart. With ufw: ufw " +
		"allow out to {address} port {port} proto udp."
)

// The syntax of firewalld: see firewalld.richlanguage(5) and firewall-cmd(1).
const (
	richRule = "--add-rich-rule='rule family=ipv{version} source address={address} port port={port} " +
		"protocol=udp accept'"

	trustPods = "--zone=trusted --add-source={there} --add-source={here}"
)

// trackMore describes how a node comes to track more connections.
var trackMore = Hint{
	Title: "Make room in the table of connections of {node}",
	Note: "conntrack -S shows the drops, conntrack -L what fills the table: find what opens so many. kube-proxy sets " +
		"net.netfilter.nf_conntrack_max when it starts, by its --conntrack-max-per-core and --conntrack-min: " +
		"raise it there, since a value set by hand is replaced.",
}

// acceptBefore accepts the tunnel's datagrams before a rule that drops them.
func acceptBefore(command, note string) Hint {
	return Hint{
		Title: "Accept UDP port {port} for {address} alone, directly before the rule that drops it",
		Steps: []Step{{On: "{node}", Command: command}}, Note: note,
	}
}

// acceptBehind accepts the tunnel's datagrams before the policy of a chain does not.
func acceptBehind(command, note string) Hint {
	return Hint{
		Title: "Accept UDP port {port} for {address} alone, which the policy of chain {chain} drops",
		Steps: []Step{{On: "{node}", Command: command}}, Note: note,
	}
}

// What the accept for pods narrows to, in both directions.
const (
	podsByNft     = "{ip} saddr {there} {ip} daddr {here} accept"
	podsBackByNft = "{ip} saddr {here} {ip} daddr {there} accept"

	forwardFirewall = "Add both to the firewall's own configuration too, or they are gone after a restart."

	lookAt = "nft list ruleset, iptables-save and iptables-legacy-save (all tables); tc -s filter show dev LINK " +
		"ingress and bpftool net; sysctl net.ipv4.conf.all.rp_filter and that of the link; nstat -az " +
		"IPReversePathFilter UdpInCsumErrors UdpInErrors; ss -lunp for the port. A counter that rises with the " +
		"tunnel's datagrams names it."
)

// openNarrow describes what to accept where it is not known before which rule.
var openNarrow = Hint{
	Title: "Accept UDP port {port} from the other node, before the rule that drops it",
	Note: "Narrow it to the other node's address. With ufw: ufw allow from ADDRESS to any port {port} proto udp; " +
		"with firewalld: a rich rule with source address and port.",
}

// openOut describes what to let out where it is not known before which rule.
var openOut = Hint{
	Title: "Let UDP port {port} out to the other node, before the rule that drops it",
	Note: "Narrow it to the other node's address. With ufw: ufw allow out to ADDRESS port {port} proto udp; " +
		"otherwise where the rule comes from.",
}

// wayToEndpoint describes what to look at where the kernel has no route to an endpoint.
var wayToEndpoint = Hint{
	Title: "Give {node} a route to {address}, the endpoint of {peer}",
	Note: "ip -{version} route get {address} shows what refuses, ip -{version} route show table all and ip " +
		"-{version} rule what there is. Find out what added it: a VPN, a network manager, a firewall against scans.",
}

// forwardNarrow describes what to look at where no rule can be named for certain.
var forwardNarrow = Hint{
	Title: "Find out whether the rule that is shown drops the pods' packets on {node}",
	Note: "Look at network policies first: kubectl get networkpolicies -A. The rule's counter rises if it does. An " +
		"accept belongs directly before it, narrowed to the two pod ranges, and never before the chains of network " +
		"policies.",
}
