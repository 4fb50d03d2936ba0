package check

import (
	"net/netip"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

type streams = map[string][]evidence.Message

// unacceptedRun: what node-1 sends arrives at node-2's card, and WireGuard there
// counts none of it. more is what node-2's probe says besides.
func unacceptedRun(more ...evidence.Message) streams {
	s := healthy(3)
	count(s["probe/node-2"], 0, func(c *evidence.Count) { c.RX = [4]uint64{1000, 1000, 1000, 1000} })
	undelivered(s)
	for i := range 3 {
		s[probeOf(i)] = append(s[probeOf(i)], evidence.Message{Address: &evidence.Address{
			Link: "eth0", Prefix: netip.PrefixFrom(underlay(i), 24)}})
	}
	s["probe/node-2"] = append(s["probe/node-2"], more...)
	return s
}

func probeOf(i int) string { return []string{"probe/node-1", "probe/node-2", "probe/node-3"}[i] }

// unsentRun: what enters node-1's tunnel for node-2 does not leave the host.
func unsentRun(more ...evidence.Message) streams {
	s := unacceptedRun()
	for i, remote := range []netip.Addr{underlay(1), underlay(0)} {
		each(s[probeOf(i)], func(m *evidence.Message) {
			if m.Tunnel == nil || m.Tunnel.Remote.Addr() != remote {
				return
			}
			tunnel := *m.Tunnel
			if i == 0 {
				tunnel.TX = evidence.Flow{}
			} else {
				tunnel.RX = evidence.Flow{}
			}
			m.Tunnel = &tunnel
		})
	}
	s["probe/node-1"] = append(s["probe/node-1"], more...)
	return s
}

// inputRule is a rule of the input hook of an iptables-nft table, with its conditions.
func inputRule(effect, chain, rule string, when evidence.Selector) evidence.Message {
	f := &evidence.Firewall{
		Tool: "nftables", Family: "ip", Table: "filter", Chain: chain, Base: "INPUT", Hook: "input",
		Effect: effect, Rule: rule, Handle: 7, Number: 3, When: &when,
	}
	if len(when.Target) > 0 {
		f.Port = when.Target[0].From
	}
	return evidence.Message{Firewall: f}
}

func policy(base string) evidence.Message {
	m := inputRule("drop", base, "policy drop", evidence.Selector{})
	m.Firewall.Base = base
	m.Firewall.Hook = strings.ToLower(base)
	m.Firewall.Handle = 0
	return m
}

// sentBeside has something of the shape of WireGuard's messages leave node-1 for node-2's
// endpoint from a port that is not the tunnel's, whose handshakes are for these keys.
func sentBeside(handshakes []evidence.Handshake) streams {
	s := unsentRun()
	s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{Tunnel: &evidence.Tunnel{
		Local: netip.AddrPortFrom(underlay(0), 11787), Remote: netip.AddrPortFrom(underlay(1), 51820),
		Links: []string{"eth0"}, TX: evidence.Flow{Initiations: 1, Bytes: 148, Handshakes: handshakes},
	}})
	return s
}

// rewritten changes a firewall's message.
func rewritten(m evidence.Message, change func(*evidence.Firewall)) evidence.Message {
	change(m.Firewall)
	return m
}

func prefixes(list ...string) (all []netip.Prefix) {
	for _, text := range list {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func at51820(s evidence.Selector) evidence.Selector {
	s.Protocol = []byte{protocolUDP}
	s.Target = []evidence.Ports{{From: 51820, To: 51820}}
	return s
}

func counter(name string) evidence.Message {
	return evidence.Message{StackCount: &evidence.StackCount{Name: name, Rise: 12}}
}

// preshared sets a preshared key of one node for another.
func preshared(s streams, node, peer int) {
	each(s[probeOf(node)], func(m *evidence.Message) {
		if m.Peer != nil && m.Peer.PublicKey == publicKey(peer) {
			p := *m.Peer
			p.Preshared = true
			m.Peer = &p
		}
	})
}

// answered lets handshake answers be among what arrives at node-2.
func answered(s streams) {
	each(s["probe/node-2"], func(m *evidence.Message) {
		if m.Tunnel != nil && m.Tunnel.Remote.Addr() == underlay(0) {
			tunnel := *m.Tunnel
			tunnel.RX.Responses = 3
			m.Tunnel = &tunnel
		}
	})
}

// onLink changes a link of node-2.
func onLink(s streams, name string, change func(*evidence.Link)) {
	each(s["probe/node-2"], func(m *evidence.Message) {
		if m.Link != nil && m.Link.Name == name {
			link := *m.Link
			change(&link)
			m.Link = &link
		}
	})
}
