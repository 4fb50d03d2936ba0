package check

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func (v *view) arrives(e *graph.Edge) verdict.Outcome {
	switch {
	case e.FromLink() == "" && !v.Encrypts:
		return skip(untunnelled)
	case e.FromCarrier.Device == nil || e.ToCarrier.Device == nil || e.Sent == nil || e.Received == nil:
		return unknown("the counters of both devices were not read")
	}
	authenticated := e.Received.RX.Least
	if authenticated > 0 {
		return pass("%s authenticated %d bytes from %s", e.To.Name, authenticated, e.From.Name)
	}
	if e.Receiver.UDP.Received > 0 && e.Sender.UDP.Sent > 0 {
		return unknown("%s authenticated nothing from %s, and yet canaries arrived: they took another way",
			e.To.Name, e.From.Name)
	}
	for _, n := range []*graph.Node{e.From, e.To} {
		if n.Unverified != "" {
			return unknown("%s authenticated nothing from %s, and where it was lost cannot be told: %s", e.To.Name,
				e.From.Name, n.Unverified)
		}
	}
	left, arrived := e.Out.Messages(), e.In.Messages()
	if left == 0 && arrived == 0 && e.Sent.TX.Least == 0 && e.Into.Total() == 0 {
		return unknown("nothing for %s entered %s of %s, so nothing can be said of the way",
			e.To.Name, e.FromLink(), e.From.Name)
	}
	return lastSeen(e, left, arrived)
}

// lastSeen says where the tunnel's datagrams were last seen, and what drops them.
func lastSeen(e *graph.Edge, left, arrived uint64) verdict.Outcome {
	port := e.ToCarrier.Device.Port
	facts := map[string]string{
		"node": e.To.Name, "peer": e.From.Name, "port": fmt.Sprint(port),
		"device": e.ToLink(), "endpoint": sendsTo(e), "direction": "input", "iptables": "iptables",
	}
	outer := family(e.Sent.Endpoint.Addr())
	if outer == 6 {
		facts["iptables"] = "ip6tables"
	}
	readings := []verdict.Reading{
		{Node: e.From.Name, What: e.FromLink() + " sent to " + sendsTo(e), Text: fmt.Sprintf("%d bytes",
			e.Sent.TX.Least)},
		{Node: e.From.Name, What: "captured leaving", Text: describeFlow(e.Out)},
		{Node: e.To.Name, What: "captured arriving", Text: describeFlow(e.In)},
		{Node: e.To.Name, What: e.ToLink() + " authenticated", Text: "0 bytes"},
	}
	var out verdict.Outcome
	blamed, hooks := e.To, []string{"prerouting", "input"}
	switch {
	case arrived > 0:
		out = fail("%s drops the incoming UDP port %d: WireGuard messages from %s arrive at its network card and "+
			"never reach %s", e.To.Name, port, e.From.Name, e.ToLink())
		out.Variant = "input"
		dropping := blocking(e.To, outer, port, "prerouting", "input")
		readings = append(readings, rule(dropping)...)
		// A responder's answer is the one message that the preshared key goes into.
		switch {
		case dropping != nil:
		case e.In.Responses > 0:
			out = fail("%s does not accept what %s sends, handshake answers among it, and no firewall rule was "+
				"found that drops it: the preshared keys of the two may differ", e.To.Name, e.From.Name)
			out.Variant = "handshake"
		case e.In.Initiations > 0 && e.Received.Handshake && e.Received.Age < 0:
			out = fail("%s takes no handshake of %s: the last one lies %s in the future of its own clock, which was "+
				"set back, and WireGuard takes none that is older than the last",
				e.To.Name, e.From.Name, (-time.Duration(e.Received.Age)).Round(time.Second))
			out.Variant = "clock"
		}
	case left > 0:
		out = fail("UDP port %d from %s to %s is lost between the nodes: it leaves %s and does not arrive", port,
			e.From.Name, e.To.Name, e.From.Name)
		out.Variant, facts["direction"] = "network", "forward"
		hooks = nil
	default:
		out = fail("%s drops its own outgoing UDP to port %d of %s: packets enter %s and nothing leaves the host",
			e.From.Name, port, e.To.Name, e.FromLink())
		out.Variant, facts["direction"] = "output", "output"
		facts["node"], facts["peer"] = e.From.Name, e.To.Name
		blamed, hooks = e.From, []string{"output"}
		readings = append(readings, rule(blocking(e.From, outer, port, "output"))...)
	}
	out.Facts, out.Readings = facts, readings
	if rule := blocking(blamed, outer, port, hooks...); rule != nil && rule.Tool == "nftables" {
		out.Variant = "nftables"
		facts["family"], facts["table"], facts["chain"] = rule.Family, rule.Table, rule.Chain
	}
	return out
}

func describeFlow(f *graph.Flow) string {
	return fmt.Sprintf("%s, %s, %s, %s, %d bytes", plural(f.Initiations, "initiation"), plural(f.Responses, "response"),
		plural(f.Data, "data message"), plural(f.Keepalives, "keepalive"), f.Bytes)
}

// blocking returns the first firewall rule of a node that drops the port of
// packets of a family in one of the hooks, nil if none was read. That a chain
// drops what nothing accepts says nothing of a port that one of its rules
// accepts.
func blocking(n *graph.Node, family int, port uint16, hooks ...string) *evidence.Firewall {
	unseen := map[int]string{4: "ip6", 6: "ip"}[family] // the tables that packets of this family never see
	for _, hook := range hooks {
		for _, f := range n.Firewall {
			if f.Hook != hook || f.Effect != "drop" || f.Port != port && f.Port != 0 || f.Family == unseen {
				continue
			}
			accepted := slices.ContainsFunc(n.Firewall, func(other *evidence.Firewall) bool {
				return other.Effect == "accept" && other.Port == port && other.Family == f.Family &&
					other.Table == f.Table && other.Chain == f.Chain
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
	return []verdict.Reading{{What: strings.TrimSpace(fmt.Sprintf("%s %s %s %s", f.Tool, f.Family, f.Table, f.Chain)),
		Text: text}}
}
