//go:build linux

package host

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestScale(t *testing.T) {
	file := os.Getenv("WG_SCALE_FILE")
	if file == "" {
		t.Skip()
	}
	enter(t)
	text, _ := os.ReadFile(file)
	c := exec.Command("iptables-nft-restore")
	c.Stdin = bytes.NewReader(text)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	for range 3 {
		start := time.Now()
		_, p := Reader{}.Firewall([]uint16{51820})
		t.Log("firewall", time.Since(start), p)
		start = time.Now()
		_, inv, _ := Reader{}.nftables(nil)
		t.Log("nftables", time.Since(start), inv)
	}
}
