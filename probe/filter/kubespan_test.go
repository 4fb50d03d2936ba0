//go:build linux

package filter

import (
	"strings"
	"testing"
)

// kubespanChains are the chains of Talos' KubeSpan, as its controller makes them
// (siderolabs/talos controllers/kubespan/manager.go): what WireGuard sends has the mark
// 0x20, what is for the other nodes and their pods gets 0x40.
//
//	overlay of the host — kubespan_outgoing — mark 0x40 — rule 32500 — table 180 — kubespan
const kubespanChains = `
table inet talos {
 chain kubespan_prerouting { type filter hook prerouting priority filter; policy accept;
  meta mark & 0x00000060 == 0x00000020 accept
  meta nfproto ipv4 ip daddr { 192.0.2.12, 10.244.1.0/24 } meta mark set meta mark & 0xffffff9f | 0x00000040 accept
  meta nfproto ipv6 ip6 daddr { 2001:db8::12 } meta mark set meta mark & 0xffffff9f | 0x00000040 accept
 }
 chain kubespan_outgoing { type route hook output priority filter; policy accept;
  meta mark & 0x00000060 == 0x00000020 accept
  oifname "lo" accept
  ip daddr { 192.0.2.12, 10.244.1.0/24 } tcp flags & (syn | rst) == syn tcp option maxseg size set 1380
  ip daddr { 192.0.2.12, 10.244.1.0/24 } meta mark set meta mark & 0xffffff9f | 0x00000040 accept
 }
}
`

// The statements by which KubeSpan takes packets are read whole, in both hooks: their
// mark with its mask, and every address that they are for.
func TestKubeSpanIsRead(t *testing.T) {
	_, lines := readNft(t, kubespanChains)
	for _, hook := range []string{"prerouting", "output"} {
		found := false
		for _, line := range lines {
			whole := true
			for _, part := range []string{`"effect":"mark"`, `"hook":"` + hook + `"`, `"mark":64,"mask":96`,
				`192.0.2.12/32`, `10.244.1.0/24`} {
				whole = whole && strings.Contains(line, part)
			}
			// What has the mark 0x20 already is the device's own, and accepted before.
			before := `"other":["no earlier rule of kubespan_`
			found = found || whole && !strings.Contains(line, `"unknown":true`)
			if whole && (!strings.Contains(line, before) || strings.Count(line, "applies") != 2) {
				t.Errorf("another condition than the rule before: %s", line)
			}
		}
		if !found {
			t.Errorf("%s: not read: %s", hook, strings.Join(lines, "\n"))
		}
	}
}
