//go:build linux

package host

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// enter moves the test into a network namespace of its own, which ends with
// the thread it is locked to.
func enter(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make a network namespace")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("needs to make a network namespace, which is refused here: %v", err)
	}
}

func run(t *testing.T, command string) {
	t.Helper()
	runInput(t, command, "")
}

// runInput runs a command that reads something.
func runInput(t *testing.T, command, input string) {
	t.Helper()
	words := strings.Fields(command)
	program := exec.Command(words[0], words[1:]...)
	program.Stdin = strings.NewReader(input)
	if out, err := program.CombinedOutput(); err != nil {
		t.Skipf("needs iproute2 and a kernel that does this: %s: %v: %s", command, err, out)
	}
}

// A node as flannel makes it, its uplink a veth as in kind:
//
//	        wan ─┐ (another namespace)
//	eth0 192.0.2.1/24 ── default via .254       tap0 = "flannel-wg" (tun with a socket)
//	cni0 10.42.1.1/24 ── veth1 ─┐ (a pod)       flannel.1 (vxlan on eth0)
func TestNode(t *testing.T) {
	enter(t)
	sleeper := exec.Command("sleep", "60")
	sleeper.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	if err := sleeper.Start(); err != nil {
		t.Fatal("a second network namespace, where the first could be made: ", err)
	}
	defer func() { sleeper.Process.Kill(); sleeper.Wait() }()
	for _, line := range []string{
		"ip link set lo up", "ip link add eth0 type veth peer name wan netns %d", "ip link set eth0 up",
		"ip addr add 192.0.2.1/24 dev eth0",
		"ip link add cni0 type bridge", "ip link set cni0 up", "ip addr add 10.42.1.1/24 dev cni0",
		"ip link add veth1 type veth peer name pod netns %d", "ip link set veth1 up master cni0",
		"ip link add veth2 type veth peer name pod2 netns %d", "ip link set veth2 up",
		"ip route add 10.42.1.9/32 dev veth2",
		"ip link add flannel.1 type vxlan id 1 dev eth0 dstport 8472", "ip link set flannel.1 up",
		"ip tuntap add mode tun name flannel-wg", "ip link set flannel-wg up", "ip tuntap add mode tun name vpn0",
		"ip link set vpn0 up",
		"ip link add eth1 type veth peer name wan1 netns %d",
		"ip link add host0 type veth peer name host1", "ip link set host0 up", "ip link set host1 up",
		"ip addr add 203.0.113.1/24 dev host0",
		"ip netns exec-in %d ip link set wan up",
		"ip route add 10.42.0.0/16 dev flannel-wg", "ip route add default via 192.0.2.254",
		"ip route add blackhole 10.99.0.0/16",
		"ip route add 10.42.3.128/25 dev eth0", "ip route add 10.42.3.9/32 dev eth0",
		"ip rule add priority 99 not from all fwmark 0x100000/0x100000 lookup 77",
		"ip route add 10.42.2.0/24 dev eth0 table 77",
	} {
		if strings.Contains(line, "exec-in") {
			run(t, fmt.Sprintf("nsenter --net=/proc/%d/ns/net ip link set wan up", sleeper.Process.Pid))
			continue
		}
		if strings.Contains(line, "%d") {
			line = fmt.Sprintf(line, sleeper.Process.Pid)
		}
		run(t, line)
	}
	folder := filepath.Join(t.TempDir(), "wireguard")
	os.Mkdir(folder, 0o700)
	listener, err := net.Listen("unix", filepath.Join(folder, "flannel-wg.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()

	pods := []netip.Prefix{netip.MustParsePrefix("10.42.1.0/24")}
	links, problems := Reader{}.Links(pods)
	if len(problems) > 0 {
		t.Error(problems)
	}
	want := map[string]evidence.LinkRole{
		"lo": evidence.RoleInside, "eth0": evidence.RoleOutside, "cni0": evidence.RoleInside,
		"veth1": evidence.RoleInside,
		"veth2": evidence.RoleInside, "flannel.1": evidence.RoleInside, "flannel-wg": evidence.RoleWireGuard,
		"vpn0":  evidence.RoleInside,
		"eth1":  evidence.RoleInside,                               // it is down
		"host0": evidence.RoleInside, "host1": evidence.RoleInside, // a pair with both ends here
	}
	for _, link := range links.Links {
		t.Logf("%+v", link)
		if role, ok := want[link.Name]; ok && role != link.Role {
			t.Errorf("%s is %s (%s), want %s", link.Name, link.Role, link.Why, role)
		}
		delete(want, link.Name)
		if link.Name == "veth1" && (link.Master != "cni0" || !link.PeerNS) || link.Name == "flannel.1" &&
			link.Parent != "eth0" {
			t.Errorf("%+v", link)
		}
	}
	if len(want) > 0 {
		t.Errorf("not listed: %v", want)
	}
	if !slices.Contains(links.Addresses, evidence.Address{Link: "eth0",
		Prefix: netip.MustParsePrefix("192.0.2.1/24")}) {
		t.Errorf("addresses %v", links.Addresses)
	}

	answers, _ := Reader{}.Answers([]Question{
		{For: netip.MustParseAddr("10.42.2.5")}, {For: netip.MustParseAddr("10.42.2.5"), Mark: 0x100000},
		{For: netip.MustParseAddr("192.0.2.7")}, {For: netip.MustParseAddr("10.99.1.1")},
		{For: netip.MustParseAddr("2001:db8::1")},
	})
	for i, check := range []func(evidence.Route) bool{
		func(r evidence.Route) bool { return r.Link == "eth0" && r.Table == 77 }, // the rule is inverted
		func(r evidence.Route) bool {
			return r.Link == "flannel-wg" && r.Mark == 0x100000 && r.Destination.String() == "10.42.0.0/16" &&
				r.Table == 254
		},
		func(r evidence.Route) bool { return r.Link == "eth0" && r.Destination.String() == "192.0.2.0/24" },
		func(r evidence.Route) bool { return r.Error == "invalid argument" },
		func(r evidence.Route) bool { return r.Error != "" },
	} {
		if !check(answers[i]) {
			t.Errorf("answer %d: %+v", i, answers[i])
		}
	}
	entries, _, _ := Reader{}.Tables(links.Links, evidence.ReadRequest{PodRanges: pods,
		Destinations: []netip.Addr{netip.MustParseAddr("10.42.2.5")}}, 1)
	var lines []string
	for _, e := range entries {
		lines = append(lines, fmt.Sprintf("%s %s %d %s", e.Destination, e.Link, e.Table, e.Type))
	}
	for _, line := range []string{"10.42.0.0/16 flannel-wg 254 unicast", "10.42.2.0/24 eth0 77 unicast",
		"0.0.0.0/0 eth0 254 unicast", "10.42.1.0/24 cni0 254 unicast",
		"10.42.3.128/25 eth0 254 unicast", "10.42.3.9/32 eth0 254 unicast"} {
		if !slices.Contains(lines, line) {
			t.Errorf("entry %q is not among %q", line, lines)
		}
	}
	if slices.Contains(lines, "10.99.0.0/16  254 blackhole") {
		t.Error("an entry that has no bearing is reported")
	}
}
