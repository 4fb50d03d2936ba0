//go:build linux

package agent

import (
	"fmt"
	"testing"
)

// Nodes that translate the datagrams of their own tunnel, so that on the wire they
// have other ports than its devices.
//
//	flannel-wg :51820 — node 0 translates — switch — node 1 translates — flannel-wg :51820
func TestLivePorts(t *testing.T) {
	runLive(t, []liveCase{
		{name: "masquerade-random", prepare: masquerade(0), verdict: "PASS"},
		{name: "masquerade-random-both", prepare: inTurn(masquerade(0), masquerade(1)), verdict: "PASS"},
		{name: "snat-port",
			prepare: onNode(0, "iptables -t nat -A POSTROUTING -p udp --sport 51820 -j SNAT --to-source "+
				"192.0.2.1:40000"),
			verdict: "PASS"},
		{name: "snat-port-legacy",
			prepare: onNode(1, "iptables-legacy -t nat -A POSTROUTING -p udp --sport 51820 -j SNAT --to-source "+
				"192.0.2.2:40000"),
			verdict: "PASS"},
		{name: "conntrack", prepare: collide, verdict: "PASS"},
		{name: "redirect",
			prepare: inTurn(toPort(0, 51999),
				onNode(1, "iptables -t nat -A PREROUTING -p udp --dport 51999 -j REDIRECT --to-ports 51820")),
			verdict: "PASS"},
		{name: "redirect-legacy", prepare: inTurn(toPort(0, 51999),
			onNode(1, "iptables-legacy -t nat -A PREROUTING -p udp --dport 51999 -j REDIRECT --to-ports 51820")),
			verdict: "PASS"},
		{name: "dnat-nftables", prepare: inTurn(toPort(0, 51999), onNode(1, "nft add table ip own",
			"nft add chain ip own pre '{ type nat hook prerouting priority dstnat; }'",
			"nft add rule ip own pre udp dport 51999 dnat to 192.0.2.2:51820")), verdict: "PASS"},
		{name: "dnat-port-only",
			prepare: inTurn(toPort(0, 51999),
				onNode(1, "iptables -t nat -A PREROUTING -p udp --dport 51999 -j DNAT --to-destination :51820")),
			verdict: "PASS"},
		{name: "dnat-to-itself", prepare: inTurn(toPort(0, 51999),
			onNode(1, "iptables -t nat -A PREROUTING -i eth0 -p udp --dport 51999 -j DNAT --to-destination "+
				"192.0.2.2:51820")), verdict: "PASS"},
		{name: "dnat-elsewhere",
			prepare: onNode(1, "iptables -t nat -A PREROUTING -p udp --dport 51999 -j DNAT --to-destination "+
				"192.0.2.1:51820"),
			verdict: "INCONCLUSIVE", causes: []string{otherPath}},
		{name: "dnat-to-another-port",
			prepare: onNode(1, "iptables -t nat -A PREROUTING -p udp --dport 51999 -j DNAT --to-destination "+
				"192.0.2.2:9"),
			verdict: "INCONCLUSIVE", causes: []string{otherPath}},
		{name: "fake-data", during: fakeData, verdict: "PASS"},
		{name: "fake-data-beside-masquerade", prepare: masquerade(0), during: fakeData, verdict: "PASS"},
	})
}

func onNode(i int, lines ...string) func(*live) {
	return func(l *live) { l.nodes[i].run(lines...) }
}

// toPort has a node's own datagrams for the other's tunnel leave for another port of it.
func toPort(i, port int) func(*live) {
	return onNode(i, fmt.Sprintf("iptables -t nat -A OUTPUT -p udp --dport 51820 -j DNAT --to-destination %s:%d",
		nodeAddr(1-i), port))
}

// masquerade gives the datagrams that a node sends another source port.
func masquerade(i int) func(*live) {
	return onNode(i, "iptables -t nat -A POSTROUTING -o eth0 -p udp --sport 51820 -j MASQUERADE --random-fully")
}

// collide has node 1 send to the port of a tunnel that node 0 has translated without an
// answer: connection tracking on node 0 then gives what arrives a source port of its own.
func collide(l *live) {
	masquerade(0)(l)
	l.nodes[1].run("nft add table inet deaf", "nft add chain inet deaf input '{ type filter hook input priority 0; }'",
		"nft add rule inet deaf input udp dport 51820 drop")
	l.pods[0].send(1, podAddr(1).String()+":9", "x")
	l.nodes[1].run("sleep 0.2", "nft delete table inet deaf")
	l.pods[1].send(1, podAddr(0).String()+":9", "x")
	l.nodes[0].run("sleep 0.2")
}

// fakeData is what looks like a data message of the tunnel, from a port that a
// translation could have chosen, in a session that the tunnel does not have.
func fakeData(l *live) {
	message := "\x04\x00\x00\x00" + "fake" + "\x00\x00\x00\x00\x00\x00\x00\x00" + fmt.Sprintf("%0752d", 0)
	l.nodes[0].send(1, "192.0.2.2:51820", message)
}
