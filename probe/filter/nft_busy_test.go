//go:build linux

package filter

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// While kube-proxy writes without a pause, what others have is read all the same.
func TestNftBusy(t *testing.T) {
	enter(t)
	var many strings.Builder
	many.WriteString("*nat\n:KUBE-SERVICES - [0:0]\n-A PREROUTING -j KUBE-SERVICES\n")
	for n := range 3000 {
		fmt.Fprintf(&many, ":KUBE-SEP-%d - [0:0]\n-A KUBE-SEP-%d -p tcp -j DNAT --to-destination 10.42.1.9:80\n", n, n)
	}
	many.WriteString("COMMIT\n*mangle\n-A PREROUTING -p udp -m udp --dport 53 -j MARK --set-xmark 0x7/0xff\nCOMMIT\n")
	runInput(t, "iptables-nft-restore", many.String())
	const sync = "while :; do for t in add delete; do nft $t table ip kube-proxy; done; done"
	busy := exec.Command("sh", "-c", sync)
	if err := busy.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { busy.Process.Kill(); busy.Wait() }()
	for range 5 {
		found, err := Reader{}.nftables(nil)
		checkFound(t, found, err, []string{`"mark":7`})
		if _, problems := (Reader{}).Firewall(traffic, nil); len(problems) > 0 {
			t.Error(problems)
		}
	}
}
