//go:build linux

package filter

import (
	"fmt"
	"net/netip"
	"strings"
)

// protocolNames are those of IP protocols that rules name most.
var protocolNames = map[uint8]string{1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp"}

// words renders the whole of a rule as nft would; conditions that are not
// understood stand in parentheses. At most 300 bytes.
func words(c condition, version int, does string) string {
	var list []string
	add := func(word string, items []string) {
		const most = 8
		if len(items) > most {
			items = append(items[:most:most], "…")
		}
		switch len(items) {
		case 0:
		case 1:
			list = append(list, word+" "+items[0])
		default:
			list = append(list, word+" { "+strings.Join(items, ", ")+" }")
		}
	}
	add("iifname", quoted(c.In))
	add("iifname !=", quoted(c.NotIn))
	add("oifname", quoted(c.Out))
	add("oifname !=", quoted(c.NotOut))
	ip := "ip"
	if c.family == 6 {
		ip = "ip6"
	}
	addresses := len(c.From) + len(c.NotFrom) + len(c.To) + len(c.NotTo)
	if c.family != version && addresses == 0 {
		list = append(list, fmt.Sprintf("meta nfproto ipv%d", c.family))
	}
	add(ip+" saddr", prefixTexts(c.From))
	add(ip+" saddr !=", prefixTexts(c.NotFrom))
	add(ip+" daddr", prefixTexts(c.To))
	add(ip+" daddr !=", prefixTexts(c.NotTo))
	protocol := "udp"
	switch {
	case len(c.Protocol) == 1 && len(c.Source)+len(c.Target) > 0:
		protocol = protocolName(c.Protocol[0])
	case len(c.Protocol) > 0:
		protocol = "th"
		add("meta l4proto", protocolTexts(c.Protocol))
	}
	add(protocol+" sport", portTexts(c.Source))
	add(protocol+" dport", portTexts(c.Target))
	if len(c.DSCP) > 0 {
		add(ip+" dscp", strings.Fields(strings.Trim(fmt.Sprint(c.DSCP), "[]")))
	}
	if c.MarkMask != 0 {
		list = append(list, fmt.Sprintf("mark 0x%x/0x%x", c.MarkIs, c.MarkMask))
	}
	for _, other := range c.Other {
		if numbers, ok := protocolsNotIn(other); ok {
			add("meta l4proto !=", protocolTexts(numbers))
			continue
		}
		list = append(list, "("+other+")")
	}
	const room = 300
	text := strings.Join(append(list, does), " ")
	return strings.ToValidUTF8(text[:min(len(text), room)], "")
}

func quoted(names []string) (list []string) {
	for _, name := range names {
		list = append(list, fmt.Sprintf("%q", name))
	}
	return list
}

func prefixTexts(prefixes []netip.Prefix) (list []string) {
	for _, p := range prefixes {
		text := p.String()
		if p.IsSingleIP() {
			text = p.Addr().String()
		}
		list = append(list, text)
	}
	return list
}

func protocolTexts(numbers []uint8) (list []string) {
	for _, n := range numbers {
		list = append(list, protocolName(n))
	}
	return list
}

func protocolName(n uint8) string {
	if name := protocolNames[n]; name != "" {
		return name
	}
	return fmt.Sprint(n)
}
