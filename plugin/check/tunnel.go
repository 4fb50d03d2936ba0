package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// roamed reports that an end's endpoint for the other changed while it was
// watched, so that what left went to two places; empty if none did.
func roamed(e *graph.Edge) string {
	if e.FromCarrier.Device == nil || e.ToCarrier.Device == nil {
		return ""
	}
	for _, end := range []struct {
		peer     *graph.Peer
		count    *graph.Count
		from, to *graph.Node
	}{{e.Peer, e.Sent, e.From, e.To}, {e.Back().Peer, e.Received, e.To, e.From}} {
		if end.peer != nil && end.count != nil && end.peer.Endpoint.IsValid() &&
			end.peer.Endpoint != end.count.Endpoint {
			return fmt.Sprintf("%s sent what is for %s to %s first and to %s once it had heard from there",
				end.from.Name, end.to.Name, end.peer.Endpoint, end.count.Endpoint)
		}
	}
	return ""
}

// unaskedTUN reports whether a link is a TUN device without WireGuard's control
// socket: what its program does with packets cannot be read.
func unaskedTUN(l *evidence.Link) bool {
	return l.Kind == "tun" && l.Up && l.Role == evidence.RoleInside
}

// tunOf returns the TUN device into which the traffic of an edge goes that no
// WireGuard link is known to carry, empty if there is none. The run's packets
// that were seen there show it, else the kernel's routes to the other pod and to
// where the other node's overlay is.
func (v *view) tunOf(e *graph.Edge) string {
	if v.intended() || e.FromLink() != "" {
		return ""
	}
	for _, l := range e.From.Links {
		if unaskedTUN(l) && e.From.SeenOn(l.Name, e.To, false, e.Family).Total() > 0 {
			return l.Name
		}
	}
	for _, to := range []netip.Addr{e.To.PodIP(e.Family), e.ToCarrier.Endpoint} {
		route := e.From.RouteTo(to)
		if route == nil {
			continue
		}
		if l := e.From.Link(route.Link); l != nil && unaskedTUN(l) {
			return l.Name
		}
	}
	return ""
}

// intoTUN reports that an edge's traffic goes into a TUN device, see tunOf.
func intoTUN(e *graph.Edge, tun string) string {
	return fmt.Sprintf("what %s sends to %s goes into %s, a TUN device whose program cannot be asked: whether it "+
		"encrypts cannot be proven", e.From.Name, e.To.Name, tun)
}

// outerTunnel returns the tunnel of the machines into which the carrier of an edge
// sends its own datagrams, nil if they go to a link that leaves the host: they
// are then on no wire themselves, but inside of what that tunnel makes of them.
func outerTunnel(e *graph.Edge) *evidence.Link {
	if e.Sent == nil || e.EndpointRoute == nil || e.EndpointRoute.Link == e.FromLink() {
		return nil
	}
	l := e.From.Link(e.EndpointRoute.Link)
	if l == nil || l.Role != evidence.RoleWireGuard && !unaskedTUN(l) {
		return nil
	}
	return l
}

// insideOuter reports that a carrier's datagrams are inside of another tunnel, and
// what therefore is not proven.
func insideOuter(e *graph.Edge, l *evidence.Link, so string) verdict.Outcome {
	what := "another WireGuard device"
	if unaskedTUN(l) {
		what = "a TUN device"
	}
	out := unknown("%s of %s reaches %s through %s, %s: %s", e.FromLink(), e.From.Name, e.To.Name, l.Name, what, so)
	out.Variant = "inside"
	out.Facts = map[string]string{
		"node": e.From.Name, "peer": e.To.Name, "device": e.FromLink(), "link": l.Name,
	}
	to := e.Sent.Endpoint.Addr()
	out.Readings = []verdict.Reading{
		{Node: e.From.Name, What: "ip route get " + to.String(), Text: describeTo(to, e.EndpointRoute)},
	}
	return out
}

