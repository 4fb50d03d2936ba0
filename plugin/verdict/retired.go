package verdict

import (
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A node that was given another key leaves its old one behind: Flannel adds a
// peer for the new one, which takes over the allowed IPs, and keeps the old
// peer until it is restarted (flannel-io/flannel#2073). No data can be meant
// for a peer without allowed IPs, but with a keepalive the device goes on
// sending it keepalives and handshakes, at the very endpoint of the new peer.

// place is an endpoint to which a device sends.
type place struct {
	device   uint16
	endpoint uint32
}

// retire finds a node's peers without allowed IPs and what the device counted
// as sent to them, by where it sent it.
func (n *Node) retire() {
	for i := range n.far {
		f := &n.far[i]
		if f.flags&isPeer == 0 || f.allowed != 0 {
			continue
		}
		n.retired = append(n.retired, f.key)
		if f.flags&counted == 0 || f.flags&wide != 0 {
			continue
		}
		if n.beside == nil {
			n.beside = map[place]*[evidence.Readings]uint64{}
		}
		at := place{f.device, f.countEnd}
		if n.beside[at] == nil {
			n.beside[at] = &[evidence.Readings]uint64{}
		}
		for i, sent := range unsteps(&f.tx) {
			n.beside[at][i] += sent
		}
	}
}

// withoutRetired leaves the initiations for retired peers out of what is told
// of a tunnel's handshakes. Only those are that mac1 says were made for them.
func (c *Case) withoutRetired(n *Node, sent evidence.Flow) evidence.Flow {
	if len(n.retired) == 0 {
		return sent
	}
	kept := slices.DeleteFunc(slices.Clone(sent.Handshakes), func(h evidence.Handshake) bool {
		return h.Type == 1 && h.For != "" && slices.Contains(n.retired, c.keys.find(h.For))
	})
	sent.Initiations -= min(uint64(len(sent.Handshakes)-len(kept)), sent.Initiations)
	sent.Handshakes = kept
	return sent
}
