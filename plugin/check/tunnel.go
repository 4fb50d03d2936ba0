package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// tunnel is the WireGuard tunnel of an ordered pair, seen from both ends. Any
// pointer in it may be nil: not read, not there.
type tunnel struct {
	from, to       *verdict.Node
	family         int
	fromLink       string // name of the expected device on each end
	toLink         string
	fromDev, toDev *evidence.Device
	peer           *evidence.Peer  // to, as from's device has it
	sent           *evidence.Count // from's counters for to
	received       *evidence.Count // to's counters for from
	tx             *evidence.Tunnel
	rx             *evidence.Tunnel
}

func (v view) tunnel(c *verdict.Case, s verdict.Subject) tunnel {
	t := tunnel{from: c.Node(s.Node), to: c.Node(s.Peer), family: s.Family}
	t.fromLink, t.toLink = v.Device(t.from, s.Family), v.Device(t.to, s.Family)
	t.fromDev, t.toDev = t.from.Device(t.fromLink), t.to.Device(t.toLink)
	if t.fromDev == nil || t.toDev == nil {
		return t
	}
	t.peer = t.from.Peers[verdict.Key{Device: t.fromLink, PublicKey: t.toDev.PublicKey}]
	t.sent = t.from.Counts[verdict.Key{Device: t.fromLink, PublicKey: t.toDev.PublicKey}]
	t.received = t.to.Counts[verdict.Key{Device: t.toLink, PublicKey: t.fromDev.PublicKey}]
	if t.sent != nil {
		t.tx = captured(t.from, t.fromDev.Port, t.sent.Endpoint)
	}
	if t.received != nil {
		t.rx = captured(t.to, t.toDev.Port, t.received.Endpoint)
	}
	return t
}

// captured returns what the node's captures summed between its device's port,
// on whichever of its addresses, and the peer's endpoint.
func captured(n *verdict.Node, port uint16, endpoint netip.AddrPort) *evidence.Tunnel {
	var sum *evidence.Tunnel
	for _, t := range n.Tunnels {
		switch {
		case t.Remote != endpoint || t.Local.Port() != port:
		case sum == nil:
			sum = t
		default:
			sum = &evidence.Tunnel{
				Local: sum.Local, Remote: sum.Remote, Links: slices.Concat(sum.Links, t.Links),
				TX: add(sum.TX, t.TX), RX: add(sum.RX, t.RX),
			}
		}
	}
	return sum
}

// add sums two flows of one direction that differ in the local address only.
func add(a, b evidence.Flow) evidence.Flow {
	sizes := map[int]uint64{}
	for _, s := range slices.Concat(a.Sizes, b.Sizes) {
		sizes[s.Size] += s.Count
	}
	sum := evidence.Flow{
		Initiations: a.Initiations + b.Initiations, Responses: a.Responses + b.Responses, Cookies: a.Cookies + b.Cookies,
		Data: a.Data + b.Data, Keepalives: a.Keepalives + b.Keepalives, Malformed: a.Malformed + b.Malformed,
		Bytes: a.Bytes + b.Bytes, DataBytes: a.DataBytes + b.DataBytes, OtherSizes: a.OtherSizes + b.OtherSizes,
		Indices: slices.Concat(a.Indices, b.Indices), Handshakes: slices.Concat(a.Handshakes, b.Handshakes),
	}
	for _, size := range slices.Sorted(maps.Keys(sizes)) {
		sum.Sizes = append(sum.Sizes, evidence.SizeCount{Size: size, Count: sizes[size]})
	}
	return sum
}

// roamed says that an end's endpoint for the other changed while it was
// watched, so that what left went to two places; empty if none did.
func (t tunnel) roamed() string {
	if t.fromDev == nil || t.toDev == nil {
		return ""
	}
	for _, end := range []struct {
		peer  *evidence.Peer
		count *evidence.Count
		names [2]string
	}{
		{t.peer, t.sent, [2]string{t.from.Name, t.to.Name}},
		{t.to.Peers[verdict.Key{Device: t.toLink, PublicKey: t.fromDev.PublicKey}], t.received, [2]string{t.to.Name, t.from.Name}},
	} {
		if end.peer != nil && end.count != nil && end.peer.Endpoint.IsValid() && end.peer.Endpoint != end.count.Endpoint {
			return fmt.Sprintf("%s sent what is for %s to %s first and to %s once it had heard from there",
				end.names[0], end.names[1], end.peer.Endpoint, end.count.Endpoint)
		}
	}
	return ""
}

// out is what left from towards to; the zero flow if nothing was captured.
func (t tunnel) out() evidence.Flow {
	if t.tx == nil {
		return evidence.Flow{}
	}
	return t.tx.TX
}

// in is what arrived at to from from.
func (t tunnel) in() evidence.Flow {
	if t.rx == nil {
		return evidence.Flow{}
	}
	return t.rx.RX
}

func (t tunnel) endpoint() string {
	if t.sent != nil && t.sent.Endpoint.IsValid() {
		return t.sent.Endpoint.String()
	}
	if t.peer != nil && t.peer.Endpoint.IsValid() {
		return t.peer.Endpoint.String()
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
// never beyond the device's MTU (linux drivers/net/wireguard/send.c,
// calculate_skb_padding).
func dataSize(inner, mtu int) int {
	padded := (inner + 15) / 16 * 16
	if mtu > 0 {
		padded = min(padded, max(mtu, inner))
	}
	return 32 + padded
}

// expected returns how many data messages of each size must have left from
// towards to for the canaries and answers that its pod is known to have sent.
func (t tunnel) expected() map[int]uint64 {
	mtu := 0
	if link := t.from.Link(t.fromLink); link != nil {
		mtu = link.MTU
	}
	sizes := map[int]uint64{}
	sender, _ := rows(t.from, t.to, t.family)
	for _, row := range sender {
		count := uint64(row.Sent)
		switch row.Transport {
		case "udp":
			count += uint64(row.Received) // each was answered with its own size
		case "icmp":
		default:
			continue // TCP chooses its own segments
		}
		if count > 0 {
			sizes[dataSize(headerSize(t.family)+row.Size, mtu)] += count
		}
	}
	return sizes
}
