package check

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// reachChecks are WG05xx: whether the tunnel's UDP and the pods' packets
// arrive.
func (v *view) reachChecks() []verdict.Check {
	tunnelled := []string{"WG0103", "WG0107", "WG0101", "WG0104", "WG0106", "WG0201", "WG0202", "WG0301", "WG0303", "WG0302", "WG0306", "WG0304", "WG0401"}
	return []verdict.Check{
		{
			Code: "WG0501", Title: "the tunnel's UDP datagrams arrive at the other node's WireGuard",
			Why:   "A firewall on a node or between the nodes that drops the tunnel's port looks like a broken cluster. Where the datagrams were last seen says who drops them.",
			Reads: "WireGuard messages captured leaving one node and arriving at the other, what the receiver's device authenticated, firewall rules",
			Scope: verdict.PerPair, Needs: []verdict.Need{verdict.NeedProbe}, Outage: true, After: tunnelled, Judge: v.arrives,
		},
		{
			Code: "WG0502", Title: "pods on the two nodes reach each other",
			Why:   "Only traffic that arrived and was answered can be said to have crossed encrypted. Answers are authenticated with a key of this run, so nobody in between can give them.",
			Reads: "canaries sent, received and answered by the test pods over UDP, TCP and, where allowed, ICMP",
			Proof: verdict.P1Delivered, Scope: verdict.PerPair, Needs: []verdict.Need{verdict.NeedPod}, Outage: true,
			After: append(slices.Clone(tunnelled), "WG0501"), Judge: v.delivered,
		},
		{
			Code: "WG0503", Title: "packets of full size pass",
			Why:   "A tunnel whose MTU is too large for the network below it passes pings and stalls transfers.",
			Reads: "canaries as large as the pod's own link takes, sent with DF set",
			Proof: verdict.P1Delivered, Scope: verdict.PerPair, Needs: []verdict.Need{verdict.NeedPod}, Outage: true,
			After: append(slices.Clone(tunnelled), "WG0504", "WG0501", "WG0502"), Judge: v.fullSize,
		},
	}
}

func (v *view) arrives(f *verdict.Focus) verdict.Outcome {
	t := &f.Tunnel
	switch {
	case t.FromLink == "" && !v.Encrypts:
		return f.Say(verdict.NotApplicable, untunnelled)
	case t.FromDev == nil || t.ToDev == nil || t.Sent == nil || t.Received == nil:
		return unknown("the counters of both devices were not read")
	}
	authenticated := moved(t.Received.RX)
	if authenticated > 0 {
		return f.Say(verdict.Pass, func() string {
			return fmt.Sprintf("%s authenticated %d bytes from %s", t.To.Name, authenticated, t.From.Name)
		})
	}
	if f.Receiver.UDP.Received > 0 && f.Sender.UDP.Sent > 0 {
		return unknown("%s authenticated nothing from %s, and yet canaries arrived: they took another way", t.To.Name, t.From.Name)
	}
	for _, n := range []*verdict.Node{t.From, t.To} {
		if n.Unsound != "" {
			return unknown("%s authenticated nothing from %s, and where it was lost cannot be told: %s", t.To.Name, t.From.Name, n.Unsound)
		}
	}
	left, arrived := t.Out.Messages(), t.In.Messages()
	if left == 0 && arrived == 0 && moved(t.Sent.TX) == 0 && f.Into().Total() == 0 {
		return unknown("nothing for %s entered %s of %s, so nothing can be said of the way", t.To.Name, t.FromLink, t.From.Name)
	}
	if f.Quiet {
		return verdict.Outcome{Status: verdict.Fail}
	}
	return lastSeen(f, left, arrived)
}

