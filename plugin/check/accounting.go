package check

import (
	"fmt"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// carriage is what went from one pod to another by one transport, of one kind:
// how much of it is known to have arrived, and how much of it was seen entering
// and leaving the tunnel. Nothing of another transport or kind makes up for it.
type carriage struct{ arrived, into, outOf uint64 }

// seenWhole reports whether all that arrived was seen at both ends.
func (c *carriage) seenWhole() bool { return c.into >= c.arrived && c.outOf >= c.arrived }

// carriedTogether and carriedApart name the carriages of a pair: of minor version
// 0, which did not count answers apart, and since.
var (
	carriedTogether = []string{"UDP test packets and answers", "TCP test packets and answers", "ICMP echo requests"}
	carriedApart    = []string{
		"UDP test packets", "UDP answers", "TCP test packets", "TCP answers", "ICMP echo requests", "ICMP echo replies",
	}
)

// carriages are how a pair's traffic was carried, in the order of their names. What went
// from Node to Peer are canaries of the pod on Node and its answers to those of
// the pod on Peer.
func carriages(e *graph.Edge) (all [6]carriage, names []string) {
	sender, receiver, into, outOf := e.Sender, e.Receiver, e.Into, e.OutOf
	if e.Graph().Run.Minor < 1 {
		all[0] = carriage{receiver.UDP.Received + receiver.UDP.Answered, uint64(into.UDP), uint64(outOf.UDP)}
		all[1] = carriage{receiver.TCP.Received + receiver.TCP.Answered, uint64(into.TCP), uint64(outOf.TCP)}
		all[2] = carriage{sender.ICMP.Answered, uint64(into.ICMP), uint64(outOf.ICMP)}
		return all, carriedTogether
	}
	all[0] = carriage{receiver.UDP.Received, but(into.UDP, into.UDPAnswers), but(outOf.UDP, outOf.UDPAnswers)}
	all[1] = carriage{receiver.UDP.Answered, uint64(into.UDPAnswers), uint64(outOf.UDPAnswers)}
	all[2] = carriage{receiver.TCP.Received, but(into.TCP, into.TCPAnswers), but(outOf.TCP, outOf.TCPAnswers)}
	all[3] = carriage{receiver.TCP.Answered, uint64(into.TCPAnswers), uint64(outOf.TCPAnswers)}
	all[4] = carriage{sender.ICMP.Answered, but(into.ICMP, into.ICMPAnswers), but(outOf.ICMP, outOf.ICMPAnswers)}
	all[5] = carriage{receiver.ICMP.Answered, uint64(into.ICMPAnswers), uint64(outOf.ICMPAnswers)}
	return all, carriedApart
}

// but is how many of all are no answers.
func but(all, answers uint32) uint64 { return uint64(all - min(all, answers)) }

// throughTunnel judges whether all that arrived went through the tunnel. What went
// in and did not arrive was lost after encryption, which is not a leak.
func (v *view) throughTunnel(e *graph.Edge) verdict.Outcome {
	if out, none := v.noCarrier(e); none {
		return out
	}
	if e.Sender.UDP.Sent == 0 || e.Receiver.UDP.Received == 0 {
		return unknown("no UDP test packet from %s reached %s", e.From.Name, e.To.Name)
	}
	all, names := carriages(e)
	for i := range names {
		c := &all[i]
		if c.seenWhole() {
			continue
		}
		if why := unverifiedEnd(e); why != "" {
			return unknown("%s", why)
		}
		return fail("%d %s from %s arrived at %s, but %d were seen entering %s of %s and %d leaving %s of %s",
			c.arrived, names[i], e.From.Name, e.To.Name, c.into, e.FromLink(), e.From.Name, c.outOf,
			e.ToLink(), e.To.Name)
	}
	return pass("%s", verdict.Late(func() string {
		return fmt.Sprintf("%d marked packets entered %s of %s, %d left %s of %s",
			e.Into.Total(), e.FromLink(), e.From.Name, e.OutOf.Total(), e.ToLink(), e.To.Name) + losses(e) + v.ledBy(e)
	}))
}

// losses reports how much was lost before and after encryption, empty if nothing
// was, or if it was not counted.
func losses(e *graph.Edge) (text string) {
	into, outOf := e.Into, e.OutOf
	if e.Graph().Run.Minor < 1 {
		return ""
	}
	if in, out := into.Total(), outOf.Total(); in > out {
		text = fmt.Sprintf("; %d of %d lost after encryption", in-out, in)
	}
	sent, in := e.Sender.UDP.Sent, but(into.UDP, into.UDPAnswers)
	if sent > in {
		text += fmt.Sprintf("; %d of %d UDP test packets lost before it", sent-in, sent)
	}
	return text
}
