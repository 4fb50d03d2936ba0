package routing

import (
	"net/netip"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Has reports whether an entry of a table was read that covers an address: the
// one for a destination, or any if that is not valid. Table 0 stands for any.
func (p *Plan) Has(number int, destination netip.Prefix, ip netip.Addr) bool {
	for at, t := range p.tables {
		if number != 0 && at != number {
			continue
		}
		covering := t.covering(netip.PrefixFrom(ip, ip.BitLen()))
		for _, to := range covering {
			if !destination.IsValid() || destination.Masked() == to {
				return true
			}
		}
	}
	return false
}

// Rules returns how many rules there are, the kernel's own included.
func (p *Plan) Rules() int { return p.listed }

// Touch returns how certain it is that a statement applies to packets of the
// host's pods to a range, and the way of those, which has no answer; false if it
// never does. Where the packets are when the statement sees them is the caller's
// to judge.
func (p *Plan) Touch(d *evidence.Diversion, to netip.Prefix) (found Way, touches bool) {
	if !p.isFamily(d) || !p.canBeMarked(d) {
		return Way{}, false
	}
	g := group{by: []*evidence.Diversion{d}}
	cuts := Plan{cuts: append(append([]netip.Prefix{}, d.Selector.To...), d.Selector.NotTo...)}
	left := maxConditions
	for _, part := range cuts.cut(Part{Prefix: to.Masked()}) {
		way := Way{To: part, when: &term{group: &g}}
		if p.sample(&way, &left) && (!touches || way.Certainty < found.Certainty) {
			found, touches = way, true
		}
	}
	return found, touches
}

// canBeMarked reports whether packets can have the mark that a statement asks
// for where they come in: a packet comes without one, so other statements there
// must be able to give it all bits. Of later hooks it is not followed.
func (p *Plan) canBeMarked(d *evidence.Diversion) bool {
	wanted := d.Selector.MarkIs & d.Selector.MarkMask
	if wanted == 0 || !p.host.MarksRead || d.Hook != "prerouting" && d.Hook != "ingress" {
		return true
	}
	for _, other := range p.host.Diversions {
		switch {
		case other == d || !p.marksBefore(other):
		case other.Effect == evidence.EffectBPF:
			return true
		case other.Unknown && other.Mask == 0:
			return true
		case other.Unknown:
			wanted &^= other.Mask
		default:
			wanted &^= other.Mark & other.Mask
		}
	}
	return wanted == 0
}
