package verdict

import (
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// initiationSize is the UDP payload of a handshake initiation in bytes (linux
// drivers/net/wireguard/messages.h, message_handshake_initiation).
const initiationSize = 148

// A node that was given another key leaves its old one behind: Flannel adds a
// peer for the new one, which takes over the allowed IPs, and keeps the old
// peer until it is restarted (flannel-io/flannel#2073). No data can be meant
// for a peer without allowed IPs, but with a keepalive the device goes on
// trying handshakes, at the very endpoint of the new peer. They are no part of
// the tunnel: no counter of the new peer knows them, nobody answers them.

// retired returns the keys of a node's peers without allowed IPs.
func (n *Node) retired() (keys []uint32) {
	for i := range n.far {
		if f := &n.far[i]; f.flags&isPeer != 0 && f.allowed == 0 {
			keys = append(keys, f.key)
		}
	}
	return keys
}

// withoutRetired leaves the initiations for retired peers out of what a node
// sent. Only those are that mac1 says were made for them.
func (c *Case) withoutRetired(sent evidence.Flow, retired []uint32) evidence.Flow {
	if len(retired) == 0 {
		return sent
	}
	kept := slices.DeleteFunc(slices.Clone(sent.Handshakes), func(h evidence.Handshake) bool {
		return h.Type == 1 && h.For != "" && slices.Contains(retired, c.keys.find(h.For))
	})
	gone := uint64(len(sent.Handshakes) - len(kept))
	sent.Handshakes = kept
	sent.Initiations -= min(gone, sent.Initiations)
	sent.Bytes -= min(gone*initiationSize, sent.Bytes)
	return sent
}

// withoutForeign leaves the initiations that were made for none of a node's own
// keys out of the bytes that arrived. They are still told of: that they arrive
// and are not taken says where a tunnel ends.
func withoutForeign(n *Node, arrived evidence.Flow) evidence.Flow {
	if len(n.Devices) == 0 {
		return arrived
	}
	for _, h := range arrived.Handshakes {
		own := slices.ContainsFunc(n.Devices, func(d *evidence.Device) bool { return d.PublicKey == h.For })
		if h.Type == 1 && h.For != "" && !own {
			arrived.Bytes -= min(initiationSize, arrived.Bytes)
		}
	}
	return arrived
}
