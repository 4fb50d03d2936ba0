package evidence

import "net/netip"

// Minor is the minor version of the contract that this package writes. A run
// says which one its plugin asked for (Run.Minor): what a recording of an
// earlier one lacks was never asked for, and is not missing.
//
//	0: everything but the following
//	1: Inventory, Diversion, LinkCount, LinkEvent, Tried, TrySeen, all
//	   selectors of Rule, single hops of Route, answers in Seen, leaks by range
const Minor = 1

// PodRange is one address range of the pods of a node.
type PodRange struct {
	Index    int            `json:"index"` // of the node
	Prefixes []netip.Prefix `json:"prefixes"`
}

// Inventory reports how much of one kind of configuration a collector read.
// Without one, or with one that is not complete, nothing can be concluded from
// what is not there.
type Inventory struct {
	What     string `json:"what"`             // see the Inventory constants
	Family   int    `json:"family,omitempty"` // 4 or 6; 0 if it is about both or none
	Count    int    `json:"count"`            // how many the kernel listed, those that were not reported included
	Complete bool   `json:"complete"`         // all of them were read, and all that bear on the pods were reported
	Text     string `json:"text,omitempty"`   // why it is not complete, one line
}

// What an Inventory is about.
const (
	InventoryRoutes   = "routes"   // entries of all routing tables that overlap a pod range of the run
	InventoryRules    = "rules"    // policy routing rules
	InventoryNftables = "nftables" // statements of nftables that mark, copy or divert, iptables-nft included
	InventoryIptables = "iptables" // the same of iptables-legacy
	InventoryTC       = "tc"       // filters of traffic control
	InventoryXFRM     = "xfrm"     // IPsec policies
	InventoryFDB      = "fdb"      // where overlays send what is for pods
	InventoryIPVS     = "ipvs"     // virtual servers of IPVS
	InventoryLinks    = "links"    // changes of links were listened for from ReadingReady to ReadingAfter
)

// Ports is a range of ports, both ends included; 0 to 0 stands for any.
type Ports struct {
	From uint16 `json:"from"`
	To   uint16 `json:"to"`
}

// Selector is what a packet must be like for a rule or a statement to apply.
// The zero Selector applies to every packet. Fields are combined by "and", the
// elements of a list by "or".
type Selector struct {
	From     []netip.Prefix `json:"from,omitempty"`
	NotFrom  []netip.Prefix `json:"notFrom,omitempty"`
	To       []netip.Prefix `json:"to,omitempty"`
	NotTo    []netip.Prefix `json:"notTo,omitempty"`
	In       []string       `json:"in,omitempty"`    // links that it arrives on; a trailing * stands for any rest
	NotIn    []string       `json:"notIn,omitempty"` // links that it does not arrive on
	Out      []string       `json:"out,omitempty"`
	NotOut   []string       `json:"notOut,omitempty"`
	Protocol []uint8        `json:"protocol,omitempty"` // IP protocol numbers
	Source   []Ports        `json:"source,omitempty"`   // transport ports
	Target   []Ports        `json:"target,omitempty"`
	DSCP     []uint8        `json:"dscp,omitempty"` // 0 to 63
	// MarkIs applies where packet mark & MarkMask == MarkIs; MarkMask 0 means no condition.
	MarkIs   uint32 `json:"markIs,omitempty"`
	MarkMask uint32 `json:"markMask,omitempty"`
	// Other are conditions that the reader does not understand, as a reader
	// would show them: the selector applies to some of the packets at most.
	Other []string `json:"other,omitempty"`
}

// Diversion is something other than routing tables that can give a packet another
// way, or make the tables answer otherwise.
type Diversion struct {
	By     string `json:"by"`               // nftables, iptables-legacy, tc, xdp, xfrm, fdb, ipvs
	Effect string `json:"effect"`           // see the Effect constants
	Family string `json:"family,omitempty"` // ip, ip6, inet, bridge, netdev; empty for tc and xdp
	Table  string `json:"table,omitempty"`
	Chain  string `json:"chain,omitempty"`
	Hook   string `json:"hook,omitempty"` // prerouting, input, forward, postrouting, output, ingress, egress
	Link   string `json:"link,omitempty"` // that it is attached to
	// Program is the name of a BPF program as tc reports it, ID its id.
	Program string `json:"program,omitempty"`
	ID      uint32 `json:"id,omitempty"`
	// Mark and Mask: the statement makes mark = mark &^ Mask | Mark (EffectMark).
	// A mark taken from elsewhere, as from conntrack or a map, has Unknown set.
	Mark    uint32 `json:"mark,omitempty"`
	Mask    uint32 `json:"mask,omitempty"`
	Unknown bool   `json:"unknown,omitempty"`
	// To is the link or the address that packets go to, where it is known.
	To string `json:"to,omitempty"`
	// Port is the transport port that packets get with another target (EffectDNAT), or
	// on this host (a redirect, EffectProxy), where it is one; 0 if that is not known.
	// With it, an empty To says that a target address stays as it is.
	Port     uint16   `json:"port,omitempty"`
	Selector Selector `json:"selector,omitzero"` // conditions of the statement and of all jumps that lead to it
	Rule     string   `json:"rule,omitempty"`    // rendered for a reader, at most 300 bytes
	Packets  uint64   `json:"packets,omitempty"` // its counter, if it has one
}

