package evidence

import (
	"net/netip"
	"slices"
	"strings"
)

// Hello opens every stream: who speaks, with which schema, on what system.
type Hello struct {
	Schema  string `json:"schema"`            // see Schema
	Version string `json:"version,omitempty"` // of the program that speaks
	Role    string `json:"role"`              // "probe", "pod", "trial", "logs" or "plugin"
	Node    string `json:"node,omitempty"`    // node name as given to the agent
	BootID  string `json:"bootID,omitempty"`  // /proc/sys/kernel/random/boot_id
	Kernel  string `json:"kernel,omitempty"`  // uname -r
	Arch    string `json:"arch,omitempty"`    // GOARCH
	// OS, OSVersion are ID and VERSION_ID of os-release, where the probe can
	// see the host's; otherwise the plugin falls back to the node's osImage.
	OS        string `json:"os,omitempty"`
	OSVersion string `json:"osVersion,omitempty"`
	// Clock is the speaker's wall clock, nanoseconds since 1970. Clocks of
	// different speakers are never compared for the proof.
	Clock int64 `json:"clock,omitempty"`
	// NetNS is the inode of the speaker's network namespace, to distinguish a host
	// network probe from one that is not.
	NetNS uint64 `json:"netns,omitempty"`
	// FIPS reports whether the kernel is in FIPS mode (/proc/sys/crypto/fips_enabled);
	// nil where it was not read, as in recordings of earlier versions.
	FIPS *bool `json:"fips,omitempty"`
}

// Module reports whether the kernel can do WireGuard, read without loading it.
type Module struct {
	Name   string `json:"name"`           // "wireguard"
	Loaded bool   `json:"loaded"`         // /sys/module/NAME exists
	Note   string `json:"note,omitempty"` // e.g. why it is not known
}

// LinkRole describes what a link's frames mean for the proof.
type LinkRole string

// The roles. A link is RoleOutside unless it is proven to be another.
const (
	// RoleOutside: frames on it leave the host. No canary may be seen in clear.
	RoleOutside LinkRole = "outside"
	// RoleWireGuard: what enters it is encrypted; canaries are seen in clear.
	RoleWireGuard LinkRole = "wireguard"
	// RoleInside: proven to stay on the host or to emerge again on an outside
	// link: loopback, bridge, overlay device, veth of a local pod.
	RoleInside LinkRole = "inside"
)

// Link is one network device of the host, read through rtnetlink.
type Link struct {
	Index int    `json:"index"`
	Name  string `json:"name"`
	Kind  string `json:"kind,omitempty"` // IFLA_INFO_KIND: wireguard, vxlan, veth, bridge, tun, …; empty for hardware
	Type  string `json:"type,omitempty"` // ARPHRD: ether, none, loopback, …
	MTU   int    `json:"mtu"`
	Up    bool   `json:"up"` // administratively up
	// NoCarrier: nothing is plugged in at the other end, so no frame can leave.
	NoCarrier bool   `json:"noCarrier,omitempty"`
	Master    string `json:"master,omitempty"` // bridge, bond or routing domain (VRF) it belongs to
	// Table is the routing table of a VRF, 0 for another link and in recordings of
	// earlier versions.
	Table  int    `json:"table,omitempty"`
	Parent string `json:"parent,omitempty"` // lower link of a VLAN, vxlan, macvlan in the same namespace
	Backup bool   `json:"backup,omitempty"` // a member of a bond that the bond does not send by at present
	Group  int    `json:"group,omitempty"`  // IFLA_GROUP, which rules can suppress answers by
	PeerNS bool   `json:"peerNS,omitempty"` // the other end is in another network namespace
	Ether  string `json:"ether,omitempty"`  // hardware address of an Ethernet link
	XDP    *XDP   `json:"xdp,omitempty"`    // nil if no program is attached, or none was asked for
	// Offloads are features that are on and by which frames can pass the link
	// without passing a packet socket: hw-tc-offload, esp-hw-offload.
	Offloads []string `json:"offloads,omitempty"`
	Role     LinkRole `json:"role"`
	Why      string   `json:"why"` // the reason for Role, a phrase
	// ReversePath is the IPv4 rp_filter that applies to a link that leaves the host,
	// the larger of the link's own and that of all: 1 strict, 2 loose.
	ReversePath int `json:"reversePath,omitempty"`
	// NoForwarding are the families, 4 and 6, of which the kernel forwards nothing
	// that arrives on the link: net.ipv4.conf.LINK.forwarding or
	// net.ipv6.conf.all.forwarding is 0. Of bridges and WireGuard links alone.
	NoForwarding []int `json:"noForwarding,omitempty"`

	RXErrors  uint64 `json:"rxErrors,omitempty"`
	TXErrors  uint64 `json:"txErrors,omitempty"`
	RXDropped uint64 `json:"rxDropped,omitempty"`
	TXDropped uint64 `json:"txDropped,omitempty"`
}

