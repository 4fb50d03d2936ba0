package check

import (
	"fmt"
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
		return unknown("no per-peer counters of both devices for each other were read")
	}
	canaries := v.expected(e).bytes
	if canaries == 0 {
		return unknown("no test packet of %s arrived at %s that could be counted", e.From.Name, e.To.Name)
	}
	ends := [...]countedEnd{
		{e.From, e.FromCarrier.Device, e.Sent, e.Sent.TX, e.Out.Bytes, "sent"},
		{e.To, e.ToCarrier.Device, e.Received, e.Received.RX, e.In.Bytes, "received"},
	}
	for i := range ends {
		if out := ends[i].judge(e, canaries); out.Status != 0 {
			return out
		}
	}
	return pass("%s; %s", verdict.Late(func() string { return ends[0].figures(e) }),
		verdict.Late(func() string { return ends[1].figures(e) }))
}

// countedEnd is what was counted at one end of a tunnel, by the device and on the
// wire.
type countedEnd struct {
	node     *graph.Node
	device   *evidence.Device
	count    *graph.Count
	moved    graph.Moved
	captured uint64
	verb     string // sent, received
}

// judge returns what is wrong with the counters of one end, the zero Outcome if
// nothing is.
//
// A receiver counts only what it can authenticate: not what comes in a session
// that it lost when it was restarted. But it is no more than the sender's device
// counted as sent, so all of it is this tunnel's ciphertext. What the sender still
// sends to the same endpoint with an old key comes on top of both bounds, or it
// would make up for bytes that took another way.
func (c *countedEnd) judge(e *graph.Edge, canaries uint64) verdict.Outcome {
	device, node := c.device.Name, c.node.Name
	least, most := c.moved.Least+e.StaleSent.Least, max(c.moved.Most, e.Sent.TX.Most)+e.StaleSent.Most
	switch {
	case c.count.Readings < evidence.Readings || int(c.count.Index) != c.device.Index || c.moved.Backwards:
		return as("recreated", unknown("%s of %s was recreated or lost this peer during the capture", device, node))
	case c.moved.Most > maxMoved:
		return unknown("%s of %s cannot have counted %d bytes %s during the capture",
			device, node, c.moved.Most, c.verb)
	case c.node.Unverified != "":
		return unknown("%s", c.node.Unverified)
	case c.moved.Least < canaries:
		return as("bypassed", fail("%s of %s counted %d bytes %s, and test packets of %d bytes arrived: the others "+
			"bypassed the tunnel", device, node, c.moved.Least, c.verb, canaries))
	case c.captured < least:
		return as("uncaptured", unknown("%s of %s counted %d bytes %s, only %d were captured: the others took a path "+
			"that was not captured", device, node, least, c.verb, c.captured))
	case c.captured > most:
		return as("foreign", unknown("%d bytes were captured, %s of %s counted at most %d as %s: not all of them "+
			"belong to this tunnel", c.captured, device, node, c.moved.Most, c.verb))
	}
	return verdict.Outcome{}
}

// as is an outcome of a variant.
func as(variant string, out verdict.Outcome) verdict.Outcome {
	out.Variant = variant
	return out
}

// figures are those of an end with which nothing is wrong.
func (c *countedEnd) figures(e *graph.Edge) string {
	switch {
	case c.moved.Least == c.moved.Most && c.captured == c.moved.Most:
		return fmt.Sprintf("%s %s %d bytes by the kernel's counter, captured as many", c.node.Name, c.verb, c.captured)
	case c.captured <= c.moved.Most:
		return fmt.Sprintf("%s %s between %d and %d bytes by the kernel's counter, captured %d",
			c.node.Name, c.verb, c.moved.Least, c.moved.Most, c.captured)
	}
	whose := "belong to a session that it no longer has"
	if e.StaleSent.Most > 0 {
		whose = fmt.Sprintf("are for a key that %s had before", e.To.Name)
	}
	return fmt.Sprintf("%s %s at least %d bytes by the kernel's counter, captured %d, of which %d %s",
		c.node.Name, c.verb, c.moved.Least, c.captured, c.captured-c.moved.Most, whose)
}

// maxMoved is more than a tunnel can carry while a run lasts: an hour at 1 Tbit/s.
const maxMoved = 1 << 49

func (v *view) fresh(e *graph.Edge) verdict.Outcome {
	if out, none := v.noCarrier(e); none {
		return out
	}
	if e.Sent == nil {
		return unknown("%s has no peer with the key of %s", e.From.Name, e.To.Name)
	}
	age := time.Duration(e.Sent.Age)
	switch {
	case !e.Sent.Handshake:
		return fail("%s never completed a handshake with %s", e.From.Name, e.To.Name)
	case age < 0:
		return unknown("the last handshake of %s with %s is later than the node's clock, which was set back",
			e.From.Name, e.To.Name)
	case age > maxHandshakeAge:
		return fail("the last handshake of %s with %s is %s old, after traffic", e.From.Name, e.To.Name,
			age.Round(time.Second))
	}
	return pass("handshake %s ago", age.Round(time.Second))
}
