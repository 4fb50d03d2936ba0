package evidence

import "net/netip"

// Trial is what came of making a WireGuard link in the network namespace of a pod
// of the run. The link is removed at once; the kernel may have loaded the module
// for it, which stays.
type Trial struct {
	Made bool `json:"made"` // the link was made, and removed again
	// Missing: the kernel does not know this kind of link, nor has it a module for it.
	Missing bool   `json:"missing,omitempty"`
	Error   string `json:"error,omitempty"` // why it was not made, or not removed
	// Loaded: the module was there before the trial.
	Loaded bool `json:"loaded,omitempty"`
	// TUN: the kernel's TUN driver is there, which a WireGuard in userspace needs. A
	// kernel that has it as a module loads it on first use, so false means nothing
	// but that nobody has used it yet.
	TUN bool `json:"tun,omitempty"`
	// Lockdown is the kernel's mode of that name (/sys/kernel/security/lockdown): none,
	// integrity or confidentiality; empty where it cannot be read.
	Lockdown string `json:"lockdown,omitempty"`
	// SecureBoot and NoModules report whether the firmware checks what it boots, and
	// whether the kernel loads no further module (kernel.modules_disabled); nil where
	// that cannot be read.
	SecureBoot *bool `json:"secureBoot,omitempty"`
	NoModules  *bool `json:"noModules,omitempty"`
}

// TrialRequest asks an agent in the pod network for a Trial.
type TrialRequest struct {
	// HostNetNS is the network namespace of the node, as the probe there names it in
	// Hello.NetNS. An agent that is in it, or that does not know its own, refuses.
	HostNetNS uint64 `json:"hostNetNS"`
}

// Port is a UDP port of one address family.
type Port struct {
	Family int    `json:"family"` // 4 or 6
	Port   uint16 `json:"port"`
}

// PortUse reports whether a probe could bind a UDP port of its host.
type PortUse struct {
	Port
	Bound bool   `json:"bound"`
	Taken bool   `json:"taken,omitempty"` // another socket has it
	Error string `json:"error,omitempty"`
}

// PortSent is what a probe sent to a UDP port of another node: datagrams of several
// sizes, each whole or not at all. Sizes are those of IP packets in bytes.
type PortSent struct {
	Peer int `json:"peer"` // index of the node that it was sent to
	Port
	Addr    netip.Addr `json:"addr"`
	Sent    uint32     `json:"sent,omitempty"`    // datagrams that the kernel took
	Largest int        `json:"largest,omitempty"` // size of the largest of them
	Error   string     `json:"error,omitempty"`   // of the smallest, which fits every link
}

// PortSeen counts the genuine datagrams that arrived at a UDP port from another
// node's probe, whether or not anything could be answered.
type PortSeen struct {
	Peer int `json:"peer"` // index of the node that sent them
	Port
	Source  netip.AddrPort `json:"source"` // as they arrived from it, after any translation
	Count   uint32         `json:"count"`
	Largest int            `json:"largest"` // size of the largest IP packet
}

// PortListenRequest makes a probe bind UDP ports and count what arrives there until
// the next Stop. It answers nothing.
type PortListenRequest struct {
	Ports []Port `json:"ports"`
}

// PortSendRequest makes a probe send to ports of other nodes.
type PortSendRequest struct {
	Targets []PortTarget `json:"targets"`
	// Sizes of IP packets in bytes, each of which is sent to every target. Those that
	// the link does not take are left out.
	Sizes    []int `json:"sizes"`
	Attempts int   `json:"attempts"` // how often each is sent, at least 1
}

// PortTarget is a port of another node.
type PortTarget struct {
	Index int            `json:"index"` // of the node
	Addr  netip.AddrPort `json:"addr"`
}
