//go:build linux

package agent

import (
	"encoding/hex"
	"strings"
	"testing"
)

// A network that loses and repeats datagrams, and traffic that has nothing to
// do with the tunnel, are not leaks.
func TestLiveTraffic(t *testing.T) {
	// A UDP canary of 693 bytes is a data message of 768, an IP packet of 796.
	const canary = "udp dport 51820 ip length 796 "
	once := "numgen inc mod 1000000 0 counter drop"
	runLive(t, []liveCase{
		{name: "one-lost", silent: true, prepare: atSwitch(canary + once), verdict: "PASS"},
		{name: "one-lost-echoes", prepare: atSwitch(canary + once), verdict: "PASS"},
		// A control is an IP packet of 76 bytes to the tunnel's port.
		{name: "control-lost", prepare: atSwitch("udp dport 51820 ip length 76 " + once), verdict: "PASS"},
		{name: "every-tenth-lost", prepare: atSwitch("udp dport 51820 numgen inc mod 10 0 counter drop"),
			verdict: "PASS"},
		{name: "duplicated", prepare: atSwitch(canary + "dup to p1"), verdict: "PASS"},
		{name: "strangers", during: strangers, verdict: "PASS"},
		{name: "flow-record", prepare: collector, during: flowRecord, verdict: "PASS"},
		{name: "quoted-control", during: quotedControl, verdict: "PASS"},
	})
}

func atSwitch(rule string) func(*live) { return func(l *live) { l.onSwitch(0, rule) } }

// strangers are datagrams to the tunnel's port that are no WireGuard, as of a
// scanner.
func strangers(l *live) { l.nodes[1].send(70, "192.0.2.1:51820", "x") }

// collector takes flow records, without an answer.
func collector(l *live) {
	l.nodes[1].run(
		"nft add table inet collector",
		"nft add chain inet collector input '{ type filter hook input priority 0; }'",
		"nft add rule inet collector input udp dport 4739 drop")
}

// flowRecord is IPFIX (RFC 7011): a data set that holds source and destination
// address of a flow between the test pods side by side.
func flowRecord(l *live) {
	record := strings.Join([]string{
		"000a0020", "6400000000000001", "01000010", // version 10, length, sequence, domain; set 256
		"0a2a0002", "0a2a0102", "bbbb0035", "11000000", "00000040", "00000001",
	}, "")
	data, err := hex.DecodeString(record)
	if err != nil {
		l.t.Fatal(err)
	}
	l.nodes[0].send(1, "192.0.2.2:4739", string(data))
}

// quotedControl is the ICMP error of a router that a control passed: it quotes
// the beginning, and not the tag that makes a control genuine.
func quotedControl(l *live) {
	begun := append(append([]byte{}, liveMark...), 3, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 48, 0, 0)
	quote := "4500004c0000400040110000c0000201c0000202" + "9999ca6c00380000" + hex.EncodeToString(begun) // IPv4, UDP
	l.nodes[1].play("icmp", nodeAddr(0).String(), quote)
}
