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

var (
	pods6   = netip.MustParsePrefix("2001:db8:42::/126")
	remote6 = netip.MustParsePrefix("2001:db8:42:1::/125")
)

// The same of IPv6, whose tables have entries for some sources only.
func TestWalkIsWhatTheKernelSays6(t *testing.T) {
	runtime.LockOSThread() // never unlocked: the thread and its namespace end with the test
	if unix.Unshare(unix.CLONE_NEWNET) != nil {
		t.Skip("needs root to make a network namespace")
	}
	if out := ipOf("-6", "link set lo up", "link add cni0 type veth peer name p0",
		"link add eth0 type veth peer name p1",
		"link add eth1 type veth peer name p2", "link add flannel-wg type veth peer name p3", "link set p0 up",
		"link set p1 up", "link set p2 up", "link set p3 up",
		"link set cni0 up", "link set eth0 up", "link set eth1 up",
		"link set flannel-wg up", "addr add 2001:db8:1::1/64 dev eth0 nodad"); out != "" {
		t.Skip("needs iproute2 and a kernel that does this: ", out)
	}
	if os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte("1"), 0) != nil {
		t.Skip("needs a network namespace that can be made to forward")
	}
	asked := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 6))
		h := someHost6(r)
		if !install6(t, &h) {
			continue
		}
		for range 12 {
			p := Packet{From: nth(pods6, r.IntN(4)), To: nth(remote6, r.IntN(8)), In: "cni0",
				Protocol: some(r, uint8(protocolTCP), protocolUDP), Source: 40000, Target: some(r, uint16(5432), 7000),
				DSCP: some(r, uint8(0), 4, 2, 12)}
			compare6(t, seed, &h, p, some(r, uint32(0), 0, 0x77, 0x7, 0x70))
			asked++
		}
	}
	if asked < 300 {
		t.Errorf("only %d packets were asked about", asked)
	}
}

func somePrefix6(r *rand.Rand, in netip.Prefix) netip.Prefix {
	return netip.PrefixFrom(nth(in, r.IntN(1<<(128-in.Bits()))), some(r, 128, 127, 126, 125, 64, 48)).Masked()
}

func someHost6(r *rand.Rand) Host {
	h := someHost(r)
	h.Family, h.Pods, h.Diversions = 6, []netip.Prefix{pods6}, nil
	for _, rule := range h.Rules {
		rule.Family = 6
		if rule.From.IsValid() {
			rule.From = somePrefix6(r, pods6)
		}
		if rule.To.IsValid() {
			rule.To = somePrefix6(r, remote6)
		}
	}
	h.Entries = nil
	for range r.IntN(8) {
		e := &evidence.Route{Destination: somePrefix6(r, remote6),
			Table: some(r, 77, 78, 254), Link: some(r, "eth0", "flannel-wg", "eth1"),
			Metric: some(r, 100, 200, 300), Type: some(r, "unicast", "unicast", "throw", "blackhole", "unicast")}
		if r.IntN(4) == 0 {
			e.From = somePrefix6(r, pods6)
		}
		h.Entries = append(h.Entries, e)
	}
	return h
}

func install6(t *testing.T, h *Host) bool {
	t.Helper()
	lines := []string{"rule flush", "rule add pref 32766 lookup main"}
	for _, table := range []string{"77", "78", "254"} {
		exec.Command("ip", "-6", "route", "flush", "table", table, "root", "2001:db8:42::/47").Run()
	}
	known := map[string]bool{}
	kept := h.Entries[:0]
	for _, e := range h.Entries {
		line := fmt.Sprintf("%s table %d metric %d", e.Destination, e.Table, e.Metric)
		if e.From.IsValid() {
			line += " from " + e.From.String()
		}
		if known[line] {
			continue
		}
		known[line] = true
		kept = append(kept, e)
		if e.Type == "unicast" {
			line += " dev " + e.Link
		}
		lines = append(lines, "route append "+e.Type+" "+line)
	}
	h.Entries = kept
	for i, r := range h.Rules {
		r.Priority = 100 + 10*i
		r.Not = r.Not && narrowed(r)
		if r.Action == "goto" {
			r.Goto = 100 + 10*(i+1+i%2)
		}
		lines = append(lines, ruleLine(r))
	}
	if out := ipOf("-6", lines...); out != "" {
		t.Logf("the kernel refuses it: %s", strings.SplitN(out, "\n", 2)[0])
		return false
	}
	return true
}

func compare6(t *testing.T, seed uint64, h *Host, p Packet, mark uint32) {
	t.Helper()
	arguments := fmt.Sprintf("-6 route get %s from %s iif %s mark %#x tos %#x ipproto %s sport %d dport %d",
		p.To, p.From, p.In, mark, p.DSCP<<2, Protocol(p.Protocol), p.Source, p.Target)
	out, _ := exec.Command("ip", strings.Fields(arguments)...).CombinedOutput()
	marked := *h
	if mark != 0 {
		marked.Diversions = []*evidence.Diversion{
			{Effect: evidence.EffectMark, Hook: "prerouting", Mark: mark, Mask: 1<<32 - 1},
		}
	}
	plan := Compile(marked)
	ways, _ := plan.Ways(remote6)
	var all []string
	for i := range ways {
		w := &ways[i]
		if w.To.Has(p.To) && plan.meetsAll(&p, w.when) == yes {
			all = append(all, expected(w))
		}
	}
	said := "refused"
	if !strings.Contains(string(out), "unreachable") && !strings.Contains(string(out), "blackhole") {
		said = kernelSays(string(out))
	}
	if len(all) != 1 || all[0] != said {
		rules, _ := exec.Command("ip", "-6", "rule").CombinedOutput()
		routes, _ := exec.Command("ip", "-6", "route", "show",
			"table", "all", "root", "2001:db8:42::/47").CombinedOutput()
		t.Errorf("seed %d: %s: the kernel says %s, the walk %s\n%s%s",
			seed, arguments, strings.TrimSpace(string(out)), all, rules, routes)
	}
}
