package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// forwardHooks are those that pods' packets pass, in order.
var forwardHooks = []string{"prerouting", "forward", "postrouting"}

// transport is a transport as a reader knows it: UDP, TCP, ICMP.
func transport(row *evidence.CanaryRow) string { return strings.ToUpper(row.Transport) }

// notArrived reports that test packets do not arrive, and what drops them, as far
// as it was found.
func notArrived(e *graph.Edge, row *evidence.CanaryRow) verdict.Outcome {
	out := fail("%s test packets of %d bytes from the pod on %s do not arrive at the pod on %s (%d sent)",
		transport(row), row.Size, e.From.Name, e.To.Name, row.Sent)
	out.Variant = "lost"
	out.Facts = map[string]string{"node": e.From.Name, "peer": e.To.Name}
	forwarded(&out, e, row)
	if out.Variant == "lost" {
		traced(&out, e, row)
	}
	return out
}

// traced adds where packets of a transport of which none arrived were last seen.
func traced(out *verdict.Outcome, e *graph.Edge, row *evidence.CanaryRow) {
	entered, left := e.Into.UDP-e.Into.UDPAnswers, e.OutOf.UDP-e.OutOf.UDPAnswers
	received := e.Receiver.UDP.Received
	if row.Transport == "tcp" {
		entered, left = e.Into.TCP-e.Into.TCPAnswers, e.OutOf.TCP-e.OutOf.TCPAnswers
		received = e.Receiver.TCP.Received
	}
	accepted := e.Received != nil && e.Received.RX.Least > 0
	unknown := e.From.Unverified != "" || e.To.Unverified != "" || e.FromLink() == "" || e.ToLink() == ""
	switch {
	case unknown || received > 0:
		return
	case entered == 0:
		out.Add("; none was seen entering %s of %s", e.FromLink(), e.From.Name)
		out.Variant = "before"
		out.Facts["device"] = e.FromLink()
	case left > 0:
		out.Add("; they leave %s of %s and do not reach the pod", e.ToLink(), e.To.Name)
		out.Variant = "behind"
		out.Facts["node"] = e.To.Name
		out.Facts["peer"] = e.From.Name
		out.Facts["device"] = e.ToLink()
	case accepted:
		out.Add("; they enter %s of %s, WireGuard on %s accepts what it sends, and none was seen leaving %s there",
			e.FromLink(), e.From.Name, e.To.Name, e.ToLink())
		out.Variant = "within"
		out.Facts["node"] = e.To.Name
		out.Facts["peer"] = e.From.Name
		out.Facts["device"] = e.ToLink()
	}
}

// notAnswered reports that test packets arrive and their answers do not come back,
// and what drops those.
func notAnswered(e *graph.Edge, row *evidence.CanaryRow) verdict.Outcome {
	out := fail("%s test packets of %d bytes from %s arrive at the pod on %s, their answers do not come back",
		transport(row), row.Size, e.From.Name, e.To.Name)
	out.Variant = "answer"
	out.Facts = map[string]string{"node": e.To.Name, "peer": e.From.Name}
	forwarded(&out, e.Back(), row)
	return out
}

// forwarded adds which rule of the two nodes drops what is on its way from one
// pod to another: one that does for certain, then NetworkPolicies, then what may.
func forwarded(out *verdict.Outcome, e *graph.Edge, row *evidence.CanaryRow) {
	ends := []struct {
		node *graph.Node
		passing
	}{
		{e.To, passing{in: tunnelLinks(e.ToLink())}}, {e.From, passing{out: tunnelLinks(e.FromLink())}},
	}
	var found [2]dropped
	for i := range ends {
		p := &ends[i].passing
		p.family = e.Family
		p.from = e.From.PodIP(e.Family)
		p.to = e.To.PodIP(e.Family)
		p.protocol = protocolTCP
		if row.Transport == "udp" {
			p.protocol = protocolUDP
		}
		found[i] = p.meets(ends[i].node, forwardHooks...)
	}
	if byKernel(out, e) {
		return
	}
	for i, d := range found {
		if d.certain != nil {
			byForwardRule(out, e, ends[i].node, d.certain)
			return
		}
	}
	for i, d := range found {
		if len(d.policies) > 0 {
			n := ends[i].node
			out.Add("; %s enforces network policies (chain %s), and one may select the test pods", n.Name,
				strings.TrimPrefix(d.policies[0].Rule, "jump "))
			out.Variant = "policies"
			out.Facts["node"] = n.Name
			out.Readings = ruleReadings(n, append(d.policies[:1:1], d.doubtful...)...)
			return
		}
	}
	for i, d := range found {
		if len(d.doubtful) > 0 {
			n := ends[i].node
			out.Add("; a rule of %s whose conditions were not all understood may drop them (chain %s)", n.Name,
				whereIs(d.doubtful[0]))
			out.Variant = "doubtful"
			out.Facts["node"] = n.Name
			out.Readings = ruleReadings(n, d.doubtful...)
			return
		}
	}
}

