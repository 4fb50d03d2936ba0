package synthetic

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/agent"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// What the hosts of a world say, through the real agents, is judged by the real checks:
//
//	synthetic hosts ── agents ── evidence ── check.Judge
func TestWorldIsJudged(t *testing.T) {
	for _, test := range []struct {
		faults  []Fault
		verdict verdict.Verdict
		cause   string
		bad     []string // pairs that are not proven
	}{
		{nil, verdict.Passed, "", nil},
		{[]Fault{{StaleKey, 2, 5}}, verdict.Failed, "WG0302", []string{"node-0002 → node-0005", "node-0005 → node-0002"}},
		{[]Fault{{Leak, 6, 1}}, verdict.Failed, "WG0401", []string{"node-0006 → node-0001"}},
	} {
		t.Run(fmt.Sprint(test.faults), func(t *testing.T) {
			world, err := NewWorld(6, test.faults...)
			if err != nil {
				t.Fatal(err)
			}
			got := check.Judge(record(t, world))
			var bad []string
			for _, pair := range got.Pairs {
				if pair.Status != verdict.Pass && pair.Status != verdict.Warn {
					bad = append(bad, pair.Subject.String())
				}
			}
			young := 0
			for _, finding := range got.Findings {
				if finding.Code == "WG0609" && finding.Status == verdict.Pass {
					young++
				}
			}
			if young != 2 {
				t.Errorf("the new pod's first packets are judged well for %d pairs, want 2", young)
			}
			cause := ""
			if got.FirstCause != nil {
				cause = got.FirstCause.Code
			}
			if got.Verdict != test.verdict || cause != test.cause || !slices.Equal(bad, test.bad) {
				t.Errorf("%s by %q, not proven %v; want %s by %q, %v", got.Verdict, cause, bad, test.verdict, test.cause, test.bad)
				for _, finding := range got.Findings {
					if finding.Status == verdict.Fail || finding.Status == verdict.Inconclusive {
						t.Log(finding.Code, finding.Subject, finding.Status, finding.Text)
					}
				}
			}
		})
	}
}

// record lets the agents of all nodes go through one run.
func record(t testing.TB, world *World) *recording.Recording {
	t.Helper()
	run := recording.New()
	about := evidence.Run{
		ID: "test", Families: []int{4}, Sizes: []int{64, 333, 777, 0}, Pairs: "all", Newcomers: []evidence.Newcomer{{Node: 2, Targets: []int{3, 4}}},
	}
	world.Bring(3, []string{"/wg-probe", "newcomer", "--deadline", "180s", "--idle", "3s", "--index", "2",
		"--to", "3@" + podIPs(4)[0].String() + ":1", "--to", "4@" + podIPs(5)[0].String() + ":1"}, hex.EncodeToString(mark))
	newcomer := evidence.Message{Pod: &evidence.Pod{Role: "newcomer", Node: Name(3), Ready: true}}
	plugin := []evidence.Message{
		{Hello: &evidence.Hello{Schema: evidence.Schema, Role: evidence.PluginStream}}, {Run: &about}, newcomer, {Cluster: &evidence.Cluster{Version: "v1.36.3"}},
	}
	for n := 1; n <= world.Nodes; n++ {
		plugin = append(plugin,
			evidence.Message{Node: &evidence.Node{
				Index: n - 1, Name: Name(n), Ready: true, OS: "linux", PodCIDRs: []netip.Prefix{PodRange(n)},
				Annotations: map[string]string{
					"flannel.alpha.coreos.com/backend-type": "wireguard", "flannel.alpha.coreos.com/public-ip": Address(n).String(),
					"flannel.alpha.coreos.com/backend-data": fmt.Sprintf(`{"PublicKey":%q,"Port":51820}`, world.Key(n)),
				},
			}},
			evidence.Message{Pod: &evidence.Pod{Role: "probe", Node: Name(n), Ready: true}},
			evidence.Message{Pod: &evidence.Pod{Role: "pod", Node: Name(n), Ready: true, IPs: podIPs(n)}})
		keep(t, run, "probe/"+Name(n), converse(t, world, n, probeRequests(world, n)))
		keep(t, run, "pod/"+Name(n), converse(t, world, n, podRequests(world, n)))
	}
	var said bytes.Buffer
	writer := evidence.NewWriter(&said)
	for _, m := range plugin {
		if err := writer.Write(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Bye(); err != nil {
		t.Fatal(err)
	}
	keep(t, run, evidence.PluginStream, &said)
	return run
}

var mark = bytes.Repeat([]byte{0xab}, 16)

func podIPs(n int) []netip.Addr { return []netip.Addr{PodRange(n).Addr().Next().Next()} }

// probeRequests are those of the plugin, in its order.
func probeRequests(world *World, n int) []evidence.Request {
	read := &evidence.ReadRequest{PodRanges: []netip.Prefix{PodRange(n)}}
	capture := &evidence.CaptureRequest{Ports: []uint16{Port}, Sizes: []int{128, 400, 848, 1452}}
	control := &evidence.ControlRequest{}
	for other := 1; other <= world.Nodes; other++ {
		capture.Pods = append(capture.Pods, evidence.PodAddress{Index: other - 1, IPs: podIPs(other)})
		capture.Keys = append(capture.Keys, world.Key(other))
		if other != n {
			read.Destinations = append(read.Destinations, podIPs(other)...)
			control.Targets = append(control.Targets, evidence.ControlTarget{Index: other - 1, Endpoint: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 9)})
		}
	}
	reading := func(n int) evidence.Request { return evidence.Request{Read: &evidence.ReadRequest{Reading: n}} }
	return []evidence.Request{
		start("probe", n), {Read: read}, {Capture: capture}, reading(evidence.ReadingReady), {Control: control},
		reading(evidence.ReadingDrained), {Stop: &evidence.StopRequest{}}, reading(evidence.ReadingAfter), {End: &evidence.EndRequest{}},
	}
}

func podRequests(world *World, n int) []evidence.Request {
	send := &evidence.SendRequest{Sizes: []int{64, 333, 777, 0}, Attempts: 3, Timeout: 10}
	for other := 1; other <= world.Nodes; other++ {
		if other != n {
			send.Targets = append(send.Targets, evidence.Target{Index: other - 1, Addr: podIPs(other)[0], UDP: 1, TCP: 1})
		}
	}
	return []evidence.Request{
		start("pod", n), {Listen: &evidence.ListenRequest{Families: []int{4}}}, {Send: send}, {Stop: &evidence.StopRequest{}}, {End: &evidence.EndRequest{}},
	}
}

func start(role string, n int) evidence.Request {
	return evidence.Request{Start: &evidence.StartRequest{
		Schema: evidence.Schema, Role: role, Node: Name(n), Index: n - 1, Mark: mark, Key: bytes.Repeat([]byte{1}, 32),
	}}
}

// converse returns what the agent of a node says to the requests.
func converse(t testing.TB, world *World, n int, requests []evidence.Request) *bytes.Buffer {
	t.Helper()
	options, err := world.Options(Name(n))
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	stdin, input := io.Pipe()
	go func() {
		for i := range requests {
			requests[i].ID = uint32(i + 1)
			line, err := evidence.EncodeRequest(&requests[i])
			if err == nil {
				_, err = input.Write(line)
			}
			if err != nil {
				t.Error(err)
			}
		}
	}()
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { done <- agent.Run(ctx, stdin, &until{&said, cancel}, options) }()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return &said
}

// until hangs up when it has read the agent's last message, as the plugin does.
type until struct {
	*bytes.Buffer
	hangUp func()
}

func (u *until) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(`"bye"`)) {
		defer u.hangUp()
	}
	return u.Buffer.Write(p)
}

