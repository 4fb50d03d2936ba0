package check

import (
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// The checks of this file and of level.go only inform, see verdict.Check.Advice.

// advise is something to consider.
func advise(format string, args ...any) verdict.Outcome {
	out := pass(format, args...)
	out.Advice = true
	return out
}

// preshared reports which tunnels have a preshared key. That one exists is all that is
// known of it. That only one end has one is WG0501's to find.
func (v *view) presharedKeys() verdict.Outcome {
	with, without := 0, 0
	var first string // without one
	for _, n := range v.Nodes {
		for _, p := range v.carryingPeers(n) {
			if p.Preshared {
				with++
				continue
			}
			without++
			if first == "" {
				first = n.Name
				if to := v.holderOf(p.PublicKey); to != nil {
					first += " for " + to.Name
				}
			}
		}
	}
	switch {
	case with+without == 0:
		return skip("no peer of a WireGuard device that carries pod traffic was read")
	case with == 0:
		return pass("no peer has a preshared key, and WireGuard needs none")
	case without == 0:
		return pass("each of %s has a preshared key", plural(uint64(with), "peer"))
	}
	return advise("%d of %d peers have a preshared key, the others do not: %s has none", with, with+without, first)
}

// carryingPeers are the peers of the devices that carry a node's pod traffic.
func (v *view) carryingPeers(n *graph.Node) (peers []*graph.Peer) {
	for _, p := range n.Peers {
		for _, family := range v.Run.Families {
			if p.Configured && len(p.AllowedIPs) > 0 && p.Device == n.Carrier(family).Name {
				peers = append(peers, p)
				break
			}
		}
	}
	return peers
}

// holderOf is the node whose device carries pod traffic with a key, nil if none does.
func (v *view) holderOf(key string) *graph.Node {
	for _, n := range v.Nodes {
		for _, family := range v.Run.Families {
			if d := n.Carrier(family).Device; d != nil && d.PublicKey == key {
				return n
			}
		}
	}
	return nil
}

// approved reports whether a node is in FIPS mode, whose rules WireGuard's algorithms
// do not meet.
func (v *view) approved() verdict.Outcome {
	var in, unread []string
	for _, n := range v.Nodes {
		switch {
		case n.Hello.FIPS == nil:
			unread = append(unread, n.Name)
		case *n.Hello.FIPS:
			in = append(in, n.Name)
		}
	}
	switch {
	case len(in) > 0:
		return advise("%s in FIPS mode, and FIPS 140 approves neither WireGuard's cipher, ChaCha20-Poly1305, nor its "+
			"hash, BLAKE2s", subject(in, "is", "are"))
	case len(unread) > 0:
		return skip("not read on %s", some(unread))
	}
	return pass("no node is in FIPS mode")
}

// missingPeer reports what becomes of a packet for which the tunnel has no peer.
func (v *view) missingPeer() verdict.Outcome {
	switch {
	case v.Below != nil:
		out := advise("a WireGuard of the machines fails open: without its device, or for a machine that it has no " +
			"peer and route for, packets take another route, in plaintext")
		out.Variant = "machines"
		return out
	case !v.Encrypts:
		return skip("it is not known what should encrypt the pods' traffic")
	case v.FailClosed:
		return pass("a packet for which the tunnel has no peer is dropped, as long as the tunnel's routes are there")
	}
	return advise("%s fails open: traffic with a node that it has no peer for is sent in plaintext", v.Title)
}

// controlPlane reports whether control-plane nodes were left out of the run, or leave
// themselves out of the encryption.
func (v *view) controlPlane() verdict.Outcome {
	var left, opted []string
	took := 0
	for _, n := range v.Excluded {
		if n.Chosen && controls(n.Labels) {
			left = append(left, n.Name)
		}
	}
	for _, n := range v.Nodes {
		switch {
		case !controls(n.Labels):
		case v.OptedOut(n):
			opted = append(opted, n.Name)
		default:
			took++
		}
	}
	switch {
	case len(opted) > 0:
		out := advise("control-plane nodes that are configured not to encrypt their own traffic: %s", some(opted))
		out.Variant = "opted"
		return out
	case len(left) > 0:
		out := advise("control-plane nodes that this run left out on request: %s; nothing is proven of their "+
			"pods' traffic", some(left))
		out.Variant = "left"
		return out
	case took == 0:
		return skip("no node of the run has the label of a control plane")
	}
	return pass("%s took part", plural(uint64(took), "control-plane node"))
}