// natted reports whether the receiver is behind a NAT that lets the tunnel in: what
// is for it is sent to an address that it does not have, and arrived. That it has
// not rests on two readings: its own, and its InternalIP in the API.
func natted(e *graph.Edge) bool {
	if e.Sent == nil || e.Received == nil || !e.Sent.Endpoint.IsValid() || len(e.To.Addresses) == 0 {
		return false
	}
	endpoint := e.Sent.Endpoint.Addr().Unmap()
	own := slices.ContainsFunc(e.To.Addresses, hasAddress(endpoint))
	listed := false
	for _, a := range e.To.Node.Addresses {
		addr, err := netip.ParseAddr(a.Addr)
		if a.Type != "InternalIP" || err != nil {
			continue
		}
		listed = listed || addr.Is4() == endpoint.Is4()
		own = own || addr == endpoint
	}
	return listed && !own && e.In.Data > 0 && e.Received.RX.Least > 0
}

// hasAddress returns what recognises an address of a link as the given one.
func hasAddress(addr netip.Addr) func(*evidence.Address) bool {
	return func(a *evidence.Address) bool { return a.Prefix.Addr() == addr }
}

// sendsTo names where the sender's ciphertext goes.
func sendsTo(e *graph.Edge) string {
	if e.Sent != nil && e.Sent.Endpoint.IsValid() {
		return e.Sent.Endpoint.String()
	}
	if e.Peer != nil && e.Peer.Endpoint.IsValid() {
		return e.Peer.Endpoint.String()
	}
	return "no endpoint"
}

// moved is by how much a counter grew while the canaries travelled.
func moved(readings [evidence.Readings]uint64) uint64 {
	return readings[evidence.ReadingDrained] - readings[evidence.ReadingReady]
}

// headerSize is IP plus UDP or ICMP echo header of a canary.
func headerSize(family int) int {
	if family == 6 {
		return 48
	}
	return 28
}

// dataSize is the UDP payload of the WireGuard message that carries an inner
// packet: 16 bytes header, 16 bytes tag, and the packet padded to 16 bytes but
// never beyond the device's MTU; of a packet that is larger than that, as one
// that BPF redirected, what exceeds it is padded (calculate_skb_padding of linux
// drivers/net/wireguard/send.c, calculatePaddingSize of wireguard-go).
func dataSize(inner, mtu int) int {
	last := inner
	if mtu > 0 && last > mtu {
		last %= mtu
	}
	padded := (last + 15) / 16 * 16
	if mtu > 0 {
		padded = min(padded, mtu)
	}
	return 32 + inner + padded - last
}

// messages are what canaries become in a tunnel.
type messages struct {
	sizes []evidence.SizeCount // of data messages, by size
	bytes uint64
}

// carried describes which canaries, in which tunnel.
type carried struct {
	sender, receiver *graph.Canaries
	mtu, family      int
	overhead         int  // of an overlay above the tunnel
	replies          bool // those of ICMP count too
}

// expected returns the data messages that must at least have left the node and
// arrived at the other: those of the canaries and answers that its pod sent and
// the other's received. Of what did not arrive nothing is expected.
func (v *view) expected(e *graph.Edge) messages {
	key := carried{sender: e.Sender, receiver: e.Receiver, family: e.Family, replies: v.Run.Minor >= 1}
	if link := e.From.Carrier(e.Family).Link; link != nil {
		key.mtu = link.MTU
	}
	key.overhead = v.overhead(e, key)
	return expect(key)
}

func expect(c carried) (e messages) {
	sizes := map[int]uint64{}
	add := func(row *evidence.CanaryRow, count uint32) {
		if count > 0 {
			sizes[dataSize(headerSize(c.family)+row.Size+c.overhead, c.mtu)] += uint64(count)
		}
	}
	// TCP chooses its own segments.
	for i := range c.receiver.Rows {
		switch row := &c.receiver.Rows[i]; {
		case row.Transport == "udp":
			add(row, row.Received)
			add(row, row.Answered) // an answer is as long as its canary
		case row.Transport == "icmp" && c.replies:
			add(row, row.Answered)
		}
	}
	for i := range c.sender.Rows {
		if row := &c.sender.Rows[i]; row.Transport == "icmp" {
			add(row, row.Answered)
		}
	}
	for _, size := range slices.Sorted(maps.Keys(sizes)) {
		e.sizes = append(e.sizes, evidence.SizeCount{Size: size, Count: sizes[size]})
		e.bytes += uint64(size) * sizes[size]
	}
	return e
}
