package check

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// onWire returns an encryption besides WireGuard's whose packets were seen leaving
// the hosts, nil if there is none.
func (v *view) onWire() *profile.Encryption {
	at := slices.IndexFunc(v.Others, func(o profile.Encryption) bool { return o.OnWire })
	if at < 0 {
		return nil
	}
	return &v.Others[at]
}

// byOther names what may carry what no WireGuard does, empty if nothing was recognised.
func (v *view) byOther() string {
	other := v.onWire()
	if other == nil {
		return ""
	}
	return fmt.Sprintf("; %s may: %s. That is not WireGuard, and it is not proven", other.Name, other.How)
}

// decrypted reports that what was seen of a pair's packets in clear may be what IPsec
// decrypted, which passes the link that its ESP arrived on once more (xfrm_input in
// the kernel, in tunnel mode). That takes a sender whose captures saw ESP leave, and
// nothing of these packets, under a policy for all of them, and a receiver that saw
// ESP arrive on that very link. Whether a host between the two decrypted it cannot be
// seen, so that it is never a proof. It is empty if it cannot be so.
func decrypted(e *graph.Edge, leaks []graph.Leak) string {
	if e.From.Unverified != "" || !encapsulates(e) || espFrames(e.From, "") == 0 {
		return ""
	}
	for _, leak := range leaks {
		if leak.On != e.To.Name || leak.Direction != evidence.DirectionRX || espFrames(e.To, leak.Link) == 0 {
			return ""
		}
	}
	return fmt.Sprintf("packets from %s to %s were seen in clear arriving on %s of %s, and none of them leaving %s, "+
		"which sent ESP: they may be what IPsec decrypted on %s, or what something between the two did",
		e.From.Name, e.To.Name, leaks[0].Link, e.To.Name, e.From.Name, e.To.Name)
}

// encapsulates reports whether an IPsec policy of the sender applies to all that its
// pods send to the other node's.
func encapsulates(e *graph.Edge) bool {
	from, to := rangeOf(e.From, e.From.PodIP(e.Family)), rangeOf(e.To, e.To.PodIP(e.Family))
	if !from.IsValid() || !to.IsValid() {
		return false
	}
	return slices.ContainsFunc(e.From.Diversions, func(d *evidence.Diversion) bool {
		s := &d.Selector
		return d.Effect == evidence.EffectEncrypt && onAddresses(*s) && (len(s.From) == 0 || covers(s.From, from)) &&
			(len(s.To) == 0 || covers(s.To, to))
	})
}

// onAddresses reports whether a selector has no condition but on both ends.
func onAddresses(s evidence.Selector) bool {
	s.From = nil
	s.To = nil
	return reflect.ValueOf(s).IsZero()
}

// espFrames counts frames of ESP on a link of a node that leaves the host, on all of
// them if it is not named.
func espFrames(n *graph.Node, link string) (frames uint64) {
	for _, c := range n.Captures {
		if c.Role == evidence.RoleOutside && (link == "" || c.Link == link) {
			frames += c.Classes["esp"]
		}
	}
	return frames
}

// perhapsDecrypted is the outcome for a pair whose packets were seen in clear only where
// another encryption may have decrypted them.
func perhapsDecrypted(text string) verdict.Outcome {
	out := unknown("%s", text)
	out.Variant = "decrypted"
	return out
}
