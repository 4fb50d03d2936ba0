package check

import (
	"cmp"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// unverifiedEnd explains why what the captures of one of the two nodes did not see
// may have been there all the same, empty if it cannot.
func unverifiedEnd(e *graph.Edge) string { return cmp.Or(e.From.Unverified, e.To.Unverified) }

func (v *view) mac1(e *graph.Edge) verdict.Outcome {
	if e.FromCarrier.Device == nil || e.ToCarrier.Device == nil {
		return skip("no WireGuard tunnel was read between the nodes")
	}
	handshakes := e.Out.Handshakes
	switch {
	case handshakes == 0:
		return skip("no handshake from %s was captured; keys are renewed every 120 s", e.From.Name)
	case e.Out.For == "" || e.Out.For != e.ToCarrier.Device.PublicKey:
		return fail("a handshake message from %s to the endpoint of %s was not made for the key %s", e.From.Name,
			e.To.Name, short(e.ToCarrier.Device.PublicKey))
	}
	return pass("%s for the key of %s", plural(uint64(handshakes), "handshake message"), e.To.Name)
}
