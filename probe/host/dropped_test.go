//go:build linux

package host

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// write makes files below a root.
func write(t *testing.T, files map[string]string) kernel.Root {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		os.WriteFile(path, []byte(text), 0o600)
	}
	return kernel.Root(root)
}

func TestStackCounts(t *testing.T) {
	r := Reader{Root: write(t, map[string]string{
		"proc/thread-self/net/netstat": "TcpExt: SyncookiesSent IPReversePathFilter\nTcpExt: 3 7\nIpExt: " +
			"InNoRoutes\nIpExt: 9\n",
		"proc/thread-self/net/snmp":  "Ip: InErrors\nIp: 5\nUdp: InErrors InCsumErrors RcvbufErrors\nUdp: 4 x 2\n",
		"proc/thread-self/net/snmp6": "Udp6InErrors 8\nUdp6InCsumErrors\t1\nIp6InReceives 4\n",
	})}
	got := r.StackCounts()
	want := StackCounts{"IPReversePathFilter": 7, "UdpInErrors": 4,
		"UdpRcvbufErrors": 2, "Udp6InErrors": 8, "Udp6InCsumErrors": 1}
	if len(got) != len(want) {
		t.Errorf("%v", got)
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %d, want %d", name, got[name], value)
		}
	}
	before := StackCounts{"IPReversePathFilter": 2, "UdpInErrors": 4, "Udp6InErrors": 9}
	if rises := got.Rises(before); !slices.Equal(rises, []evidence.StackCount{{Name: "IPReversePathFilter", Rise: 5}}) {
		t.Errorf("%v", rises)
	}
	if len((Reader{Root: write(t, nil)}).StackCounts()) != 0 {
		t.Error("counters without files")
	}
}

// The stricter of the two applies, where 2 is loose and wins over 1.
func TestReversePath(t *testing.T) {
	r := Reader{Root: write(t, map[string]string{
		"proc/sys/net/ipv4/conf/all/rp_filter":  "0\n",
		"proc/sys/net/ipv4/conf/eth0/rp_filter": "1\n",
		"proc/sys/net/ipv4/conf/eth1/rp_filter": "x\n",
	})}
	for link, want := range map[string]int{"eth0": 1, "eth1": 0, "eth2": 0} {
		if got := r.reversePath(link); got != want {
			t.Errorf("%s: %d, want %d", link, got, want)
		}
	}
}

// A next hop that nobody answers for is found by the kernel's own table; one that
// answers, or that is not asked about, is not.
func TestNeighbours(t *testing.T) {
	enter(t)
	run(t, "ip link add eth0 type veth peer name wan")
	for _, line := range []string{
		"link set eth0 up", "addr add 192.0.2.1/24 dev eth0",
		"neigh add 192.0.2.7 dev eth0 nud failed", "neigh add 192.0.2.8 dev eth0 nud failed",
		"neigh add 192.0.2.9 lladdr 02:00:5e:00:53:01 dev eth0 nud permanent",
	} {
		run(t, "ip "+line)
	}
	links, _ := Reader{}.Links(nil)
	hop := func(text string) Hop { return Hop{netip.MustParseAddr(text), "eth0"} }
	found, problems := Reader{}.Neighbours([]Hop{hop("192.0.2.7"), hop("192.0.2.9")}, links.Links)
	want := []evidence.Neighbour{{Address: netip.MustParseAddr("192.0.2.7"), Link: "eth0", State: "failed"}}
	if len(problems) > 0 || !slices.Equal(found, want) {
		t.Errorf("%v %v", found, problems)
	}
	if n, _ := parseNeighbour(make([]byte, sizeofNeighbourMessage-1)); n.State != "" {
		t.Error(n)
	}
	message := make([]byte, sizeofNeighbourMessage)
	native.PutUint16(message[8:], unix.NUD_INCOMPLETE)
	if n, _ := parseNeighbour(message); n.State != "incomplete" {
		t.Error(n)
	}
}

