package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// view looks at a case through the eyes of a profile.
type view struct{ profile.Profile }

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

// explained are the collectors whose failure cannot hide a leak: what they did
// not read is missing where it is needed, or it only explains. Any other
// problem of a probe could.
var explained = map[string]bool{"device": true, "route": true, "rule": true, "firewall": true, "socket": true, "module": true}

// unsound says why the captures of a node cannot vouch for what they did not
// see, empty if they can.
func unsound(n *verdict.Node) string {
	if n.ProbeGap != "" {
		return "the evidence of the probe on " + n.Name + " is incomplete: " + n.ProbeGap
	}
	for _, p := range n.Problems {
		if explained[p.What] {
			continue
		}
		on := n.Name
		if p.On != "" {
			on = p.On + " of " + n.Name
		}
		return fmt.Sprintf("%s on %s: %s", p.What, on, p.Text)
	}
	watched := map[string]bool{}
	for _, c := range n.Captures {
		watched[c.Link] = true
		switch {
		case c.Error != "":
			return fmt.Sprintf("the capture on %s of %s broke: %s", c.Link, n.Name, c.Error)
		case !c.Started || !c.Alive:
			return fmt.Sprintf("the capture on %s of %s did not run over the whole window", c.Link, n.Name)
		case c.Drops > 0:
			return fmt.Sprintf("the capture on %s of %s lost %d of %d frames", c.Link, n.Name, c.Drops, c.Drops+c.Frames)
		case c.Truncated > 0:
			return fmt.Sprintf("the capture on %s of %s cut %d frames short", c.Link, n.Name, c.Truncated)
		}
	}
	outside := n.Outside()
	if len(outside) == 0 {
		return "no link that leaves the host was found on " + n.Name
	}
	for _, l := range outside {
		if !watched[l.Name] {
			return fmt.Sprintf("%s of %s leaves the host and was not watched", l.Name, n.Name)
		}
	}
	return ""
}

// rows returns the canary rows from one pod to another, as the sender and as
// the receiver know them; sentinel nil when a side has none.
func rows(from, to *verdict.Node, family int) (sender, receiver []evidence.CanaryRow) {
	if c := from.Canaries[verdict.Toward{Peer: to.Index, Family: family}]; c != nil {
		sender = c.Rows
	}
	if c := to.Canaries[verdict.Toward{Peer: from.Index, Family: family}]; c != nil {
		receiver = c.Rows
	}
	return sender, receiver
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

func short(key string) string {
	if len(key) > 12 {
		return key[:12] + "…"
	}
	if key == "" {
		return "none"
	}
	return key
}

func plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func list(items []string) string { return strings.Join(items, ", ") }

func pass(format string, args ...any) verdict.Outcome {
	return verdict.Outcome{Status: verdict.Pass, Text: fmt.Sprintf(format, args...)}
}

func fail(format string, args ...any) verdict.Outcome {
	return verdict.Outcome{Status: verdict.Fail, Text: fmt.Sprintf(format, args...)}
}

func unknown(format string, args ...any) verdict.Outcome {
	return verdict.Outcome{Status: verdict.Inconclusive, Text: fmt.Sprintf(format, args...)}
}

func skip(format string, args ...any) verdict.Outcome {
	return verdict.Outcome{Status: verdict.NotApplicable, Text: fmt.Sprintf(format, args...)}
}

func warn(format string, args ...any) verdict.Outcome {
	return verdict.Outcome{Status: verdict.Warn, Text: fmt.Sprintf(format, args...)}
}
