//go:build linux

package routing

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// The walk says what the kernel says, of random rules and tables in a network
// namespace of its own, asked as for a forwarded packet (RTM_GETROUTE with iif):
//
//	pods ── cni0 10.42.0.1/30 ┐          ┌ eth0 192.0.2.1/24
//	        (all are veths)   └─ host ───┼ eth1 198.51.100.1/24
//	                                     └ flannel-wg
func TestWalkIsWhatTheKernelSays(t *testing.T) {
	runtime.LockOSThread() // never unlocked: the thread and its namespace end with the test
	if unix.Unshare(unix.CLONE_NEWNET) != nil {
		t.Skip("needs root to make a network namespace")
	}
	if out := ip("link set lo up", "link add cni0 type veth peer name p0", "link add eth0 type veth peer name p1",
		"link add eth1 type veth peer name p2", "link add flannel-wg type veth peer name p3", "link set p0 up",
		"link set p1 up", "link set p2 up", "link set p3 up",
		"link set cni0 up", "link set eth0 up", "link set eth1 up",
		"link set flannel-wg up", "addr add 10.42.0.0/32 dev cni0",
		"addr add 192.0.2.1/24 dev eth0", "addr add 198.51.100.1/24 dev eth1"); out != "" {
		t.Skip("needs iproute2 and a kernel that does this: ", out)
	}
	for _, file := range []string{"ip_forward", "conf/all/forwarding", "conf/cni0/forwarding"} {
		if os.WriteFile("/proc/sys/net/ipv4/"+file, []byte("1"), 0) != nil {
			t.Skip("needs a network namespace that can be made to forward")
		}
	}
	for _, link := range []string{"all", "cni0", "default"} {
		os.WriteFile("/proc/sys/net/ipv4/conf/"+link+"/rp_filter", []byte("0"), 0)
	}
	asked := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 42))
		h := someHost(r)
		h.Diversions = nil // marks are asked for
		if !install(t, &h) {
			continue
		}
		for range 12 {
			p := Packet{From: pods.Addr().Next(), To: nth(remote, r.IntN(8)), In: "cni0",
				Protocol: some(r, uint8(protocolTCP), protocolUDP), Source: 40000, Target: some(r, uint16(5432), 7000),
				DSCP: some(r, uint8(0), 4, 2, 12)}
			mark := some(r, uint32(0), 0, 0x77, 0x7, 0x70)
			compare(t, seed, &h, p, mark)
			asked++
		}
	}
	if asked < 300 {
		t.Errorf("only %d packets were asked about", asked)
	}
}

func nth(p netip.Prefix, n int) netip.Addr {
	addr := p.Addr()
	for range n {
		addr = addr.Next()
	}
	return addr
}

// ip runs lines of iproute2 as one batch and returns what went wrong.
func ip(lines ...string) string { return ipOf("-4", lines...) }

func ipOf(family string, lines ...string) string {
	command := exec.Command("ip", family, "-batch", "-")
	command.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := command.CombinedOutput(); err != nil {
		return err.Error() + ": " + string(out)
	}
	return ""
}

// install makes the kernel's rules and tables those of a host; false if it
// refuses them, as a goto that leads back.
func install(t *testing.T, h *Host) bool {
	t.Helper()
	lines := []string{"rule flush", "rule add pref 32766 lookup main", "rule add pref 32767 lookup default"}
	exec.Command("ip", "route", "flush", "table", "77").Run()
	exec.Command("ip", "route", "flush", "table", "78").Run()
	exec.Command("ip", "route", "flush", "table", "254", "root", "10.42.0.0/16").Run()
	kept := h.Entries[:0]
	known := map[string]bool{}
	for _, e := range h.Entries {
		line := fmt.Sprintf("%s table %d", e.Destination, e.Table)
		if key := fmt.Sprint(line, e.TOS, e.Metric); known[key] {
			continue
		} else {
			known[key] = true
		}
		kept = append(kept, e)
		kind := e.Type
		if kind == "" {
			kind = "unicast"
		}
		if e.TOS != 0 {
			line += fmt.Sprintf(" tos %#x", e.TOS)
		}
		if e.Metric != 0 {
			line += fmt.Sprintf(" metric %d", e.Metric)
		}
		if kind == "unicast" {
			line += " dev " + e.Link
		}
		lines = append(lines, "route append "+kind+" "+line)
	}
	h.Entries = kept
	for i, r := range h.Rules {
		r.Priority = 100 + 10*i // two of one priority stand in the order of the kernel's list
		r.Not = r.Not && narrowed(r)
		if r.Action == "goto" {
			r.Goto = 100 + 10*(i+1+i%2)
		}
		lines = append(lines, ruleLine(r))
	}
	if out := ip(lines...); out != "" {
		t.Logf("the kernel refuses it: %s", strings.SplitN(out, "\n", 2)[0])
		return false
	}
	return true
}

func ruleLine(r *evidence.Rule) string {
	line := fmt.Sprintf("rule add %s pref %d", Selectors(r), r.Priority)
	switch r.Action {
	case "", "lookup":
		line += fmt.Sprintf(" table %d", r.Table)
	case "goto":
		line += fmt.Sprintf(" goto %d", r.Goto)
	default:
		line += " type " + r.Action
	}
	if r.SuppressLength != nil {
		line += fmt.Sprintf(" suppress_prefixlength %d", *r.SuppressLength)
	}
	return line
}

// compare asks kernel and walk for one packet with a mark.
func compare(t *testing.T, seed uint64, h *Host, p Packet, mark uint32) {
	t.Helper()
	arguments := fmt.Sprintf("route get %s from %s iif %s mark %#x tos %#x ipproto %s sport %d dport %d",
		p.To, p.From, p.In, mark, p.DSCP<<2, Protocol(p.Protocol), p.Source, p.Target)
	out, _ := exec.Command("ip", strings.Fields(arguments)...).CombinedOutput()
	marked := *h
	if mark != 0 {
		marked.Diversions = []*evidence.Diversion{
			{Effect: evidence.EffectMark, Hook: "prerouting", Mark: mark, Mask: 1<<32 - 1},
		}
	}
	plan := Compile(marked)
	ways, _ := plan.Ways(remote)
	for i := range ways {
		w := &ways[i]
		if !w.To.Has(p.To) || plan.meetsAll(&p, w.when) != yes {
			continue
		}
		if said := kernelSays(string(out)); said != expected(w) {
			rules, _ := exec.Command("ip", "rule").CombinedOutput()
			routes, _ := exec.Command("ip", "route", "show", "table", "all", "root", "10.42.0.0/16").CombinedOutput()
			t.Errorf("seed %d: %s: the kernel says %s, the walk %s\n%s%s",
				seed, arguments, strings.TrimSpace(string(out)), expected(w), rules, routes)
		}
		return
	}
	t.Errorf("seed %d: %s: no way", seed, arguments)
}

// kernelSays is the link of an answer, "refused" for none.
func kernelSays(out string) string {
	words := strings.Fields(out)
	for i, word := range words[:max(len(words)-1, 0)] {
		if word == "dev" {
			return words[i+1]
		}
	}
	return "refused"
}

func expected(w *Way) string {
	if w.Answer == Out {
		return w.Link
	}
	return "refused"
}
