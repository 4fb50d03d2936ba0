package check

import (
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// row is one check, and the function that judges its subjects: the cluster, each
// node, each node once for each family of the run, or each edge. One is set.
type row struct {
	verdict.Check
	cluster func(*view) verdict.Outcome
	node    func(*view, *graph.Node) verdict.Outcome
	family  func(*view, *graph.Node, int) verdict.Outcome
	edge    func(*view, *graph.Edge) verdict.Outcome
	// asked reports whether the run was asked for what the check is about; nil: always.
	asked func(*view) bool
}

var (
	needProbe = []verdict.Need{verdict.NeedProbe}
	needPod   = []verdict.Need{verdict.NeedPod}
	needBoth  = []verdict.Need{verdict.NeedProbe, verdict.NeedPod}
)

// rows is the table of checks in causal order: what comes first can explain what
// comes later.
//
//	WG01xx the cluster, its configuration and this run    WG02xx hosts and devices
//	WG03xx peers and keys    WG04xx routing    WG05xx reachability and sizes
//	WG06xx the proof on the wire    WG07xx performance    WG08xx scope
var rows = []row{
	{
		Check: verdict.Check{
			Code: "WG0101", Title: "the network plugin is one that encrypts, the same on every node",
			Failed: "the network plugin does not encrypt, or not on every node",
			Why: "A backend that does not encrypt sends pod traffic in plaintext unless an encrypting network lies " +
				"below it; nodes with different backends do not reach each other.",
			Reads: "node annotations of the network plugin",
		},
		cluster: (*view).backend,
	},
	{
		Check: verdict.Check{
			Code: "WG0102", Title: "every node takes part",
			Failed: "a node was not tested",
			Kind:   verdict.Unproven,
			Why: "A node that was not tested is not proven: a single one without WireGuard can carry the traffic " +
				"that matters.",
			Reads: "nodes: conditions, taints, operating system",
		},
		cluster: (*view).everyNode,
	},
	{
		Check: verdict.Check{
			Code: "WG0103", Title: "the run's pods started and answered",
			Failed: "the run's pods did not start or did not answer",
			Kind:   verdict.Unproven,
			Why:    "Without a probe and a test pod on a node there is no evidence of it.",
			Reads:  "pods, events, the plugin's own record",
			Needs:  needBoth,
		},
		node: (*view).started,
	},
	{
		Check: verdict.Check{
			Code: "WG0107", Title: "the test pod has an address of the family that is tested",
			Failed: "a test pod has no address of a family that was to be tested",
			Kind:   verdict.Unproven,
			Why: "What was asked for and cannot be tested is not proven. A cluster of one family has no traffic " +
				"of the other; that is neither a failure nor a proof.",
			Reads: "the test pod's addresses, the node's pod ranges, the allowed IPs of other nodes' peers",
			After: []string{"WG0103"},
		},
		family: (*view).addressed,
	},
	{
		Check: verdict.Check{
			Code: "WG0104", Title: "the nodes run the backend that they are configured with",
			Failed: "a node does not run the backend that it is configured with",
			Why: "A backend that was configured and not yet started, or on an agent instead of the servers, " +
				"encrypts nothing.",
			Reads: "node annotations: the arguments that the distribution last started with, the backend of the lease",
		},
		cluster: (*view).configured,
	},
	{
		Check: verdict.Check{
			Code: "WG0105", Title: "no node publishes an address that its configuration no longer asks for",
			Failed: "a node publishes an outdated address",
			Why: "An annotation that overwrites a node's address outlives the option that wrote it and keeps the " +
				"tunnel's endpoint at the old address.",
			Reads: "node annotations: the overwriting address, the arguments that the distribution last started with",
		},
		node: (*view).overwritten,
	},
	{
		Check: verdict.Check{
			Code: "WG0106", Title: "no two nodes publish the same endpoint",
			Failed: "two nodes publish the same endpoint",
			Why: "Two nodes behind one address and port cannot both be reached: one of them gets the other's " +
				"datagrams.",
			Reads: "node annotations: the published address and port",
		},
		cluster: (*view).endpoints,
	},
	{
		Check: verdict.Check{
			Code: "WG0201", Title: "the WireGuard device is there and up",
			Failed: "the WireGuard device is missing or down",
			Why: "The name of a link proves nothing: one that is called like the tunnel may be of another kind, and " +
				"one that is called like an overlay may be WireGuard. What counts is the link's kind and that it " +
				"is up.",
			Reads: "links by rtnetlink with their kind, control sockets of userspace WireGuard",
			Needs: needProbe,
			After: []string{"WG0103", "WG0101", "WG0104"},
		},
		family: (*view).deviceUp,
	},
	{
		Check: verdict.Check{
			Code: "WG0202", Title: "the WireGuard device could be read",
			Failed: "the WireGuard device could not be read",
			Kind:   verdict.Unproven,
			Why: "Keys, peers and byte counters of the device are half of the proof; they need CAP_NET_ADMIN in " +
				"the host's network namespace.",
			Reads: "the device as wgctrl gives it",
			Needs: needProbe,
			After: []string{"WG0103", "WG0107", "WG0201"},
		},
		family: (*view).deviceRead,
	},
	{
		Check: verdict.Check{
			Code: "WG0301", Title: "each node holds the key that it publishes",
			Failed: "a node's published key is not the one in use",
			Why: "The published key is what the others encrypt for. A key that the node's device does not hold " +
				"belongs to an earlier device, or to somebody else.",
			Reads: "the network plugin's node annotation, the device's public key",
			Proof: verdict.P7Keys, Needs: needProbe,
			After: []string{"WG0103", "WG0107", "WG0101", "WG0201", "WG0202"},
		},
		family: (*view).published,
	},
	{
		Check: verdict.Check{
			Code: "WG0303", Title: "no two nodes share a key",
			Failed: "two nodes share a key",
			Why: "The kernel silently ignores a peer that has the device's own key; on other nodes the " +
				"last one to be configured takes over the addresses. Cloned machines do this.",
			Reads: "the public keys of all devices, the keys that nodes publish",
			Proof: verdict.P7Keys, Needs: needProbe,
			After: []string{"WG0103", "WG0107", "WG0201", "WG0202"},
		},
		cluster: (*view).unique,
	},
	{
		Check: verdict.Check{
			Code: "WG0302", Title: "each node has the others as peers, with the keys they hold",
			Failed: "a node has no peer, or an outdated key, for another node",
			Why:    "A peer with a stale key gets no handshake; a missing peer gets no traffic.",
			Reads:  "the peers of the sending node's device, the key of the receiving node's device",
			Proof:  verdict.P7Keys, Needs: needProbe,
			After: []string{"WG0103", "WG0107", "WG0201", "WG0202", "WG0301", "WG0303"},
		},
		edge: (*view).knows,
	},
	{
		Check: verdict.Check{
			Code: "WG0306", Title: "each node sends to where the other says it is",
			Failed: "a node sends to an endpoint that is not the other node's",
			Why: "An endpoint that is not the other node's sends its ciphertext to nobody, or to a stranger. " +
				"After a change of address the others keep the old one until they hear from it or are restarted.",
			Reads: "the peer's endpoint, the address and port that the node publishes, its own addresses, " +
				"those of the other nodes",
			Needs: needProbe,
			After: []string{"WG0103", "WG0107", "WG0201", "WG0202", "WG0105", "WG0106", "WG0302"},
		},
		edge: (*view).endpoint,
	},
	{
		Check: verdict.Check{
			Code: "WG0304", Title: "the pod range of each node belongs to its peer, and to that alone",
			Failed: "a pod range belongs to no peer, or to the wrong one",
			Why: "WireGuard routes by allowed IPs: a pod address under no peer is refused, under the wrong one it " +
				"is encrypted for the wrong node.",
			Reads: "allowed IPs of all peers of the device, pod ranges, the test pod's address",
			Proof: verdict.P7Keys, Needs: needProbe,
			After: []string{"WG0103", "WG0107", "WG0201", "WG0202", "WG0301", "WG0303", "WG0302"},
		},
		edge: (*view).ranges,
	},
	{
		Check: verdict.Check{
			Code: "WG0401", Title: "the route to the other nodes' pods leads into the tunnel",
			Failed: "the route to another node's pods does not lead into the tunnel",
			Kind:   verdict.Plaintext,
			Why: "A healthy tunnel that no route leads into encrypts nothing. A more specific route, left over " +
				"from another backend or added by another network, silently takes precedence over the tunnel's.",
			Reads: "the kernel's own answer for the pod's address (RTM_GETROUTE), then the routing tables to " +
				"explain it",
			Needs: needProbe,
			After: slices.Concat(withoutCarrier, withoutKey),
		},
		edge: (*view).route,
	},
	{
		Check: verdict.Check{
			Code: "WG0402", Title: "no rule, route or filter gives a pod's packet another way",
			Failed: "a rule, route or filter gives pod packets another path",
			Kind:   verdict.Plaintext,
			Why: "A test pod's packets stand for those of all pods only if nothing on the node treats others " +
				"otherwise: a rule for one port or one part of the pod range, a second next hop, a mark, a " +
				"statement that copies packets.",
			Reads: "policy routing rules, all routing tables that overlap the pod ranges, statements of filters " +
				"that mark, copy or divert, and a test packet of its own for each path that needs one",
			Proof: verdict.P8NoOtherPath, Needs: needProbe,
			After: []string{"WG0103", "WG0107", "WG0101", "WG0104", "WG0201", "WG0401"},
		},
		edge: (*view).paths,
	},
	{
		Check: verdict.Check{
			Code: "WG0504", Title: "an encrypted packet of full size fits the link below the tunnel",
			Failed: "encrypted packets of full size do not fit the link below the tunnel",
			Kind:   verdict.Blocked,
			Why: "What does not fit is cut into fragments outside, which many networks drop: small packets pass, " +
				"transfers stall.",
			Reads: "MTU of the WireGuard link and of the link that the kernel reaches the peer's endpoint through",
			Needs: needProbe,
			After: []string{"WG0103", "WG0201", "WG0202"},
		},
		edge: (*view).fits,
	},
	{
		Check: verdict.Check{
			Code: "WG0505", Title: "no pod has a larger MTU than the tunnel",
			Failed: "pods have a larger MTU than the tunnel",
			Why: "Pods keep the MTU they were created with. After a switch to WireGuard the old ones send packets " +
				"that do not fit the tunnel.",
			Reads: "MTU of the links to local pods and of the WireGuard link",
			Needs: needProbe,
			After: []string{"WG0103", "WG0201"},
		},
		node: (*view).oldPods,
	},
	{
		Check: verdict.Check{
			Code: "WG0501", Title: "the tunnel's UDP datagrams arrive at the other node's WireGuard",
			Failed: "WireGuard's UDP packets do not arrive at the other node",
			Kind:   verdict.Blocked,
			Why: "A firewall on a node or between the nodes that drops the tunnel's port looks like a broken " +
				"cluster. Where the packets were last seen shows who drops them.",
			Reads: "WireGuard messages captured leaving one node and arriving at the other, what the receiver's " +
				"device authenticated, rules of all packet filters with their conditions, the kernel's route to the " +
				"endpoint and its next hop, rp_filter, counters of the network stack",
			Needs: needProbe, Outage: true,
			After: []string{
				"WG0103", "WG0107", "WG0101", "WG0104", "WG0106", "WG0201", "WG0202", "WG0301",
				"WG0303", "WG0302", "WG0306", "WG0304", "WG0401",
			},
		},
		edge: (*view).arrives,
	},
	{
		Check: verdict.Check{
			Code: "WG0604", Title: "a leak would have been seen",
			Failed: "a leak could have been missed",
			Kind:   verdict.Unproven,
			Why: "That no plaintext was seen means something only if the same capture, in the same window, " +
				"saw a plaintext packet that was sent on purpose along the same path, and dropped nothing.",
			Reads: "captures: life span, drops, truncation; controls sent, seen leaving and seen arriving",
			Proof: verdict.P6Reliable, Needs: needProbe,
			After: []string{"WG0103", "WG0101", "WG0106", "WG0306", "WG0501"},
		},
		edge: (*view).captureVerified,
	},
	{
		Check: verdict.Check{
			Code: "WG0611", Title: "nothing passes the captures unseen",
			Failed: "packets can pass the captures unseen",
			Kind:   verdict.Unproven,
			Why: "A packet socket does not see all that crosses a link: an XDP program takes and sends frames " +
				"before it, some offloads after it, and a link that appears meanwhile is not captured at all. " +
				"What can do so is looked for, and the link's own counters are compared with what was captured " +
				"on it.",
			Reads: "XDP programs, BPF programs and redirects of traffic control, offloads, changes of links, links' " +
				"counters and what was captured on them",
			Proof: verdict.P6Reliable, Needs: needProbe,
			After: []string{"WG0103"},
		},
		node: (*view).blind,
	},
	{
		Check: verdict.Check{
			Code: "WG0502", Title: "pods on the two nodes reach each other",
			Failed: "pods on two nodes do not reach each other",
			Kind:   verdict.Blocked,
			Why: "Only traffic that arrived and was answered can be said to have crossed encrypted. Answers are " +
				"authenticated with a key of this run, so nobody in between can give them.",
			Reads: "test packets sent, received and answered by the test pods over UDP, TCP and, where allowed, " +
				"ICMP, rules of packet filters that drop what is forwarded, whether the kernel forwards, " +
				"drops of connection tracking",
			Proof: verdict.P1Delivered, Needs: needPod, Outage: true,
			After: []string{
				"WG0103", "WG0107", "WG0101", "WG0104", "WG0106", "WG0201", "WG0202", "WG0301",
				"WG0303", "WG0302", "WG0306", "WG0304", "WG0401", "WG0501",
			},
		},
		edge: (*view).delivered,
	},
	{
		Check: verdict.Check{
			Code: "WG0503", Title: "packets of full size pass",
			Failed: "packets of full size do not pass",
			Kind:   verdict.Blocked,
			Why:    "A tunnel whose MTU is too large for the network below it passes pings and stalls transfers.",
			Reads:  "test packets as large as the pod's own link takes, sent with DF set",
			Proof:  verdict.P1Delivered, Needs: needPod, Outage: true,
			After: []string{
				"WG0103", "WG0107", "WG0101", "WG0104", "WG0106", "WG0201", "WG0202", "WG0301",
				"WG0303", "WG0302", "WG0306", "WG0304", "WG0401", "WG0504", "WG0501", "WG0502",
			},
		},
		edge: (*view).fullSize,
	},
	{
		Check: verdict.Check{
			Code: "WG0609", Title: "the first packets of a new pod's life are encrypted too",
			Failed: "the first packets of a new pod are not encrypted",
			Kind:   verdict.Plaintext,
			Why: "Where agents learn of pods one by one, a pod can be reached before every node knows it, and " +
				"what a node does not know it may send in plaintext. Pods that have been there for a while do not " +
				"show it.",
			Reads: "marked packets that a pod sends from its first moment on, made while every link was captured: on " +
				"the WireGuard link, on links that leave a host, at the pods they are for",
			Proof: verdict.P3NoPlaintext, Needs: needBoth, Seen: true,
			After: []string{
				"WG0103", "WG0107", "WG0604", "WG0101", "WG0104", "WG0201", "WG0401", "WG0402",
				"WG0501", "WG0502",
			},
		},
		edge: (*view).first,
	},
	{
		Check: verdict.Check{
			Code: "WG0601", Title: "no pod traffic crosses the wire in clear",
			Failed: "pod traffic crosses the wire in plaintext",
			Kind:   verdict.Plaintext,
			Why: "One packet of a pod that can be read on a link that leaves the host is the failure this tool " +
				"exists to find.",
			Reads: "every frame on every link that leaves a host, searched for the run's mark at any place, for the " +
				"test pods' addresses in a header at any place, and for headers from one node's pod range to " +
				"another's, bare or in an encapsulation that can be read; the run's packets on tunnels that are " +
				"not the carrier",
			Proof: verdict.P3NoPlaintext, Needs: needBoth, Seen: true,
			After: []string{
				"WG0103", "WG0107", "WG0604", "WG0101", "WG0104", "WG0201", "WG0401", "WG0402",
				"WG0609",
			},
		},
		edge: (*view).absent,
	},
	{
		Check: verdict.Check{
			Code: "WG0608", Title: "nothing else of this run crosses the wire in clear",
			Failed: "packets cross the wire in plaintext",
			Kind:   verdict.Plaintext,
			Why:    "The run's mark in plaintext is a leak even where the sender of the packet is unknown.",
			Reads: "frames that bear the run's mark and name no pair of it, and packets of other pods between nodes " +
				"whose pair was not tested",
			Proof: verdict.P3NoPlaintext, Needs: needProbe, Seen: true,
			After: []string{"WG0103"},
		},
		cluster: (*view).unattributed,
	},
	{
		Check: verdict.Check{
			Code: "WG0621", Title: "traffic to Services, nodes and the DNS is encrypted where the network promises it",
			Failed: "traffic that the network promises to encrypt crosses the wire in plaintext",
			Kind:   verdict.Plaintext,
			Why: "A packet to a Service or from a node can take another path than one from pod to pod: " +
				"its addresses are translated on the way. One for a pod that has ended can be unknown to its " +
				"node by then. What the network does not promise to encrypt, " +
				"such as what is for a node's own address, is in clear by design and fails nothing.",
			Reads: "where --scope asks for it: marked datagrams of each class, sent, received and answered, " +
				"on WireGuard links and on links that leave a host",
			Needs: needBoth, Seen: true,
			After: []string{
				"WG0103", "WG0107", "WG0604", "WG0101", "WG0104", "WG0201", "WG0401", "WG0402",
				"WG0501", "WG0502", "WG0601",
			},
		},
		edge:  (*view).classes,
		asked: func(v *view) bool { return len(v.AskedClasses()) > 0 },
	},
	{
		Check: verdict.Check{
			Code: "WG0605", Title: "the same traffic was seen going through the tunnel",
			Failed: "packets that arrived were not seen in the tunnel",
			Kind:   verdict.Unproven,
			Why: "That the marks are found in plaintext on the WireGuard link shows that the search works on this " +
				"very traffic, and that the traffic took this path.",
			Reads: "marked frames captured on the WireGuard link of both nodes",
			Proof: verdict.P2InTunnel, Needs: needBoth,
			After: []string{
				"WG0103", "WG0107", "WG0604", "WG0101", "WG0104", "WG0106", "WG0201", "WG0202",
				"WG0301", "WG0303", "WG0302", "WG0306", "WG0304", "WG0401", "WG0402", "WG0501",
				"WG0502", "WG0503", "WG0601",
			},
		},
		edge: (*view).throughTunnel,
	},
	{
		Check: verdict.Check{
			Code: "WG0602", Title: "ciphertext of the right number and size crosses the wire",
			Failed: "the ciphertext on the wire is not that of the packets that arrived",
			Kind:   verdict.Unproven,
			Why: "Something on UDP port 51820 proves nothing, a keepalive does as much. These are data messages " +
				"between these two endpoints, of the very sizes that the test packets become, with counters that " +
				"never repeat.",
			Reads: "WireGuard messages captured leaving one node and arriving at the other, on network cards or on " +
				"the link of another tunnel that carries them: sizes, receiver indices, counters; " +
				"the other tunnel's own messages",
			Proof: verdict.P4Ciphertext, Needs: needBoth,
			After: []string{
				"WG0103", "WG0107", "WG0604", "WG0101", "WG0104", "WG0106", "WG0201", "WG0202",
				"WG0301", "WG0303", "WG0302", "WG0306", "WG0304", "WG0401", "WG0402", "WG0501",
				"WG0502", "WG0503", "WG0601", "WG0605",
			},
		},
		edge: (*view).ciphertext,
	},
	{
		Check: verdict.Check{
			Code: "WG0607", Title: "handshakes in the window were made for the receiver's key",
			Failed: "a handshake was made for another key",
			Why: "A handshake message's mac1 can be checked with public keys alone and holds for exactly one " +
				"receiver.",
			Reads: "captured initiations and responses, public keys of the devices",
			Proof: verdict.P4Ciphertext, Needs: needBoth,
			After: []string{
				"WG0103", "WG0107", "WG0604", "WG0101", "WG0104", "WG0106", "WG0201", "WG0202",
				"WG0301", "WG0303", "WG0302", "WG0306", "WG0304", "WG0401", "WG0402", "WG0501",
				"WG0502", "WG0503", "WG0601", "WG0605",
			},
		},
		edge: (*view).mac1,
	},
	{
		Check: verdict.Check{
			Code: "WG0603", Title: "what the kernel counted is what was captured",
			Failed: "the kernel's counters and the captured bytes differ",
			Kind:   verdict.Unproven,
			Why: "A receiver counts only what it could authenticate. That this equals the bytes seen on the wire " +
				"means that what was captured was this tunnel's ciphertext and all of it.",
			Reads: "per-peer byte counters on both nodes, read before and after the captures and before and after " +
				"the test packets; sums of captured messages",
			Proof: verdict.P5Counters, Needs: needBoth,
			After: []string{
				"WG0103", "WG0107", "WG0604", "WG0101", "WG0104", "WG0106", "WG0201", "WG0202",
				"WG0301", "WG0303", "WG0302", "WG0306", "WG0304", "WG0401", "WG0402", "WG0501",
				"WG0502", "WG0503", "WG0601", "WG0602", "WG0605",
			},
		},
		edge: (*view).counted,
	},
	{
		Check: verdict.Check{
			Code: "WG0606", Title: "the handshake is fresh after traffic",
			Failed: "the handshake is missing or too old",
			Kind:   verdict.Unproven,
			Why: "A session that carries traffic renews its key every two minutes. An old handshake without " +
				"traffic says nothing, with traffic it means that the tunnel is dead.",
			Reads: "age of the last handshake by the node's own clock, after the test packets",
			Proof: verdict.P5Counters, Needs: needBoth,
			After: []string{
				"WG0103", "WG0107", "WG0604", "WG0101", "WG0104", "WG0106", "WG0201", "WG0202",
				"WG0301", "WG0303", "WG0302", "WG0306", "WG0304", "WG0401", "WG0402", "WG0501",
				"WG0502", "WG0503", "WG0601", "WG0605",
			},
		},
		edge: (*view).fresh,
	},
	{
		Check: verdict.Check{
			Code: "WG0701", Title: "WireGuard runs in the kernel",
			Failed: "userspace WireGuard: encrypted, but slower",
			Why: "A userspace implementation encrypts as well as the kernel's and takes several times its " +
				"processor time.",
			Reads: "how the device was read: from the kernel or through a control socket",
			Needs: needProbe,
			After: []string{"WG0103", "WG0202"},
		},
		node: (*view).kernel,
	},
	{
		Check: verdict.Check{
			Code: "WG0702", Title: "a tunnel through a NAT is kept open",
			Failed: "a node behind a NAT sends no keepalives",
			Why: "A NAT forgets a node that is silent. Until that node sends something itself, the others cannot " +
				"reach its pods; a keepalive on the inner node prevents this.",
			Reads: "the peer's endpoint in use, the addresses and the port of the other node, its keepalive interval",
			Needs: needProbe,
			After: []string{"WG0103", "WG0202"},
		},
		node: (*view).keptOpen,
	},
	{
		Check: verdict.Check{
			Code: "WG0801", Title: "every address family of the pods was tested",
			Failed: "an address family of the pods was not tested",
			Why: "Each family has a tunnel or at least allowed IPs of its own; that one is encrypted says nothing " +
				"of the other.",
			Reads: "pod ranges of the nodes, families of the run",
		},
		cluster: (*view).families,
	},
	{
		Check: verdict.Check{
			Code: "WG0802", Title: "it is known who encrypts, the network plugin or the machines",
			Failed: "who encrypts",
			Why: "A network plugin encrypts between pods and knows every node by itself. A WireGuard between the " +
				"machines below it encrypts the host network too (kubelet, etcd, hostNetwork pods), and has keys and " +
				"peers of its own to be kept. Which of them fits depends on what the nodes' network crosses.",
			Reads: "the profile, published and internal addresses of the nodes, their topology labels, NATs between " +
				"them, the routes of WireGuard's own messages, marks of meshes on namespaces",
			Needs: needProbe, Advice: true,
		},
		cluster: (*view).level,
	},
	{
		Check: verdict.Check{
			Code: "WG0803", Title: "it is known which peers have a preshared key",
			Failed: "preshared keys",
			Why: "A preshared key protects recorded traffic against somebody who can break Curve25519 later. It is " +
				"optional; where some peers have one and others not, it was set for a part of the cluster only.",
			Reads: "of each peer whether a preshared key is set, never the key",
			Needs: needProbe, Advice: true,
		},
		cluster: (*view).presharedKeys,
	},
	{
		Check: verdict.Check{
			Code: "WG0804", Title: "it is known whether a node is in FIPS mode",
			Failed: "FIPS mode",
			Why: "WireGuard has one set of algorithms, and FIPS 140 approves neither its cipher, ChaCha20-Poly1305, " +
				"nor its hash, BLAKE2s. The traffic is encrypted all the same; an audit that asks for approved " +
				"algorithms does not accept it.",
			Reads: "/proc/sys/crypto/fips_enabled of each node",
			Needs: needProbe, Advice: true,
		},
		cluster: (*view).approved,
	},
	{
		Check: verdict.Check{
			Code: "WG0805", Title: "it is known what becomes of a packet that the tunnel has no peer for",
			Failed: "fail-open",
			Why: "A system that fails closed drops such a packet; one that fails open sends it in plaintext, while a " +
				"node has no key yet, or has lost it. Today's proof holds either way.",
			Reads:  "the profile: what the network plugin does by design",
			Advice: true,
		},
		cluster: (*view).missingPeer,
	},
	{
		Check: verdict.Check{
			Code: "WG0806", Title: "it is known whether control-plane nodes took part",
			Failed: "control-plane nodes",
			Why: "Pods run on control-plane nodes too, and some networks leave these nodes' own traffic unencrypted " +
				"by default. What was left out is not proven.",
			Reads:  "roles of the nodes by their labels, nodes that were left out on request, the profile",
			Advice: true,
		},
		cluster: (*view).controlPlane,
	},
}
