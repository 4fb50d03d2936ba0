package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// reachChecks are WG05xx: whether the tunnel's UDP and the pods' packets
// arrive.
func (v view) reachChecks() []verdict.Check {
	tunnelled := []string{"WG0103", "WG0101", "WG0104", "WG0106", "WG0201", "WG0202", "WG0301", "WG0303", "WG0302", "WG0306", "WG0304", "WG0401"}
	return []verdict.Check{
		{
			Code: "WG0501", Title: "the tunnel's UDP datagrams arrive at the other node's WireGuard",
			Why:   "A firewall on a node or between the nodes that drops the tunnel's port looks like a broken cluster. Where the datagrams were last seen says who drops them.",
			Reads: "WireGuard messages captured leaving one node and arriving at the other, what the receiver's device authenticated, firewall rules",
			Scope: verdict.PerPair, Needs: []verdict.Need{verdict.NeedProbe}, After: tunnelled, Judge: v.arrives,
		},
		{
			Code: "WG0502", Title: "pods on the two nodes reach each other",
			Why:   "Only traffic that arrived and was answered can be said to have crossed encrypted. Answers are authenticated with a key of this run, so nobody in between can give them.",
			Reads: "canaries sent, received and answered by the test pods over UDP, TCP and, where allowed, ICMP",
			Proof: verdict.P1Delivered, Scope: verdict.PerPair, Needs: []verdict.Need{verdict.NeedPod},
			After: append(slices.Clone(tunnelled), "WG0501"), Judge: v.delivered,
		},
		{
			Code: "WG0503", Title: "packets of full size pass",
			Why:   "A tunnel whose MTU is too large for the network below it passes pings and stalls transfers.",
			Reads: "canaries as large as the pod's own link takes, sent with DF set",
			Proof: verdict.P1Delivered, Scope: verdict.PerPair, Needs: []verdict.Need{verdict.NeedPod},
			After: append(slices.Clone(tunnelled), "WG0504", "WG0501", "WG0502"), Judge: v.fullSize,
		},
	}
}

func (v view) arrives(c *verdict.Case, s verdict.Subject) verdict.Outcome {
	t := v.tunnel(c, s)
	switch {
	case t.fromLink == "" && !v.Encrypts:
		return skip("no WireGuard device carries this traffic")
	case t.fromDev == nil || t.toDev == nil || t.sent == nil || t.received == nil:
		return unknown("the counters of both devices were not read")
	}
	authenticated := moved(t.received.RX)
	if authenticated > 0 {
		return pass("%s authenticated %d bytes from %s", t.to.Name, authenticated, t.from.Name)
	}
	if sender, receiver := rows(t.from, t.to, s.Family); totals(receiver, "udp").received > 0 && totals(sender, "udp").sent > 0 {
		return unknown("%s authenticated nothing from %s, and yet canaries arrived: they took another way", t.to.Name, t.from.Name)
	}
	for _, n := range []*verdict.Node{t.from, t.to} {
		if why := unsound(n); why != "" {
			return unknown("%s authenticated nothing from %s, and where it was lost cannot be told: %s", t.to.Name, t.from.Name, why)
		}
	}
	port := t.toDev.Port
	facts := map[string]string{
		"node": t.to.Name, "peer": t.from.Name, "port": fmt.Sprint(port),
		"device": t.toLink, "endpoint": t.endpoint(), "direction": "input",
	}
	left, arrived := messages(t.out()), messages(t.in())
	readings := []verdict.Reading{
		{Node: t.from.Name, What: t.fromLink + " sent to " + t.endpoint(), Text: fmt.Sprintf("%d bytes", moved(t.sent.TX))},
		{Node: t.from.Name, What: "captured leaving", Text: describeFlow(t.out())},
		{Node: t.to.Name, What: "captured arriving", Text: describeFlow(t.in())},
		{Node: t.to.Name, What: t.toLink + " authenticated", Text: "0 bytes"},
	}
	var out verdict.Outcome
	switch {
	case arrived > 0:
		out = fail("%s drops the incoming UDP port %d: WireGuard messages from %s arrive at its network card and never reach %s", t.to.Name, port, t.from.Name, t.toLink)
		out.Variant = "input"
		dropping := blocking(t.to, port, "prerouting", "input")
		readings = append(readings, rule(dropping)...)
		// A responder's answer is the one message that the preshared key goes into.
		if dropping == nil && t.in().Responses > 0 {
			out = fail("%s does not accept what %s sends, handshake answers among it, and no firewall rule was found that drops it: the preshared keys of the two may differ", t.to.Name, t.from.Name)
			out.Variant = "handshake"
		}
	case left > 0:
		out = fail("UDP port %d from %s to %s is lost between the nodes: it leaves %s and does not arrive", port, t.from.Name, t.to.Name, t.from.Name)
		out.Variant, facts["direction"] = "network", "forward"
	case moved(t.sent.TX) > 0 || entered(t):
		out = fail("%s drops its own outgoing UDP to port %d of %s: packets enter %s and nothing leaves the host", t.from.Name, port, t.to.Name, t.fromLink)
		out.Variant, facts["direction"] = "output", "output"
		facts["node"], facts["peer"] = t.from.Name, t.to.Name
		readings = append(readings, rule(blocking(t.from, port, "output"))...)
	default:
		return unknown("nothing for %s entered %s of %s, so nothing can be said of the way", t.to.Name, t.fromLink, t.from.Name)
	}
	out.Facts, out.Readings = facts, readings
	hooks := map[string][]string{"input": {"prerouting", "input"}, "output": {"output"}}[facts["direction"]]
	if rule := blocking(c.Node(facts["node"]), port, hooks...); rule != nil && rule.Tool == "nftables" {
		out.Variant = "nftables"
		facts["family"], facts["table"], facts["chain"] = rule.Family, rule.Table, rule.Chain
	}
	return out
}

