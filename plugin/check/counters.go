package check

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// maxHandshakeAge is when a session that carries traffic is overdue: a key is
// renewed after 120 s and no longer used after 180 s; the responder counts from
// the first data message, so up to 30 s more are seen on healthy tunnels
// (linux drivers/net/wireguard/messages.h: REKEY_AFTER_TIME, REJECT_AFTER_TIME).
const maxHandshakeAge = 210 * time.Second

func (v view) counted(c *verdict.Case, s verdict.Subject) verdict.Outcome {
	t := v.tunnel(c, s)
	if t.fromLink == "" || t.toLink == "" {
		return fail("no WireGuard link carries the traffic from %s to %s", t.from.Name, t.to.Name)
	}
	if t.sent == nil || t.received == nil {
		return unknown("the counters of both devices for each other were not read")
	}
	canaries := uint64(0)
	for size, count := range t.expected() {
		canaries += uint64(size) * count
	}
	if canaries == 0 {
		return unknown("%s sent no canary to %s that could be counted", t.from.Name, t.to.Name)
	}
	ends := []struct {
		node     *verdict.Node
		device   *evidence.Device
		count    *evidence.Count
		readings [evidence.Readings]uint64
		captured uint64
		verb     string
	}{
		{t.from, t.fromDev, t.sent, t.sent.TX, t.out().Bytes, "sent"},
		{t.to, t.toDev, t.received, t.received.RX, t.in().Bytes, "received"},
	}
	var figures []string
	for _, end := range ends {
		r := end.readings
		lower, upper := moved(r), r[evidence.ReadingAfter]-r[evidence.ReadingBefore]
		switch {
		case end.count.Readings < evidence.Readings || end.count.Index != end.device.Index || !slices.IsSorted(r[:]):
			return unknown("%s of %s was made anew or lost this peer while it was watched", end.device.Name, end.node.Name)
		case unsound(end.node) != "":
			return unknown("%s", unsound(end.node))
		case lower < canaries:
			return fail("%s of %s counted %d bytes %s while canaries of %d bytes travelled: they took another way", end.device.Name, end.node.Name, lower, end.verb, canaries)
		case end.captured < lower:
			return unknown("%s of %s counted %d bytes %s, only %d were captured: some took a way that was not watched", end.device.Name, end.node.Name, lower, end.verb, end.captured)
		case end.captured > upper:
			return unknown("%d bytes were captured of which %s of %s counted at most %d as %s: not all of it is this tunnel's", end.captured, end.device.Name, end.node.Name, upper, end.verb)
		}
		figures = append(figures, fmt.Sprintf("%s %s %d ≤ captured %d ≤ %d bytes", end.node.Name, end.verb, lower, end.captured, upper))
	}
	return pass("%s", strings.Join(figures, "; "))
}

func (v view) fresh(c *verdict.Case, s verdict.Subject) verdict.Outcome {
	t := v.tunnel(c, s)
	if t.fromLink == "" && !v.Encrypts {
		return fail("no WireGuard link carries the traffic from %s to %s", t.from.Name, t.to.Name)
	}
	if t.sent == nil {
		return unknown("%s does not know a peer with the key of %s", t.from.Name, t.to.Name)
	}
	age := time.Duration(t.sent.Age)
	switch {
	case t.sent.Handshake == 0:
		return fail("%s never completed a handshake with %s", t.from.Name, t.to.Name)
	case age < 0:
		return unknown("the handshake of %s with %s lies in the future of the node's clock, which was set back", t.from.Name, t.to.Name)
	case age > maxHandshakeAge:
		return fail("the last handshake of %s with %s is %s old, after traffic", t.from.Name, t.to.Name, age.Round(time.Second))
	}
	return pass("handshake %s ago", age.Round(time.Second))
}