// Address is one address of a link.
type Address struct {
	Link   string       `json:"link"`
	Prefix netip.Prefix `json:"prefix"`
}

// Route is either the kernel's answer for one destination (RTM_GETROUTE, For
// is set) or one entry of a routing table that bears on the pod network.
type Route struct {
	// For is the address that was asked about: a pod or an endpoint. Asking
	// the kernel is the only reading that counts; a table is explanation.
	For netip.Addr `json:"for,omitzero"`
	// Mark is the firewall mark the question carried, 0 for none.
	Mark        uint32       `json:"mark,omitempty"`
	Destination netip.Prefix `json:"destination,omitzero"`
	Link        string       `json:"link,omitempty"`
	Gateway     netip.Addr   `json:"gateway,omitzero"`
	Source      netip.Addr   `json:"source,omitzero"`
	Table       int          `json:"table,omitempty"`
	Type        string       `json:"type,omitempty"` // unicast, throw, blackhole, unreachable, prohibit, local
	MTU         int          `json:"mtu,omitempty"`
	// Of an entry: its metric, the octet of its TOS selector, and for one of
	// several next hops its number from 1 and its weight.
	Metric int   `json:"metric,omitempty"`
	TOS    uint8 `json:"tos,omitempty"`
	Hop    int   `json:"hop,omitempty"`
	Weight int   `json:"weight,omitempty"`
	// From is set for an entry that only packets of these sources use (IPv6).
	From netip.Prefix `json:"from,omitzero"`
	// Encap is the lightweight tunnel of an entry, as `ip route` names it: seg6,
	// bpf, mpls, ip. What it makes of a packet can go another way than Link.
	Encap string `json:"encap,omitempty"`
	Error string `json:"error,omitempty"` // the kernel's answer was an error, e.g. "network is unreachable"
}

// Rule is one policy routing rule that is not one of the kernel's defaults.
type Rule struct {
	Family   int          `json:"family"` // 4 or 6
	Priority int          `json:"priority"`
	Not      bool         `json:"not,omitempty"`
	Mark     uint32       `json:"mark,omitempty"`
	Mask     uint32       `json:"mask,omitempty"`
	From     netip.Prefix `json:"from,omitzero"`
	To       netip.Prefix `json:"to,omitzero"`
	Table    int          `json:"table,omitempty"`
	// Action is lookup (also if empty), goto, nop, blackhole, unreachable or
	// prohibit; Goto is the priority that goto continues at.
	Action string `json:"action,omitempty"`
	Goto   int    `json:"goto,omitempty"`
	In     string `json:"in,omitempty"` // iif: the link that the packet arrives on; lo for the host's own packets
	// Detached: there was no link of the name In, so that no packet arrives on it.
	Detached bool   `json:"detached,omitempty"`
	Out      string `json:"out,omitempty"`  // oif: the link that a socket is bound to; never of forwarded packets
	TOS      uint8  `json:"tos,omitempty"`  // the whole octet
	DSCP     *uint8 `json:"dscp,omitempty"` // FRA_DSCP, since Linux 6.14
	// Protocol is an IP protocol number, 0 = any. SourcePorts and TargetPorts
	// are set only where they are a condition.
	Protocol    uint8  `json:"protocol,omitempty"`
	SourcePorts *Ports `json:"sourcePorts,omitempty"`
	TargetPorts *Ports `json:"targetPorts,omitempty"`
	// Users are the socket owners it applies to; the kernel takes a forwarded
	// packet for user 0 (flowi_uid is not set in ip_route_input_slow).
	Users *[2]uint32 `json:"users,omitempty"`
	// SuppressLength: an answer whose prefix is this long or shorter does not
	// count. nil = no such condition. SuppressGroup: nor one out of a link of this group.
	SuppressLength *int `json:"suppressLength,omitempty"`
	SuppressGroup  *int `json:"suppressGroup,omitempty"`
	L3MDev         bool `json:"l3mdev,omitempty"` // the table of the packet's VRF
	// Other names attributes that the reader does not know: the rule applies to
	// some packets at most.
	Other []string `json:"other,omitempty"`
}

// Socket is the control socket of a userspace WireGuard, found by its name in
// the network namespace's list of unix sockets; only its folder must then be
// shared with the probe to read the device.
type Socket struct {
	Path   string `json:"path"`
	Device string `json:"device"`
}

// policyChains are prefixes of the chains in which programs enforce NetworkPolicies.
var policyChains = []string{"KUBE-ROUTER-", "KUBE-NWPLCY-", "KUBE-POD-FW-", "cali-", "WEAVE-NPC", "AZURE-NPM"}

// OfPolicies reports whether a program that enforces NetworkPolicies has made a
// chain: kube-router, Calico, Weave, Azure, or Kubernetes' own network-policies.
func OfPolicies(table, chain string) bool {
	return table == "calico" || table == "kube-network-policies" ||
		slices.ContainsFunc(policyChains, func(prefix string) bool { return strings.HasPrefix(chain, prefix) })
}