// entered says whether canaries were seen going into the tunnel.
func entered(t tunnel) bool {
	seen := t.from.Witnessed[verdict.Witnessed{
		Link: t.fromLink, Direction: evidence.DirectionTX, Family: t.family, Source: t.from.Index, Target: t.to.Index,
	}]
	return seen.UDP+seen.TCP+seen.ICMP > 0
}

func messages(f evidence.Flow) uint64 {
	return f.Initiations + f.Responses + f.Cookies + f.Data + f.Keepalives
}

func describeFlow(f evidence.Flow) string {
	return fmt.Sprintf("%s, %s, %s, %s, %d bytes", plural(f.Initiations, "initiation"), plural(f.Responses, "response"),
		plural(f.Data, "data message"), plural(f.Keepalives, "keepalive"), f.Bytes)
}

// blocking returns the first firewall rule of a node that drops the port in
// one of the hooks, nil if none was read. That a chain drops what nothing
// accepts says nothing of a port that one of its rules accepts.
func blocking(n *verdict.Node, port uint16, hooks ...string) *evidence.Firewall {
	for _, hook := range hooks {
		for _, f := range n.Firewall {
			if f.Hook != hook || f.Effect != "drop" || f.Port != port && f.Port != 0 {
				continue
			}
			accepted := slices.ContainsFunc(n.Firewall, func(other *evidence.Firewall) bool {
				return other.Effect == "accept" && other.Port == port && other.Family == f.Family && other.Table == f.Table && other.Chain == f.Chain
			})
			if f.Port != 0 || !accepted {
				return f
			}
		}
	}
	return nil
}

func rule(f *evidence.Firewall) []verdict.Reading {
	if f == nil {
		return nil
	}
	text := f.Rule
	if f.Packets > 0 {
		text += fmt.Sprintf(" (%s)", plural(f.Packets, "packet"))
	}
	return []verdict.Reading{{What: strings.TrimSpace(fmt.Sprintf("%s %s %s %s", f.Tool, f.Family, f.Table, f.Chain)), Text: text}}
}

