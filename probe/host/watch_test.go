//go:build linux

package host

import (
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Links that come and go while everything is watched:
//
//	eth0 192.0.2.1/24 ── wan        cni0 10.42.0.1/24 ── vethA ─┐ (a pod that starts)      late0 203.0.113.1/24 ─┐
//	                                          vethC ─┐ (a pod that starts and ends)              (a second uplink, removed)
//	                                          lxcD ── tmpD, which is moved into the pod
func TestWatch(t *testing.T) {
	enter(t)
	sleeper := exec.Command("sleep", "60")
	sleeper.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { sleeper.Process.Kill(); sleeper.Wait() }()
	time.Sleep(50 * time.Millisecond) // it enters its namespace before it sleeps
	for _, line := range []string{"ip link set lo up", "ip link add eth0 type veth peer name wan",
		"ip link set eth0 up", "ip link set wan up",
		"ip addr add 192.0.2.1/24 dev eth0", "ip link add cni0 type bridge", "ip link set cni0 up",
		"ip addr add 10.42.0.1/24 dev cni0"} {
		run(t, line)
	}
	pods := []netip.Prefix{netip.MustParsePrefix("10.42.0.0/24")}
	watch, err := Reader{}.Watch(pods)
	if err != nil {
		t.Fatal(err)
	}
	links, _ := Reader{}.Links(pods)
	watch.Known(links)
	pid := sleeper.Process.Pid
	inPod := fmt.Sprintf("nsenter --net=/proc/%d/ns/net ", pid)
	for _, line := range []string{
		fmt.Sprintf("ip link add vethA type veth peer name podA netns %d", pid), "ip link set vethA master cni0",
		"ip link set vethA up", inPod + "ip link set podA up",
		fmt.Sprintf("ip link add vethC type veth peer name podC netns %d", pid), "ip link set vethC master cni0",
		"ip link set vethC up", "ip link del vethC",
		"ip link add lxcD type veth peer name tmpD", "ip link set lxcD up",
		fmt.Sprintf("ip link set tmpD netns %d", pid), "ip route add 10.42.0.9/32 dev lxcD",
		fmt.Sprintf("ip link add late0 type veth peer name late1 netns %d", pid),
		"ip addr add 203.0.113.1/24 dev late0", "ip link set late0 up",
		inPod + "ip link set late1 up", "send", "ip link del late0",
		"ip link set wan down", "ip addr add 198.51.100.1/24 dev wan", "ip link set wan up",
		"ip route add 198.51.100.128/25 dev vethA",
	} {
		if line == "send" {
			time.Sleep(50 * time.Millisecond) // until the carrier is there
			if conn, err := net.Dial("udp", "203.0.113.2:9"); err == nil {
				conn.Write([]byte("hello")) // it asks for the neighbour
				conn.Close()
			}
			continue
		}
		run(t, line)
	}
	events, inventory := watch.Close()
	if !inventory.Complete || inventory.Count != len(events) {
		t.Errorf("%+v", inventory)
	}
	var lines []string
	for _, e := range events {
		lines = append(lines, fmt.Sprintf("%s %s %s", e.Link, e.What, e.Role))
	}
	for _, line := range []string{
		"vethA added outside", // a route to another network leads out of it
		"vethC added inside", "vethC removed inside",
		"lxcD added inside", "tmpD added inside", "tmpD removed inside", // as Cilium makes a pod's link
		"late0 added outside", "late0 removed outside", "wan down inside",
	} {
		if !slices.Contains(lines, line) {
			t.Errorf("no %q in %q", line, lines)
		}
	}
	for _, e := range events {
		if (e.Link == "wan" || e.Link == "eth0") && e.What == "role" {
			t.Errorf("a pair with both ends here: %+v", e)
		}
		if e.Link == "late0" && e.What == "removed" && e.TXPackets == 0 {
			t.Errorf("nothing was sent: %+v", e)
		}
	}
}

// More changes than are reported make the inventory incomplete; what becomes of
// links that stay inside is not counted.
func TestTooManyChanges(t *testing.T) {
	for _, kind := range []string{"macvlan", "bridge"} {
		tooManyChanges(t, kind)
	}
}

func tooManyChanges(t *testing.T, kind string) {
	t.Helper()
	enter(t)
	run(t, "ip link add wan0 type veth peer name wan1")
	run(t, "ip link set wan0 up")
	run(t, map[string]string{"macvlan": "ip link add eth0 link wan0 type macvlan",
		"bridge": "ip link add eth0 type bridge"}[kind])
	run(t, "ip link set eth0 up")
	watch, err := Reader{}.Watch(nil)
	if err != nil {
		t.Fatal(err)
	}
	links, _ := Reader{}.Links(nil)
	watch.Known(links)
	batch := ""
	for range maxLinkEvents {
		batch += "link set eth0 down\nlink set eth0 up\n"
	}
	runInput(t, "ip -batch -", batch)
	events, inventory := watch.Close()
	if len(events) > maxLinkEvents || inventory.Complete != (kind == "bridge") || inventory.Count <= maxLinkEvents {
		t.Errorf("%s: %d %+v", kind, len(events), inventory)
	}
}

// A port of a bridge is decided on again when the bridge changes, unless it was
// captured from the beginning:
//
//	br0 ── port6 ─┐ (a pod)      br0 ── port7 ─┐ (captured)
func TestPortsOfABridge(t *testing.T) {
	port := func(index int) *link {
		l := &link{master: 5, Link: evidence.Link{Index: index, Name: "port", Kind: "veth", Up: true, PeerNS: true}}
		l.Role = evidence.RoleInside
		return l
	}
	captured := port(7)
	captured.watched.captured = true
	watch := Watch{pods: prefixes("10.42.0.0/24"), state: &state{
		links: map[int]*link{
			5: {Link: evidence.Link{Index: 5, Name: "br0", Kind: "bridge", Up: true, Role: evidence.RoleInside}},
			6: port(6), 7: captured,
		},
		addresses: map[int][]netip.Prefix{}, routes: map[int][]netip.Prefix{},
	}}
	address := make([]byte, sizeofAddressMessage)
	address[1] = 24
	native.PutUint32(address[4:], 5)
	watch.notice(unix.RTM_NEWADDR, append(address, attribute(unix.IFA_ADDRESS, []byte{203, 0, 113, 1})...))
	if len(watch.events) != 1 || watch.events[0].Index != 6 || watch.events[0].What != "role" ||
		watch.events[0].Role != evidence.RoleOutside {
		t.Errorf("%+v", watch.events)
	}
	if watch.Stays(6) {
		t.Error("a link that was there before counts as new")
	}
}

func TestZeroWatch(t *testing.T) {
	var watch Watch
	watch.Known(Links{})
	watch.Drain()
	if events, inventory := watch.Close(); len(events) > 0 || !inventory.Complete {
		t.Errorf("%+v", inventory)
	}
}

func TestLinkCounter(t *testing.T) {
	var counter LinkCounter
	for reading := range evidence.Readings {
		stats := []LinkStats{{Link: "eth0", Index: 2, TXBytes: uint64(100 * reading), RXPackets: uint64(reading)}}
		if reading == evidence.ReadingReady {
			stats = append(stats, LinkStats{Link: "late0", Index: 9, TXPackets: 3})
		}
		counter.Take(reading, stats)
		counter.Take(reading, stats)
	}
	counter.Take(9, nil)
	messages := counter.Messages()
	if len(messages) != 2 || messages[0].LinkCount.Readings != 4 ||
		messages[0].LinkCount.TXBytes != [4]uint64{0, 100, 200, 300} {
		t.Errorf("%+v", messages)
	}
	if late := messages[1].LinkCount; late.Readings != 1 || late.TXPackets != [4]uint64{0, 3} {
		t.Errorf("%+v", late)
	}
}

func FuzzLinkChange(f *testing.F) {
	f.Add(uint16(unix.RTM_NEWLINK), []byte{0, 0, 1, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 8, 0, 3, 0, 'e',
		't', 'h', 0})
	f.Fuzz(func(t *testing.T, kind uint16, message []byte) {
		eth0 := &link{Link: evidence.Link{Name: "eth0", Index: 9}}
		watch := Watch{state: &state{
			links: map[int]*link{9: eth0}, addresses: map[int][]netip.Prefix{}, routes: map[int][]netip.Prefix{},
		}}
		watch.notice(kind, message)
		watch.notice(unix.RTM_NEWLINK, message)
		watch.notice(unix.RTM_DELLINK, message)
	})
}
