//go:build linux

package filter

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestFirewall(t *testing.T) {
	enter(t)
	script := `
table inet filter {
  set closed { type inet_service; flags interval; elements = { 51000-52000, 60000 } }
  chain input { type filter hook input priority 0; policy drop;
    tcp dport 51820 accept
    udp dport 53 accept
    iifname "eth9" udp dport 51820 counter packets 7 bytes 700 drop
    udp dport { 22, 51821 } accept
    udp dport @closed reject
    ip saddr 192.0.2.7 drop
    udp dport vmap { 51820 : accept, 9 : drop, 7 : jump other }
    jump ufw-after
    udp dport != 51820 accept
    udp dport 50000-52000 accept
  }
  chain ufw-after { counter drop
  }
  chain other { drop
  }
  chain unreached { udp dport 51820 drop
  }
}
table ip nat { chain pre { type nat hook prerouting priority 0; udp dport 51820 accept
  }
}
`
	runScript(t, script)
	found, problems := Reader{}.Firewall([]uint16{51820})
	if len(problems) > 0 {
		t.Error(problems)
	}
	var lines []string
	for _, f := range found {
		lines = append(lines, fmt.Sprintf("%s %s/%s %s: %s = %s %d %d", f.Tool, f.Table, f.Chain, f.Hook, f.Rule,
			f.Effect, f.Port, f.Packets))
	}
	want := []string{
		`nftables filter/input input: policy drop = drop 0 0`,
		`nftables filter/input input: iifname "eth9" udp dport 51820 drop = drop 51820 7`,
		`nftables filter/input input: udp dport { 51000-52000, 60000 } reject = drop 51820 0`,
		`nftables filter/input input: udp dport 51820 accept = accept 51820 0`,
		`nftables filter/input input: udp dport 50000-52000 accept = accept 51820 0`,
		`ufw filter/ufw-after input: drop = drop 0 0`,
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}