func (v view) delivered(c *verdict.Case, s verdict.Subject) verdict.Outcome {
	from, to := c.Node(s.Node), c.Node(s.Peer)
	sender, receiver := rows(from, to, s.Family)
	largest := largestUDP(sender)
	var sent, repeats, rtt uint32
	kinds := map[string]uint32{}
	var notes []string
	for _, row := range sender {
		if row.Sent == 0 {
			if row.Transport == "icmp" {
				notes = append(notes, "no ICMP: "+row.Error)
				continue
			}
			return unknown("%s sent no %s canary of %d bytes to %s: %s", from.Name, row.Transport, row.Size, to.Name, row.Error)
		}
		if row.Transport != "icmp" && row.Size == largest {
			continue // judged by WG0503
		}
		got := find(receiver, row.Transport, row.Size)
		switch {
		case row.Answered > 0 && (row.Transport == "icmp" || got != nil && got.Received > 0):
		case row.Transport == "icmp":
			notes = append(notes, fmt.Sprintf("ICMP of %d bytes unanswered", row.Size))
			continue
		case got != nil && got.Received > 0:
			out := fail("%s canaries of %d bytes arrive from %s at %s, their answers do not come back", row.Transport, row.Size, from.Name, to.Name)
			out.Variant = "answer"
			return out
		default:
			out := fail("%s canaries of %d bytes from the pod on %s do not arrive at the pod on %s (%d sent)", row.Transport, row.Size, from.Name, to.Name, row.Sent)
			out.Variant, out.Facts = "lost", map[string]string{"node": from.Name, "peer": to.Name}
			for _, n := range []*verdict.Node{to, from} {
				if dropping := blocking(n, 0, "forward"); dropping != nil && dropping.Tool == "nftables" && v.Device(n, s.Family) != "" {
					out.Text += fmt.Sprintf("; the firewall of %s drops what it forwards and does not know", n.Name)
					out.Variant, out.Readings = "forward", rule(dropping)
					out.Facts = map[string]string{"node": n.Name, "device": v.Device(n, s.Family),
						"family": dropping.Family, "table": dropping.Table, "chain": dropping.Chain}
					break
				}
			}
			return out
		}
		sent += row.Sent
		kinds[row.Transport]++
		repeats += row.Sent - min(row.Answered, row.Sent)
		if row.RTT > 0 && (rtt == 0 || row.RTT < rtt) {
			rtt = row.RTT
		}
	}
	if kinds["udp"] == 0 || kinds["tcp"] == 0 {
		return unknown("%s did not report UDP and TCP canaries to %s", from.Name, to.Name)
	}
	text := fmt.Sprintf("%d canaries over UDP, TCP", sent)
	if kinds["icmp"] > 0 {
		text += ", ICMP"
	}
	text += fmt.Sprintf(" answered, fastest %.1f ms", float64(rtt)/1000)
	if repeats > 0 {
		notes = append(notes, fmt.Sprintf("%d had to be repeated", repeats))
	}
	if len(notes) > 0 {
		text += " (" + list(notes) + ")"
	}
	return pass("%s", text)
}

func (v view) fullSize(c *verdict.Case, s verdict.Subject) verdict.Outcome {
	from, to := c.Node(s.Node), c.Node(s.Peer)
	sender, receiver := rows(from, to, s.Family)
	size := largestUDP(sender)
	for _, transport := range []string{"udp", "tcp"} {
		row, got := find(sender, transport, size), find(receiver, transport, size)
		switch {
		case transport == "tcp" && row == nil:
			continue // TCP cuts its data as it likes: what counts is that UDP was sent
		case row == nil || row.Sent == 0:
			return unknown("%s sent no canary of full size to %s", from.Name, to.Name)
		case row.Answered > 0 && got != nil && got.Received > 0:
			continue
		}
		out := fail("packets of %d bytes from the pod on %s to the pod on %s are lost", size+headerSize(s.Family), from.Name, to.Name)
		if transport == "tcp" {
			out = fail("TCP canaries of %d bytes from the pod on %s to the pod on %s are lost, of which smaller ones arrive", size, from.Name, to.Name)
		}
		if row.Error != "" {
			out.Text += ": " + row.Error
		}
		out.Facts = map[string]string{"node": from.Name, "peer": to.Name}
		return out
	}
	return pass("up to %d bytes", size+headerSize(s.Family))
}

func largestUDP(rows []evidence.CanaryRow) (size int) {
	for _, row := range rows {
		if row.Transport == "udp" {
			size = max(size, row.Size)
		}
	}
	return size
}

func find(rows []evidence.CanaryRow, transport string, size int) *evidence.CanaryRow {
	for i, row := range rows {
		if row.Transport == transport && row.Size == size {
			return &rows[i]
		}
	}
	return nil
}