// lastSeen says where the tunnel's datagrams were last seen, and what drops them.
func lastSeen(f *verdict.Focus, left, arrived uint64) verdict.Outcome {
	t := &f.Tunnel
	port := t.ToDev.Port
	facts := map[string]string{
		"node": t.To.Name, "peer": t.From.Name, "port": fmt.Sprint(port),
		"device": t.ToLink, "endpoint": sendsTo(t), "direction": "input", "iptables": "iptables",
	}
	outer := family(t.Sent.Endpoint.Addr())
	if outer == 6 {
		facts["iptables"] = "ip6tables"
	}
	readings := []verdict.Reading{
		{Node: t.From.Name, What: t.FromLink + " sent to " + sendsTo(t), Text: fmt.Sprintf("%d bytes", moved(t.Sent.TX))},
		{Node: t.From.Name, What: "captured leaving", Text: describeFlow(t.Out)},
		{Node: t.To.Name, What: "captured arriving", Text: describeFlow(t.In)},
		{Node: t.To.Name, What: t.ToLink + " authenticated", Text: "0 bytes"},
	}
	var out verdict.Outcome
	blamed, hooks := t.To, []string{"prerouting", "input"}
	switch {
	case arrived > 0:
		out = fail("%s drops the incoming UDP port %d: WireGuard messages from %s arrive at its network card and never reach %s", t.To.Name, port, t.From.Name, t.ToLink)
		out.Variant = "input"
		dropping := blocking(t.To, outer, port, "prerouting", "input")
		readings = append(readings, rule(dropping)...)
		// A responder's answer is the one message that the preshared key goes into.
		switch {
		case dropping != nil:
		case t.In.Responses > 0:
			out = fail("%s does not accept what %s sends, handshake answers among it, and no firewall rule was found that drops it: the preshared keys of the two may differ", t.To.Name, t.From.Name)
			out.Variant = "handshake"
		case t.In.Initiations > 0 && t.Received.Handshake && t.Received.Age < 0:
			out = fail("%s takes no handshake of %s: the last one lies %s in the future of its own clock, which was set back, and WireGuard takes none that is older than the last",
				t.To.Name, t.From.Name, (-time.Duration(t.Received.Age)).Round(time.Second))
			out.Variant = "clock"
		}
	case left > 0:
		out = fail("UDP port %d from %s to %s is lost between the nodes: it leaves %s and does not arrive", port, t.From.Name, t.To.Name, t.From.Name)
		out.Variant, facts["direction"] = "network", "forward"
		hooks = nil
	default:
		out = fail("%s drops its own outgoing UDP to port %d of %s: packets enter %s and nothing leaves the host", t.From.Name, port, t.To.Name, t.FromLink)
		out.Variant, facts["direction"] = "output", "output"
		facts["node"], facts["peer"] = t.From.Name, t.To.Name
		blamed, hooks = t.From, []string{"output"}
		readings = append(readings, rule(blocking(t.From, outer, port, "output"))...)
	}
	out.Facts, out.Readings = facts, readings
	if rule := blocking(blamed, outer, port, hooks...); rule != nil && rule.Tool == "nftables" {
		out.Variant = "nftables"
		facts["family"], facts["table"], facts["chain"] = rule.Family, rule.Table, rule.Chain
	}
	return out
}

func describeFlow(f *verdict.Flow) string {
	return fmt.Sprintf("%s, %s, %s, %s, %d bytes", plural(f.Initiations, "initiation"), plural(f.Responses, "response"),
		plural(f.Data, "data message"), plural(f.Keepalives, "keepalive"), f.Bytes)
}

// blocking returns the first firewall rule of a node that drops the port of
// packets of a family in one of the hooks, nil if none was read. That a chain
// drops what nothing accepts says nothing of a port that one of its rules
// accepts.
func blocking(n *verdict.Node, family int, port uint16, hooks ...string) *evidence.Firewall {
	unseen := map[int]string{4: "ip6", 6: "ip"}[family] // the tables that packets of this family never see
	for _, hook := range hooks {
		for _, f := range n.Firewall {
			if f.Hook != hook || f.Effect != "drop" || f.Port != port && f.Port != 0 || f.Family == unseen {
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
