package status

import (
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence/columns"
)

// sampled is a recording of a verification as status would have made it: what the
// kernels answered for the test pods they answer for the addresses that stand for the
// nodes' pods.
type sampled struct {
	graph.Recorded
	samples map[netip.Addr]netip.Addr
}

func asSampled(recorded graph.Recorded) sampled {
	s := sampled{recorded, map[netip.Addr]netip.Addr{}}
	nodes := map[string]*evidence.Node{}
	for _, m := range recorded.Messages(evidence.PluginStream) {
		if m.Node != nil {
			nodes[m.Node.Name] = m.Node
		}
	}
	for _, m := range recorded.Messages(evidence.PluginStream) {
		if m.Pod == nil || m.Pod.Role != "pod" || nodes[m.Pod.Node] == nil {
			continue
		}
		for _, ip := range m.Pod.IPs {
			for _, sample := range Samples(nodes[m.Pod.Node]) {
				if sample.Is4() == ip.Is4() {
					s.samples[ip] = sample
				}
			}
		}
	}
	return s
}

func (s sampled) Messages(stream string) (messages []*evidence.Message) {
	if stream == evidence.PluginStream {
		return s.Recorded.Messages(stream)
	}
	var unpacker columns.Unpacker
	for _, m := range s.Recorded.Messages(stream) {
		// What cannot be unpacked is not in these recordings.
		_ = unpacker.Unpack(m, func(one *evidence.Message) {
			if one.Route != nil && s.samples[one.Route.For].IsValid() {
				route := *one.Route
				route.For = s.samples[route.For]
				one = &evidence.Message{Route: &route}
			}
			messages = append(messages, one)
		})
	}
	return messages
}

// recordings are the names of those of package check.
func recordings(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("../check/testdata/v1/*.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".ndjson"))
	}
	return names
}

// Allowed IPs and ways past the tunnel are named by what the nodes read alone, and by
// the words that fit: there are no test pods.
func TestPodRanges(t *testing.T) {
	for name, want := range map[string]string{
		"host-allowed-gap":            "WG0304  no peer of flannel-wg on node-1 covers 10.42.1.254, an address of the pods on node-2",
		"host-allowed-part":           "WG0304  no peer of flannel-wg on node-1 covers 10.42.1.254",
		"host-three-allowed-overlap":  "also has 10.42.1.0/25, a part of the pods of node-2",
		"host-v6-allowed-gap":         "WG0304  no peer of flannel-wg-v6 on node-1 covers",
		"host-vpn-allowed":            "WG0304  on ",
		"host-stale-flannel-route":    "WG0401  node-1 routes traffic for the pods on node-2 (10.42.1.254) via flannel.1",
		"host-v6-stale-flannel-route": "WG0401  ",
		"host-stale-host-gw-route":    "WG0401  ",
		"host-rule-bypass":            "WG0401  node-1 routes traffic for the pods on node-2 (10.42.1.254) via",
		"host-route-missing":          "WG0401  node-1 ",
		"vm-stale-flannel-route":      "WG0401  ",
		"host-path-from":              "WG0402  ",
		"host-path-in":                "WG0402  ",
		"vm-calico-override":          "WG0402  ",
	} {
		r, answers := recorded(t, name)
		c := next(t, NewMonitor(asSampled(r)), answers)
		named := false
		for _, p := range c.Problems {
			line := p.line()
			named = named || strings.Contains(line, want)
			if strings.Contains(line, "test pod") || strings.Contains(line, "test packet") {
				t.Errorf("%s: there is none: %s", name, line)
			}
		}
		if !named || c.Status() != verdict.Fail {
			t.Errorf("%s: %q is not named", name, want)
		}
	}
}

// No cluster whose traffic is proven has such a problem: of all networks, both
// families, behind a NAT.
func TestHealthy(t *testing.T) {
	warned := map[string]string{
		"host-rke2-healthy-pods-mtu": "WG0505 warn", "host-canal": "WG0505 warn",
		"host-healthy-old-pod": "WG0505 warn", "host-healthy-overwrite-stuck": "WG0105 warn", // their very point
		"host-report-by-mark": "WG0101 warn", "host-report-vpn-auth": "WG0101 warn", // known by traffic alone
	}
	systems := map[string]bool{}
	for _, name := range recordings(t) {
		r, answers := recorded(t, name)
		if check.Judge(r).Verdict != verdict.Passed {
			continue
		}
		c := next(t, NewMonitor(asSampled(r)), answers)
		for _, p := range c.Problems {
			found := p.Code + " " + p.Status.String()
			if found != "WG0701 warn" && found != warned[name] { // a lab without the module has WireGuard in userspace
				t.Errorf("%s, %s: %s", name, c.System, p.line())
			}
		}
		systems[c.System] = true
	}
	if len(systems) < 6 {
		t.Errorf("%q", slices.Collect(maps.Keys(systems)))
	}
}

// A peer behind a NAT is not where its node publishes. That is wrong once it is not
// heard any more.
func TestElsewhere(t *testing.T) {
	r, answers := recorded(t, "host-endpoint-address")
	m := NewMonitor(r)
	if got := codes(next(t, m, answers)); slices.Contains(got, "WG0306 fail") {
		t.Errorf("heard some seconds before: %q", got)
	}
	silent := moved(answers, time.Second, func(p *evidence.Peer) { p.Age += int64(expired) })
	if got := codes(next(t, m, silent)); !slices.Contains(got, "WG0306 fail") {
		t.Errorf("not heard for three minutes: %q", got)
	}
}

func TestSamples(t *testing.T) {
	for ranges, want := range map[string]string{
		"":             "[]",
		"10.42.1.0/24": "[10.42.1.254]",
		"10.42.1.0/24 10.42.9.0/26 fd42:0:0:1::/64": "[10.42.1.254 fd42::1:ffff:ffff:ffff:fffe]",
		"10.42.1.7/32 fd42::/127":                   "[10.42.1.7 fd42::]",
	} {
		var n evidence.Node
		for _, text := range strings.Fields(ranges) {
			n.PodCIDRs = append(n.PodCIDRs, netip.MustParsePrefix(text))
		}
		if got := fmt.Sprint(Samples(&n)); got != want {
			t.Errorf("%s: %s, want %s", ranges, got, want)
		}
	}
}