// What connection tracking dropped is added up over the processors, and how full
// its table is stands next to it.
func TestConntrackDrops(t *testing.T) {
	const head = "entries  searched found new invalid ignore drop early_drop\n"
	reader := func(stat string, settings map[string]string) Reader {
		files := map[string]string{"proc/thread-self/net/stat/nf_conntrack": stat}
		for name, text := range settings {
			files["proc/sys/net/netfilter/"+name] = text
		}
		return Reader{Root: write(t, files)}
	}
	full := map[string]string{"nf_conntrack_count": "262100\n", "nf_conntrack_max": "262144\n"}
	lines := head + "00000001  0 0 0 0 0 0000000a 0\n" + "00000001  0 0 0 0 0 00000010 0\n"
	got := reader(lines, full).StackCounts()
	if got[evidence.ConntrackDrop] != 26 {
		t.Errorf("%v", got)
	}
	want := []evidence.StackCount{{Name: evidence.ConntrackDrop, Rise: 6, Level: 262100, Of: 262144}}
	if rises := got.Rises(StackCounts{evidence.ConntrackDrop: 20}); !slices.Equal(rises, want) {
		t.Errorf("%v, want %v", rises, want)
	}
	want[0].Level, want[0].Of = 0, 0
	if rises := reader(lines, nil).StackCounts().Rises(StackCounts{evidence.ConntrackDrop: 20}); !slices.Equal(rises,
		want) {
		t.Errorf("without settings: %v, want %v", rises, want)
	}
	for name, stat := range map[string]string{
		"no such column": "entries found\n1 2\n", "no number": head + "1 0 0 0 0 0 x 0\n", "nothing": "",
	} {
		if got := reader(stat, full).StackCounts(); got[evidence.ConntrackDrop] != 0 ||
			len(got.Rises(StackCounts{evidence.ConntrackDrop: 0})) > 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := reader(head+"1 0\n", full).StackCounts(); got[evidence.ConntrackDrop] != 0 {
		t.Errorf("a short line: %v", got)
	}
}

// A family is named where the kernel says that it forwards nothing.
func TestUnforwarded(t *testing.T) {
	for name, test := range map[string]struct {
		four, six string
		want      []int
	}{
		"both": {"0\n", "0\n", []int{4, 6}}, "IPv4": {"0\n", "1\n", []int{4}}, "IPv6": {"1\n", "0\n", []int{6}},
		"none": {"1\n", "1\n", nil}, "unread": {"", "", nil},
	} {
		r := Reader{Root: write(t, map[string]string{
			"proc/sys/net/ipv4/conf/flannel-wg/forwarding": test.four,
			"proc/sys/net/ipv6/conf/all/forwarding":        test.six,
		})}
		if got := r.unforwarded("flannel-wg"); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
		if got := r.unforwarded("cni0"); slices.Contains(got, 4) {
			t.Errorf("%s: another link: %v", name, got)
		}
	}
}

// Of the links of a node bridges and WireGuard links are asked, and no others.
func TestForwardingOfLinks(t *testing.T) {
	enter(t)
	run(t, "ip link add eth0 type veth peer name wan")
	run(t, "ip link add cni0 type bridge")
	if err := os.WriteFile("/proc/sys/net/ipv4/conf/cni0/forwarding", []byte("0"), 0); err != nil {
		t.Skip("needs a writable /proc/sys: ", err)
	}
	links, _ := Reader{}.Links(nil)
	for _, l := range links.Links {
		if asked := slices.Contains(l.NoForwarding, 4); asked != (l.Name == "cni0") {
			t.Errorf("%s: %v", l.Name, l.NoForwarding)
		}
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/conf/cni0/forwarding", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	links, _ = Reader{}.Links(nil)
	for _, l := range links.Links {
		if slices.Contains(l.NoForwarding, 4) {
			t.Errorf("%s: %v", l.Name, l.NoForwarding)
		}
	}
}
