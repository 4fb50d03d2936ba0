//go:build linux

package filter

import (
	"os"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// Of the virtual servers those for addresses of pods are reported.
func TestVirtualServers(t *testing.T) {
	root := t.TempDir()
	folder := root + "/proc/thread-self/net"
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	text := "IP Virtual Server version 1.2.1 (size=4096)\n" +
		"Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n" +
		"TCP  0A2B0001:01BB rr\n  -> C000020B:192B      Masq    1      0          0\n" +
		"TCP  0A2A0109:1538 rr\n  -> CB007109:1538      Tunnel  1      0          0\n" +
		"UDP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0035 rr\nFWM  00000007 rr\n"
	os.WriteFile(folder+"/ip_vs", []byte(text), 0o600)
	found, err := Reader{Root: kernel.Root(root), pods: podNetwork}.virtualServers(nil)
	var said []string
	for _, d := range found.diversions {
		said = append(said, d.Rule)
	}
	want := "to 10.42.1.9/32 protocol 6 dport 5432 virtual server\nmark 0x7/0xffffffff virtual server"
	if got := strings.Join(said, "\n"); err != nil || got != want || found.count != 4 || found.lacking != "" {
		t.Errorf("%v %+v\n%s", err, found, got)
	}
	if found, err := (Reader{Root: kernel.Root(t.TempDir())}).virtualServers(nil); err != nil || found.note == "" {
		t.Error(found, err)
	}
}

func FuzzVirtualServer(f *testing.F) {
	f.Add("TCP 0A2B0001:01BB rr")
	f.Add("UDP [2001::1]:0035 rr")
	f.Fuzz(func(t *testing.T, line string) { parseVirtualServer(strings.Fields(line)) })
}
