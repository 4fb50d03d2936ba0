package check

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func (v *view) absent(e *graph.Edge) verdict.Outcome {
	from, to := e.From, e.To
	if leaks := leaks(e); len(leaks) > 0 {
		if text := decrypted(e, leaks); text != "" {
			return perhapsDecrypted(text)
		}
		out := leaked(v.Graph, "pod traffic from "+from.Name+" to "+to.Name, leaks)
		if v.intended() { // it encrypts already, so no switch of the backend would help
			out.Variant = "past"
		} else {
			v.addUnusedTunnel(&out, e)
		}
		return out
	}
	if text := v.elsewhere(e); text != "" {
		out := fail("%s", text)
		out.Variant = "tunnel"
		out.Failed = "pod traffic bypasses the tunnel"
		return out
	}
	if why := unverifiedEnd(e); why != "" {
		return unknown("no plaintext was seen, but %s", why)
	}
	if why := unwatchedRanges(e); why != "" {
		return unknown("no plaintext was seen, but %s", why)
	}
	if e.Sender.Sent == 0 {
		return unknown("%s sent nothing to %s that could have been seen", from.Name, to.Name)
	}
	if why := v.uncapturedEnd(e); why != "" {
		return unknown("no plaintext was seen, but %s", why)
	}
	return pass("%s", verdict.Late(func() string {
		frames, links := uint64(0), []string{}
		for _, n := range []*graph.Node{from, to} {
			for _, l := range n.Outside() {
				if c := n.Capture(l.Name); c != nil {
					frames += c.Frames
					links = append(links, l.Name+" of "+n.Name)
				}
			}
		}
		return fmt.Sprintf("0 of %d frames on %s contained plaintext", frames, list(links)) + amongPods(e) + others(e)
	}))
}

// unwatchedRanges reports that there are more pod ranges than were watched, empty if not.
func unwatchedRanges(e *graph.Edge) string {
	for _, n := range [...]*graph.Node{e.From, e.To} {
		if n.RangesLeft > 0 {
			return fmt.Sprintf("%s of %s had no room in the record: pods there were not watched",
				plural(uint64(n.RangesLeft), "pod range"), n.Name)
		}
	}
	return ""
}

// amongPods reports that packets of other classes are not counted here, empty if there are
// none.
func amongPods(e *graph.Edge) string {
	if len(e.Graph().AskedClasses()) == 0 {
		return ""
	}
	return " of the pods to each other"
}

// others reports how much went through the tunnel besides the run's own packets
// while every link was watched, empty if that was not counted. What the run's
// connections need besides their marked packets is among it.
func others(e *graph.Edge) string {
	here, counted := unmarked(e.Graph(), e.From, e.FromLink())
	there, both := unmarked(e.Graph(), e.To, e.ToLink())
	if !counted || !both {
		return ""
	}
	return fmt.Sprintf("; meanwhile %s without this run's mark in the tunnels of %s and %s", plural(here+there,
		"packet"), e.From.Name, e.To.Name)
}

// unmarked is how many packets a link counted, both ways, between the readings
// that enclose the canaries, less the marked ones that were seen there.
func unmarked(c *graph.Graph, n *graph.Node, link string) (packets uint64, counted bool) {
	at := slices.IndexFunc(n.LinkCounts, func(l *evidence.LinkCount) bool { return l.Link == link })
	if at < 0 || n.LinkCounts[at].Readings <= evidence.ReadingDrained {
		return 0, false
	}
	count := n.LinkCounts[at]
	for _, row := range [...][evidence.Readings]uint64{count.TXPackets, count.RXPackets} {
		before, after := row[evidence.ReadingReady], row[evidence.ReadingDrained]
		packets += after - min(before, after)
	}
	return packets - min(packets, n.MarkedOn(link)), true
}

func (v *view) unattributed() verdict.Outcome {
	if leaks := offPodLinks(v.Graph, v.Unattributed); len(leaks) > 0 {
		return leaked(v.Graph, "traffic with this run's mark", leaks)
	}
	return pass("no packet with this run's mark was seen in clear that belongs to no tested pair")
}

