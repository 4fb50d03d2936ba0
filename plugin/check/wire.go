package check

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// wireChecks are WG06xx: what was and was not on the wire, and what the kernel
// counted of it.
func (v *view) wireChecks() []verdict.Check {
	both := []verdict.Need{verdict.NeedProbe, verdict.NeedPod}
	tunnelled := []string{
		"WG0103", "WG0107", "WG0604", "WG0101", "WG0104", "WG0106", "WG0201", "WG0202", "WG0301", "WG0303", "WG0302", "WG0306", "WG0304",
		"WG0401", "WG0402", "WG0501", "WG0502", "WG0503", "WG0601",
	}
	return []verdict.Check{
		{
			Code: "WG0609", Title: "the first packets of a new pod's life are encrypted too",
			Why:   "Where agents learn of pods one by one, a pod can be reached before every node knows it, and what a node does not know it may send in clear. Pods that have been there for a while do not show it.",
			Reads: "marked packets that a pod sends from its first moment on, made while every link was watched: on the WireGuard link, on links that leave a host, at the pods they are for",
			Proof: verdict.P3NoPlaintext, Scope: verdict.PerPair, Needs: both, Seen: true,
			After: []string{"WG0103", "WG0107", "WG0604", "WG0101", "WG0104", "WG0201", "WG0401", "WG0402", "WG0501", "WG0502"}, Judge: v.first,
		},
		{
			Code: "WG0601", Title: "no pod traffic crosses the wire in clear",
			Why:   "One packet of a pod that can be read on a link that leaves the host is the failure this tool exists to find.",
			Reads: "every frame on every link that leaves a host, searched for the run's mark at any place, for the test pods' addresses in a header at any place, and for headers from one node's pod range to another's, bare or in an encapsulation that can be read; the run's packets on tunnels that are not the carrier",
			Proof: verdict.P3NoPlaintext, Scope: verdict.PerPair, Needs: both, Seen: true,
			After: []string{"WG0103", "WG0107", "WG0604", "WG0101", "WG0104", "WG0201", "WG0401", "WG0402", "WG0609"}, Judge: v.absent,
		},
		{
			Code: "WG0608", Title: "nothing else of this run crosses the wire in clear",
			Why:   "The run's mark in clear is a leak also where it cannot be said whose packet it was.",
			Reads: "frames that bear the run's mark and name no pair of it, and packets of other pods between nodes whose pair was not tested",
			Proof: verdict.P3NoPlaintext, Scope: verdict.PerCluster, Needs: []verdict.Need{verdict.NeedProbe}, Seen: true,
			After: []string{"WG0103"}, Judge: v.strays,
		},
		{
			Code: "WG0605", Title: "the same traffic was seen going through the tunnel",
			Why:   "That the marks are found in clear on the WireGuard link shows that the search works on this very traffic, and that it went this way.",
			Reads: "marked frames captured on the WireGuard link of both nodes",
			Proof: verdict.P2InTunnel, Scope: verdict.PerPair, Needs: both, After: tunnelled, Judge: v.witnessed,
		},
		{
			Code: "WG0602", Title: "ciphertext of the right number and size crosses the wire",
			Why:   "Something on UDP port 51820 proves nothing, a keepalive does as much. These are data messages between these two endpoints, of the very sizes that the canaries become, with counters that never repeat.",
			Reads: "WireGuard messages captured leaving one node and arriving at the other: sizes, receiver indices, counters",
			Proof: verdict.P4Ciphertext, Scope: verdict.PerPair, Needs: both, After: tunnelled, Judge: v.ciphertext,
		},
		{
			Code: "WG0607", Title: "handshakes in the window were made for the receiver's key",
			Why:   "A handshake message's mac1 can be checked with public keys alone and holds for exactly one receiver.",
			Reads: "captured initiations and responses, public keys of the devices",
			Proof: verdict.P4Ciphertext, Scope: verdict.PerPair, Needs: both, After: tunnelled, Judge: v.mac1,
		},
		{
			Code: "WG0603", Title: "what the kernel counted is what was captured",
			Why:   "A receiver counts only what it could authenticate. That this equals the bytes seen on the wire means that what was captured was this tunnel's ciphertext and all of it.",
			Reads: "per-peer byte counters on both nodes, read before and after the captures and before and after the canaries; sums of captured messages",
			Proof: verdict.P5Counters, Scope: verdict.PerPair, Needs: both, After: append(slices.Clone(tunnelled), "WG0602"), Judge: v.counted,
		},
		{
			Code: "WG0606", Title: "the handshake is fresh after traffic",
			Why:   "A session that carries traffic renews its key every two minutes. An old handshake without traffic says nothing, with traffic it says that the tunnel is dead.",
			Reads: "age of the last handshake by the node's own clock, after the canaries",
			Proof: verdict.P5Counters, Scope: verdict.PerPair, Needs: both, After: tunnelled, Judge: v.fresh,
		},
	}
}

// unsoundEnd says why the captures of one of the two nodes cannot vouch for
// what they did not see, empty if both can.
func unsoundEnd(f *verdict.Focus) string { return cmp.Or(f.Node.Unsound, f.Peer.Unsound) }

func (v *view) mac1(f *verdict.Focus) verdict.Outcome {
	t := &f.Tunnel
	if t.FromDev == nil || t.ToDev == nil {
		return f.Say(verdict.NotApplicable, func() string { return "no WireGuard tunnel was read between the nodes" })
	}
	handshakes := t.Out.Handshakes
	switch {
	case handshakes == 0:
		return f.Say(verdict.NotApplicable, func() string {
			return fmt.Sprintf("no handshake from %s fell into the window; keys are renewed every 120 s", t.From.Name)
		})
	case t.Out.For == "" || t.Out.For != t.ToDev.PublicKey:
		return fail("a handshake message from %s to the endpoint of %s was not made for the key %s", t.From.Name, t.To.Name, short(t.ToDev.PublicKey))
	}
	return f.Say(verdict.Pass, func() string {
		return fmt.Sprintf("%s for the key of %s", plural(uint64(handshakes), "handshake message"), t.To.Name)
	})
}
