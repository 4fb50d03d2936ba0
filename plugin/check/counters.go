package check

import (
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// maxHandshakeAge is when a session that carries traffic is overdue: a key is
// renewed after 120 s and no longer used after 180 s; the responder counts from
// the first data message, so up to 30 s more are seen on healthy tunnels
// (linux drivers/net/wireguard/messages.h: REKEY_AFTER_TIME, REJECT_AFTER_TIME).
const maxHandshakeAge = 210 * time.Second

func (v *view) counted(e *graph.Edge) verdict.Outcome {
	if out, none := v.noCarrier(e); none {
		return out
	}
	if e.Sent == nil || e.Received == nil {
		return unknown("the counters of both devices for each other were not read")
	}
	canaries := v.expected(e).bytes
	if canaries == 0 {
		return unknown("no canary of %s arrived at %s that could be counted", e.From.Name, e.To.Name)
	}
	ends := [...]struct {
		node     *graph.Node
		device   *evidence.Device
		count    *graph.Count
		moved    graph.Moved
		captured uint64
		verb     string
	}{
		{e.From, e.FromCarrier.Device, e.Sent, e.Sent.TX, e.Out.Bytes, "sent"},
		{e.To, e.ToCarrier.Device, e.Received, e.Received.RX, e.In.Bytes, "received"},
	}
	// A receiver counts only what it can authenticate: not what comes in a session
	// that it lost when it was restarted. But it is no more than the sender's
	// device counted as sent, so all of it is this tunnel's ciphertext.
	// What it still sends to the same endpoint with an old key comes on top of
	// both bounds, or it would make up for bytes that took another way.
	least, most, sent := e.StaleSent.Least, e.StaleSent.Most, e.Sent.TX.Most
	for i := range ends {
		end := &ends[i]
		lower, upper := end.moved.Least, end.moved.Most
		switch {
		case end.count.Readings < evidence.Readings || int(end.count.Index) != end.device.Index || end.moved.Backwards:
			return unknown("%s of %s was made anew or lost this peer while it was watched",
				end.device.Name, end.node.Name)
		case upper > maxMoved:
			return unknown("%s of %s cannot have counted %d bytes %s while it was watched", end.device.Name,
				end.node.Name, upper, end.verb)
		case end.node.Unverified != "":
			return unknown("%s", end.node.Unverified)
		case lower < canaries:
			return fail("%s of %s counted %d bytes %s while canaries of %d bytes travelled: they took another way",
				end.device.Name, end.node.Name, lower, end.verb, canaries)
		case end.captured < lower+least:
			return unknown("%s of %s counted %d bytes %s, only %d were captured: some took a way that was not watched",
				end.device.Name, end.node.Name, lower+least, end.verb, end.captured)
		case end.captured > max(upper, sent)+most:
			return unknown("%d bytes were captured of which %s of %s counted at most %d as %s: not all of it is "+
				"this tunnel's", end.captured, end.device.Name, end.node.Name, upper, end.verb)
		}
	}
	return pass("%s", verdict.Late(func() string {
		var figures []string
		for _, end := range ends {
			lower, upper := end.moved.Least, end.moved.Most
			if end.captured > upper {
				whose := "in a session that it no longer has"
				if most > 0 {
					whose = fmt.Sprintf("for a key that %s had before", e.To.Name)
				}
				figures = append(figures, fmt.Sprintf("%s %s %d ≤ captured %d bytes, of which %d %s",
					end.node.Name, end.verb, lower, end.captured, end.captured-upper, whose))
				continue
			}
			figures = append(figures, fmt.Sprintf("%s %s %d ≤ captured %d ≤ %d bytes", end.node.Name, end.verb, lower,
				end.captured, upper))
		}
		return strings.Join(figures, "; ")
	}))
}

// maxMoved is more than a tunnel can carry while a run lasts: an hour at 1 Tbit/s.
const maxMoved = 1 << 49

func (v *view) fresh(e *graph.Edge) verdict.Outcome {
	if out, none := v.noCarrier(e); none {
		return out
	}
	if e.Sent == nil {
		return unknown("%s does not know a peer with the key of %s", e.From.Name, e.To.Name)
	}
	age := time.Duration(e.Sent.Age)
	switch {
	case !e.Sent.Handshake:
		return fail("%s never completed a handshake with %s", e.From.Name, e.To.Name)
	case age < 0:
		return unknown("the handshake of %s with %s lies in the future of the node's clock, which was set back",
			e.From.Name, e.To.Name)
	case age > maxHandshakeAge:
		return fail("the last handshake of %s with %s is %s old, after traffic", e.From.Name, e.To.Name,
			age.Round(time.Second))
	}
	return pass("handshake %s ago", age.Round(time.Second))
}