func keep(t testing.TB, to *recording.Recording, stream string, said io.Reader) {
	t.Helper()
	for decoder := evidence.NewDecoder(said, 1<<30); ; {
		m, err := decoder.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		m.Stream = stream
		to.Add(m)
	}
}

func TestParseFault(t *testing.T) {
	for text, want := range map[string]Fault{"stale-key:17:423": {StaleKey, 17, 423}, "leak:5:900": {Leak, 5, 900}} {
		if got, err := ParseFault(text); got != want || err != nil || got.String() != text {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "leak", "leak:1", "leak:a:2", "fire:1:2", "leak:1:2:3"} {
		if got, err := ParseFault(text); err == nil {
			t.Errorf("%q gives %v", text, got)
		}
	}
	for _, fault := range []Fault{{Leak, 0, 1}, {Leak, 1, 5}, {StaleKey, 2, 2}} {
		if _, err := NewWorld(4, fault); err == nil {
			t.Errorf("a world of 4 nodes takes %s", fault)
		}
	}
}

func TestAddressesHaveOneOwner(t *testing.T) {
	world, err := NewWorld(MaxNodes)
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= MaxNodes; n++ {
		for _, addr := range []netip.Addr{Address(n), PodRange(n).Addr(), podIPs(n)[0]} {
			if got := world.Owner(addr); got != n {
				t.Fatalf("%s belongs to node %d, want %d", addr, got, n)
			}
		}
		if !Underlay.Contains(Address(n)) || !PodNetwork.Contains(PodRange(n).Addr()) || world.Number(Name(n)) != n {
			t.Fatalf("node %d is not in the plan", n)
		}
	}
	for _, text := range []string{"198.18.0.0", "192.0.2.1", "198.19.255.255"} {
		if got := world.Owner(netip.MustParseAddr(text)); got != 0 {
			t.Errorf("%s belongs to node %d", text, got)
		}
	}
}

// BenchmarkProbe is one probe's whole session among a thousand nodes: what a rig pays for each of them.
func BenchmarkProbe(b *testing.B) {
	world, err := NewWorld(1000)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		said := converse(b, world, 1, probeRequests(world, 1))
		b.ReportMetric(float64(said.Len()), "bytes-said")
	}
}
