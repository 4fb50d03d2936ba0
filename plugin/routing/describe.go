package routing

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Selectors renders a rule's conditions as `ip rule add` takes them.
func Selectors(r *evidence.Rule) string {
	var words []string
	add := func(set bool, format string, args ...any) {
		if set {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	add(r.Not, "not")
	add(r.From.IsValid() && r.From.Bits() > 0, "from %s", brief(r.From))
	add(r.To.IsValid() && r.To.Bits() > 0, "to %s", brief(r.To))
	add(r.TOS != 0, "tos %#x", r.TOS)
	add(maskOf(r) == 1<<32-1, "fwmark %#x", r.Mark)
	add(maskOf(r) != 0 && maskOf(r) != 1<<32-1, "fwmark %#x/%#x", r.Mark, r.Mask)
	add(r.In != "", "iif %s", r.In)
	add(r.Out != "", "oif %s", r.Out)
	add(r.L3MDev, "l3mdev")
	if r.Users != nil {
		add(true, "uidrange %d-%d", r.Users[0], r.Users[1])
	}
	add(r.Protocol != 0, "ipproto %s", Protocol(r.Protocol))
	if r.SourcePorts != nil {
		add(true, "sport %s", ports(*r.SourcePorts))
	}
	if r.TargetPorts != nil {
		add(true, "dport %s", ports(*r.TargetPorts))
	}
	if r.DSCP != nil {
		add(true, "dscp %d", *r.DSCP)
	}
	for _, other := range r.Other {
		add(true, "%s", other)
	}
	return strings.Join(words, " ")
}

// DescribeRule renders a rule as `ip rule` does.
func DescribeRule(r *evidence.Rule) string {
	text := fmt.Sprintf("%d: ", r.Priority)
	if r.Not {
		text += "not "
	}
	if !r.From.IsValid() || r.From.Bits() == 0 {
		text += "from all "
	}
	if selectors := strings.TrimPrefix(Selectors(r), "not"); selectors != "" {
		text += strings.TrimSpace(selectors) + " "
	}
	switch r.Action {
	case "", "lookup":
		text += "lookup " + tableName(r.Table)
	case "goto":
		text += fmt.Sprintf("goto %d", r.Goto)
	default:
		text += r.Action
	}
	if r.SuppressLength != nil {
		text += fmt.Sprintf(" suppress_prefixlength %d", *r.SuppressLength)
	}
	if r.SuppressGroup != nil {
		text += fmt.Sprintf(" suppress_ifgroup %d", *r.SuppressGroup)
	}
	return text
}

func tableName(number int) string {
	switch number {
	case TableLocal:
		return "local"
	case TableMain:
		return "main"
	case TableDefault:
		return "default"
	}
	return fmt.Sprint(number)
}

func brief(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func ports(r evidence.Ports) string {
	if r.From == r.To {
		return fmt.Sprint(r.From)
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

// Protocol names an IP protocol as /etc/protocols does.
func Protocol(number uint8) string {
	names := map[uint8]string{
		protocolICMP: "icmp", protocolTCP: "tcp", protocolUDP: "udp", protocolDCCP: "dccp", protocolICMPv6: "ipv6-icmp",
		protocolSCTP: "sctp",
	}
	if name := names[number]; name != "" {
		return name
	}
	return fmt.Sprint(number)
}

// DescribeStatement renders a statement of a filter, and where it stands.
func DescribeStatement(d *evidence.Diversion) string {
	where := d.By
	for _, word := range []string{d.Family, d.Table, d.Chain} {
		if word != "" {
			where += " " + word
		}
	}
	if d.Link != "" {
		where += " " + d.Link
	}
	if d.Hook != "" {
		where += " " + d.Hook
	}
	switch {
	case d.Rule != "":
		return where + ": " + d.Rule
	case d.Program != "":
		return where + ": the BPF program " + d.Program
	case d.Effect == evidence.EffectMark && !d.Unknown:
		return fmt.Sprintf("%s: sets the mark %#x", where, d.Mark)
	}
	return where + ": " + d.Effect
}

// Condition reports in words what distinguishes the packets of a way; empty if
// nothing does that not every packet has.
func (w *Way) Condition() string {
	var words []string
	if w.Certainty == Selective {
		p := &w.Sample
		words = append(words, Protocol(p.Protocol))
		if p.Source != usualSource && p.Source != 0 {
			words = append(words, fmt.Sprintf("source port %d", p.Source))
		}
		if p.Target != usualTarget && p.Target != 0 {
			words = append(words, fmt.Sprintf("port %d", p.Target))
		}
		if p.DSCP != 0 {
			words = append(words, fmt.Sprintf("DSCP %d", p.DSCP))
		}
	}
	if w.Mark != 0 {
		words = append(words, fmt.Sprintf("mark %#x", w.Mark))
	}
	return strings.Join(words, ", ")
}