// Effects of a Diversion.
const (
	EffectMark    = "mark"    // sets the packet's mark
	EffectCopy    = "copy"    // sends a copy elsewhere: dup, tee, mirred mirror
	EffectForward = "forward" // sends it out of another link: fwd, mirred redirect, flowtable
	EffectProxy   = "proxy"   // hands it to a local process: tproxy, redirect, queue
	EffectDNAT    = "dnat"    // changes its target address
	EffectBPF     = "bpf"     // a program decides; what it does cannot be read
	EffectEncrypt = "encrypt" // an IPsec policy applies to it
	EffectTunnel  = "tunnel"  // the overlay of Link sends it to the host To
)

// XDP is an XDP program on a link. It decides on frames before, or instead of,
// packet sockets see them.
type XDP struct {
	Mode string `json:"mode"` // generic, native, offload, multi
	ID   uint32 `json:"id"`   // of the program
}

// LinkCount is how a link's own counters moved over the run, at the four
// readings that peers' counters are taken at (see Readings).
type LinkCount struct {
	Link      string           `json:"link"`
	Index     int              `json:"index"`
	TXBytes   [Readings]uint64 `json:"txBytes"`
	RXBytes   [Readings]uint64 `json:"rxBytes"`
	TXPackets [Readings]uint64 `json:"txPackets"`
	RXPackets [Readings]uint64 `json:"rxPackets"`
	Readings  int              `json:"readings"` // how many of the four were taken with this link present
}

// LinkEvent is a change of a link while everything was watched, as the kernel
// notified it (RTNLGRP_LINK). At most 256 are reported; the Inventory of links
// says if there were more.
type LinkEvent struct {
	Link  string `json:"link"`
	Index int    `json:"index"`
	What  string `json:"what"` // added, removed, up, down, xdp, role (it began to lead out)
	Kind  string `json:"kind,omitempty"`
	// as Link.Role at that moment, of one that was added the gravest; empty if it is not known
	Role LinkRole `json:"role,omitempty"`
	// Of a link that was removed: what its counters said last.
	TXPackets uint64 `json:"txPackets,omitempty"`
	RXPackets uint64 `json:"rxPackets,omitempty"`
}

// Try is a canary of its own kind: sent so that a rule or a statement of a
// filter applies to it that applies to no other canary.
type Try struct {
	ID        int        `json:"id"`     // from 1, unique in the run
	Node      int        `json:"node"`   // index of the node whose pod sends it
	Target    int        `json:"target"` // index of the node whose pod it is for
	Family    int        `json:"family"`
	Transport string     `json:"transport"`        // udp or tcp
	Source    uint16     `json:"source,omitempty"` // source port, 0 = any
	Port      uint16     `json:"port,omitempty"`   // target port, 0 = the listener's
	DSCP      uint8      `json:"dscp,omitempty"`   // 0 to 63
	Because   string     `json:"because"`          // the rule or statement that it is made for, as shown to a reader
	Addr      netip.Addr `json:"addr,omitzero"`    // of the target pod
}

// Tried is what became of a try, as the pods at its ends know it.
type Tried struct {
	ID       int    `json:"id"`
	Sent     uint32 `json:"sent,omitempty"`
	Received uint32 `json:"received,omitempty"`
	Error    string `json:"error,omitempty"`
}

// TrySeen is a try seen where it may be: on a WireGuard link.
type TrySeen struct {
	ID        int    `json:"id"`
	Link      string `json:"link"`
	Direction string `json:"direction"` // tx enters the tunnel, rx leaves it
	Count     uint32 `json:"count"`
}