// Firewall is one rule of the host's packet filters that bears on the tunnel or
// on the pods' packets, in the order in which a packet meets the rules of a hook.
type Firewall struct {
	Tool   string `json:"tool"`             // nftables, iptables-legacy, ufw, firewalld, tc
	Family string `json:"family,omitempty"` // ip, ip6, inet, netdev, bridge
	Table  string `json:"table,omitempty"`
	Chain  string `json:"chain,omitempty"`
	Hook   string `json:"hook,omitempty"` // prerouting, input, forward, output, postrouting, ingress, egress
	Policy string `json:"policy,omitempty"`
	Rule   string `json:"rule,omitempty"` // rendered for a reader
	// Effect is what the rule does to a matching packet: "drop", "accept", "dnat",
	// or "present" when only its existence is known.
	Effect  string `json:"effect"`
	Port    uint16 `json:"port,omitempty"`    // one of the tunnel's that the rule names
	Packets uint64 `json:"packets,omitempty"` // the rule's counter, if it has one

	// The rest is missing in recordings of earlier versions.

	// Base is the base chain from which jumps lead to the rule.
	Base string `json:"base,omitempty"`
	Link string `json:"link,omitempty"` // that the chain or the filter is attached to, of netdev and tc
	// Handle is the rule's in nf_tables, Number its place in its chain, from 1. A
	// chain's policy has no handle; its number is that of a rule appended to it.
	Handle uint64 `json:"handle,omitempty"`
	Number int    `json:"number,omitempty"`
	// When are the conditions of the rule and of the jumps that lead to it, but for
	// the target port. Of protocols only ICMP, TCP, UDP and ICMPv6 are named.
	When *Selector `json:"when,omitempty"`
}

// Neighbour is the next hop of a peer's endpoint whose link-layer address the
// kernel asked for and did not get.
type Neighbour struct {
	Address netip.Addr `json:"address"`
	Link    string     `json:"link"`
	State   string     `json:"state"` // failed or incomplete, as `ip neighbour` names it
}

// StackCount is a counter of the kernel's network stack that rose during the run,
// by the name that /proc/net gives it, as UdpInCsumErrors.
type StackCount struct {
	Name string `json:"name"`
	Rise uint64 `json:"rise"`
	// Level is how full what it counts for was at the end, Of how full it can be:
	// entries of the table of connections, of ConntrackDrop alone.
	Level uint64 `json:"level,omitempty"`
	Of    uint64 `json:"of,omitempty"`
}

// ConntrackDrop counts the packets that the kernel dropped since it could not
// track their connection (column drop of /proc/net/stat/nf_conntrack).
const ConntrackDrop = "nf_conntrack_drop"

// ProblemClass is why a collector could not do its job.
type ProblemClass string

// The classes of problem.
const (
	ProblemPermission  ProblemClass = "permission"  // the kernel or the API said no
	ProblemMissing     ProblemClass = "missing"     // the thing to read is not there
	ProblemUnsupported ProblemClass = "unsupported" // this kernel or runtime cannot
	ProblemTimeout     ProblemClass = "timeout"     // it did not answer in time
	ProblemDamaged     ProblemClass = "damaged"     // what was read makes no sense
	ProblemScheduling  ProblemClass = "scheduling"  // the pod found no place on its node
	ProblemImage       ProblemClass = "image"       // the image could not be pulled or started
	ProblemAdmission   ProblemClass = "admission"   // a policy, quota or webhook refused the object
	ProblemLost        ProblemClass = "lost"        // the session with the agent broke
	ProblemUnreachable ProblemClass = "unreachable" // the API server does not reach the node's kubelet
	ProblemWebhook     ProblemClass = "webhook"     // the API server does not reach an admission webhook
	ProblemStarved     ProblemClass = "starved"     // it got the processor too seldom to do it in time
	ProblemInternal    ProblemClass = "internal"    // a fault of this program
)

// Problem says that one collector could not do its job; the others went on.
type Problem struct {
	Class ProblemClass `json:"class"`
	What  string       `json:"what"`           // the collector: device, capture, route, place, …
	On    string       `json:"on,omitempty"`   // the link, address or node concerned
	Text  string       `json:"text"`           // the error, one line
	Hint  string       `json:"hint,omitempty"` // what to do about it
}

// What a Problem is about that stands in the place of a message which could not
// be written: what that message held is not known.
const (
	ProblemAccount = "account" // of the plugin's stream
	ProblemEncode  = "encode"  // of an agent's stream
)

// Progress describes what the agent is doing, for a person who waits. It is not evidence.
type Progress struct {
	Text string `json:"text"`
}

// Bye closes a stream. Messages counts every message with a Seq, this one
// included; a stream without a matching Bye is incomplete.
type Bye struct {
	Messages uint32 `json:"messages"`
}