// byKernel adds that one of the two nodes forwards nothing, or cannot track one
// more connection.
func byKernel(out *verdict.Outcome, e *graph.Edge) bool {
	for _, n := range []*graph.Node{e.To, e.From} {
		link := n.Link(podsComeBy(e, n))
		full := tableFull(n)
		switch {
		case link != nil && slices.Contains(link.NoForwarding, e.Family):
			out.Add("; %s does not forward the IPv%d packets that arrive on %s: its kernel is set so", n.Name, e.Family,
				link.Name)
			out.Variant = fmt.Sprintf("unforwarded%d", e.Family)
			out.Facts["link"] = link.Name
			out.Readings = []verdict.Reading{{Node: n.Name, What: forwardingOf(link.Name, e.Family), Text: "0"}}
		case full != nil:
			out.Add("; on %s %s", n.Name, noRoom(full))
			out.Variant = "conntrack"
			out.Readings = []verdict.Reading{counterReading(n, full)}
		default:
			continue
		}
		out.Facts["node"] = n.Name
		out.After = ofTheRun
		return true
	}
	return false
}

// podsComeBy is the link by which packets of an edge reach the kernel of one of
// its nodes: the tunnel, or the link to the pods. It is empty if it is not known.
func podsComeBy(e *graph.Edge, n *graph.Node) string {
	if n == e.To {
		return e.ToLink()
	}
	own := n.PodIP(e.Family)
	if entry := closest(n.Table, own, func(r *evidence.Route) bool { return r.Link != "" }); entry != nil {
		return entry.Link
	}
	return ""
}

// forwardingOf names the setting by which the kernel forwards what arrives on a link.
func forwardingOf(link string, family int) string {
	if family == 6 {
		return "net.ipv6.conf.all.forwarding"
	}
	return "net.ipv4.conf." + link + ".forwarding"
}

// byForwardRule adds a rule of a node that drops the packets for certain.
func byForwardRule(out *verdict.Outcome, e *graph.Edge, n *graph.Node, f *evidence.Firewall) {
	out.Facts = map[string]string{"node": n.Name, "peer": e.From.Name, "device": n.Carrier(e.Family).Name, "ip": "ip"}
	if n == e.From {
		out.Facts["peer"] = e.To.Name
	}
	if e.Family == 6 {
		out.Facts["ip"] = "ip6"
	}
	addRule(out, n, f)
	out.After = ofTheRun // it drops them whatever else does
	if isDefault(f) || unconditional(f) {
		out.Add("; the firewall of %s drops what it forwards and nothing accepts (chain %s)", n.Name, whereIs(f))
	} else {
		out.Add("; a firewall rule of %s drops them (chain %s)", n.Name, whereIs(f))
	}
	if isDefault(f) {
		out.Variant = "forward-policy"
		return
	}
	from, to := rangeOf(e.From, e.From.PodIP(e.Family)), rangeOf(e.To, e.To.PodIP(e.Family))
	if from.IsValid() && to.IsValid() {
		out.Facts["here"] = to.String()
		out.Facts["there"] = from.String()
	}
	if !evidence.OfPolicies(f.Table, f.Chain) {
		out.Variant = "forward-" + out.Variant
	}
	if policiesBehind(n, f) {
		delete(out.Facts, "handle")
		delete(out.Facts, "number")
	}
}

// policiesBehind reports whether a chain of NetworkPolicies is entered behind a rule,
// from the same base chain: an accept before the rule would go past it.
func policiesBehind(n *graph.Node, rule *evidence.Firewall) bool {
	at := slices.Index(n.Firewall, rule)
	return slices.ContainsFunc(n.Firewall[at+1:], func(f *evidence.Firewall) bool {
		return f.Effect == "present" && f.Hook == rule.Hook && f.Family == rule.Family && f.Table == rule.Table &&
			f.Base == rule.Base
	})
}

// tunnelLinks are the links by which packets come out of a tunnel or go into it,
// none if that is not known.
func tunnelLinks(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}