// leaked describes leaks, the most precisely recognised first.
func leaked(c *graph.Graph, what string, leaks []graph.Leak) verdict.Outcome {
	leaks = slices.Clone(leaks)
	slices.SortStableFunc(leaks, func(a, b graph.Leak) int {
		if a.By != b.By { // the mark is more precise than the addresses
			return precision(a.By) - precision(b.By)
		}
		if a.Direction != b.Direction { // where it left is where it went wrong
			return -strings.Compare(a.Direction, b.Direction)
		}
		return int(int64(b.Count) - int64(a.Count))
	})
	first := leaks[0]
	total := uint64(0)
	readings := []verdict.Reading{}
	for i, leak := range leaks {
		total += leak.Count
		if i < 4 {
			readings = append(readings, verdict.Reading{
				Node: leak.On, What: fmt.Sprintf("%s %s, by %s", leak.Link, leak.Direction, leak.By),
				Text: plural(leak.Count, "frame") + ": " + leak.Layers + outer(leak) + ofOthers(leak),
			})
		}
	}
	readings = append(readings, verdict.Reading{Node: first.On, What: "header of the first frame",
		Text: hex.EncodeToString(first.Sample), Raw: true})
	way := map[string]string{evidence.DirectionTX: "leaving", evidence.DirectionRX: "arriving at"}[first.Direction]
	inside := encapsulation(first.Layers)
	how := "inside " + inside
	switch {
	case first.By == evidence.LeakedByRange && strings.HasSuffix(first.Layers, " icmp") &&
		first.OuterSource != first.InnerSource && inside == "":
		inside, how = "icmp", "as quoted by an ICMP error"
	case inside == "" && first.Class == "" && first.OuterSource.IsValid() &&
		!ofPods(c, first.OuterSource) && !ofPods(c, first.OuterTarget):
		inside, how = "unknown", "inside packets between the nodes, in an unknown format"
	case inside == "":
		inside, how = "bare", "without encapsulation"
	}
	if first.By == evidence.LeakedByRange {
		what = packet(c, first)
	}
	out := fail("%s is sent in PLAINTEXT %s: %s, first seen %s %s on %s",
		what, how, plural(total, "frame"), way, first.On, first.Link)
	out.Variant = strings.ToLower(inside)
	out.Readings = readings
	out.Facts = map[string]string{"node": sender(c, first), "link": first.Link, "direction": first.Direction,
		"count": fmt.Sprint(total)}
	return out
}

// sender is the node where a leak has to be looked for: that of the pod that sent it
// if it was seen arriving elsewhere, else where it was seen.
func sender(c *graph.Graph, leak graph.Leak) string {
	if from := c.At(leak.Source); from != nil && leak.Direction == evidence.DirectionRX {
		return from.Name
	}
	return leak.On
}

// outer are the addresses of a leak's outermost header, empty if it has none.
func outer(leak graph.Leak) string {
	if !leak.OuterSource.IsValid() || !leak.OuterTarget.IsValid() {
		return ""
	}
	return fmt.Sprintf(", %s → %s", leak.OuterSource, leak.OuterTarget)
}

// precision orders leaks by what they were recognised by, the most precise first.
func precision(by string) int {
	kinds := []string{evidence.LeakedByMark, evidence.LeakedByFlow, evidence.LeakedByRange}
	if at := slices.Index(kinds, by); at >= 0 {
		return at
	}
	return len(kinds)
}

// packet names a packet that is not of this run.
func packet(c *graph.Graph, leak graph.Leak) string {
	whose := "another pod"
	from, to := c.At(leak.Source), c.At(leak.Target)
	if from != nil && slices.ContainsFunc(from.Addresses,
		func(a *evidence.Address) bool { return a.Prefix.Addr() == leak.InnerSource }) {
		whose = from.Name + " itself (from an address in its pod range)"
	}
	text := fmt.Sprintf("a packet of %s (%s)", whose, ends(leak))
	if from != nil && to != nil {
		text += fmt.Sprintf(" from %s to %s", from.Name, to.Name)
	}
	return text
}

// ofOthers is what a reading adds of a packet that is not of this run.
func ofOthers(leak graph.Leak) string {
	if leak.By != evidence.LeakedByRange {
		return ""
	}
	return ", the first of them " + ends(leak)
}

// protocols are the names of IP protocols that pods speak.
var protocols = map[uint8]string{1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp"}

// ends are both ends of a packet that is not of this run, and its protocol.
func ends(leak graph.Leak) string {
	source, target := leak.InnerSource.String(), leak.InnerTarget.String()
	if leak.SourcePort|leak.TargetPort != 0 {
		source = netip.AddrPortFrom(leak.InnerSource, leak.SourcePort).String()
		target = netip.AddrPortFrom(leak.InnerTarget, leak.TargetPort).String()
	}
	name := protocols[leak.Protocol]
	if name == "" {
		name = fmt.Sprintf("protocol %d", leak.Protocol)
	}
	return fmt.Sprintf("%s → %s, %s", source, target, name)
}

// ofPods reports whether an address is in some node's pod range.
func ofPods(c *graph.Graph, ip netip.Addr) bool {
	return slices.ContainsFunc(c.Nodes, func(n *graph.Node) bool {
		return rangeOf(n, ip).IsValid() ||
			slices.Contains(n.PodIPs, ip)
	})
}

// encapsulation names what wraps the pod's packet in a Layers text.
func encapsulation(layers string) string {
	names := []struct{ word, name string }{
		{"wireguard", "a datagram shaped like WireGuard"}, {"vxlan", "VXLAN"}, {"geneve", "Geneve"}, {"gre", "GRE"},
	}
	words := strings.Fields(layers)
	for _, n := range names {
		if slices.Contains(words, n.word) {
			return n.name
		}
	}
	ips := 0
	for _, word := range words {
		if word == "ipv4" || word == "ipv6" {
			ips++
		}
	}
	if ips > 1 {
		return "IP-in-IP"
	}
	return ""
}
