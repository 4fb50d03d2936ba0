package check

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// healthy returns the messages of a run over n nodes of K3s with Flannel's
// WireGuard backend in which everything is as it should be, by stream.
//
//	pod 10.42.i.2 — cni0 — flannel-wg (10.42.i.0) — eth0 192.0.2.(10+i) — wire
func healthy(n int) map[string][]evidence.Message {
	streams := map[string][]evidence.Message{}
	add := func(stream string, m ...evidence.Message) { streams[stream] = append(streams[stream], m...) }
	add(evidence.PluginStream,
		evidence.Message{Hello: &evidence.Hello{Schema: evidence.Schema, Role: "plugin"}},
		evidence.Message{Run: &evidence.Run{ID: "abc123", Version: "test", Minor: evidence.Minor, Families: []int{4},
			Sizes: []int{64, 333, 0}, Newcomers: []evidence.Newcomer{{Node: 0, Targets: []int{1}}}}},
		evidence.Message{Cluster: &evidence.Cluster{Version: "v1.36.3+k3s1", Distribution: "k3s"}})
	add(evidence.PluginStream, evidence.Message{Pod: &evidence.Pod{
		Role: "newcomer", Node: "node-1", Name: "newcomer-node-1", Ready: true, Wait: 900,
	}})
	for i := range n {
		name := fmt.Sprintf("node-%d", i+1)
		add(evidence.PluginStream,
			evidence.Message{Node: &evidence.Node{
				Index: i, Name: name, Ready: true, PodCIDRs: []netip.Prefix{podRange(i)},
				Annotations: map[string]string{
					"k3s.io/node-args":                      `["agent"]`,
					"flannel.alpha.coreos.com/backend-type": "wireguard",
					"flannel.alpha.coreos.com/backend-data": fmt.Sprintf(`{"PublicKey":%q,"Port":51820}`,
						publicKey(i)),
					"flannel.alpha.coreos.com/public-ip":       underlay(i).String(),
					"flannel.alpha.coreos.com/backend-v6-data": "null",
				},
			}},
			evidence.Message{
				Pod: &evidence.Pod{Role: "probe", Node: name, Name: "probe-" + name, Ready: true, Wait: 900},
			},
			evidence.Message{
				Pod: &evidence.Pod{Role: "pod", Node: name, Name: "pod-" + name, Ready: true, Wait: 800,
					IPs: []netip.Addr{podIP(i)}},
			})
		probe, pod := "probe/"+name, "pod/"+name
		add(probe,
			evidence.Message{Hello: &evidence.Hello{Schema: evidence.Schema, Role: "probe", Node: name}},
			evidence.Message{Module: &evidence.Module{Name: "wireguard", Loaded: true}},
			evidence.Message{
				Link: &evidence.Link{Index: 1, Name: "lo", Type: "loopback", Up: true, MTU: 65536,
					Role: evidence.RoleInside, Why: "loopback"},
			},
			evidence.Message{
				Link: &evidence.Link{Index: 2, Name: "eth0", Up: true,
					MTU: 1500, Role: evidence.RoleOutside, Why: "hardware"},
			},
			evidence.Message{
				Link: &evidence.Link{Index: 3, Name: "flannel-wg", Kind: "wireguard", Up: true, MTU: 1420,
					Role: evidence.RoleWireGuard, Why: "kind wireguard"},
			},
			evidence.Message{
				Route: &evidence.Route{Destination: netip.MustParsePrefix("10.42.0.0/16"), Link: "flannel-wg",
					Type: "unicast", Table: 254},
			},
			evidence.Message{
				Device: &evidence.Device{Name: "flannel-wg", Index: 3,
					PublicKey: publicKey(i), Port: 51820, Peers: n - 1},
			},
			evidence.Message{Capture: &evidence.Capture{Link: "eth0", Role: evidence.RoleOutside, Started: true,
				Alive: true, Frames: 100, Bytes: 20000, TXFrames: 50, TXBytes: 10000, ControlTX: 1, ControlRX: 1,
				Classes: map[string]uint64{"wireguard": 90}}},
			evidence.Message{
				Capture: &evidence.Capture{Link: "flannel-wg", Role: evidence.RoleWireGuard, Started: true, Alive: true,
					Frames: 100, Bytes: 20000, TXFrames: 50, TXBytes: 10000},
			})
		add(probe, readWhole(i)...)
		add(pod, evidence.Message{Hello: &evidence.Hello{Schema: evidence.Schema, Role: "pod", Node: name}})
		for j := range n {
			if i == j {
				continue
			}
			add(probe, pairEvidence(i, j)...)
			first := uint32(0)
			if i == 1 && j == 0 {
				first = 75
			}
			add(pod,
				evidence.Message{Canary: &evidence.Canary{Peer: j, Family: 4, First: first, Rows: []evidence.CanaryRow{
					{Transport: "udp", Size: 64, Sent: 1, Answered: 1, Received: 1, RTT: 400},
					{Transport: "udp", Size: 333, Sent: 1, Answered: 1, Received: 1, RTT: 410},
					{Transport: "udp", Size: 1392, Sent: 1, Answered: 1, Received: 1, RTT: 450},
					{Transport: "tcp", Size: 333, Sent: 1, Answered: 1, Received: 1, RTT: 900},
					{Transport: "icmp", Size: 64, Sent: 1, Answered: 1, RTT: 300},
				}}})
		}
	}
	return streams
}

// readWhole is what the probe on i says of other paths and blind spots: that it
// looked for them and found none.
func readWhole(i int) []evidence.Message {
	messages := []evidence.Message{
		{Link: &evidence.Link{Index: 90, Name: "cni0", Kind: "bridge", Up: true, MTU: 1420, Role: evidence.RoleInside}},
		{Route: &evidence.Route{Destination: podRange(i), Link: "cni0", Table: 254}},
	}
	for _, what := range []string{
		evidence.InventoryRoutes, evidence.InventoryRules, evidence.InventoryNftables, evidence.InventoryIptables,
		evidence.InventoryTC, evidence.InventoryXFRM, evidence.InventoryLinks,
	} {
		messages = append(messages, evidence.Message{Inventory: &evidence.Inventory{What: what, Complete: true}})
	}
	for index, link := range map[int]string{2: "eth0", 3: "flannel-wg"} {
		messages = append(messages, evidence.Message{LinkCount: &evidence.LinkCount{
			Link: link, Index: index, Readings: evidence.Readings,
			TXBytes: [4]uint64{1000, 1100, 10900, 11000}, RXBytes: [4]uint64{1000, 1100, 10900, 11000},
			TXPackets: [4]uint64{10, 11, 58, 60}, RXPackets: [4]uint64{10, 11, 58, 60},
		}})
	}
	return messages
}

// pairEvidence is what the probe on i says of its tunnel with j. Each side
// sends, per transport and size, one canary and one answer.
func pairEvidence(i, j int) []evidence.Message {
	remote := netip.AddrPortFrom(underlay(j), 51820)
	sizes := []evidence.SizeCount{{Size: 128, Count: 4}, {Size: 400, Count: 2}, {Size: 1452, Count: 2}}
	bytes := uint64(4*128 + 2*400 + 2*1452 + 500)
	flow := func(index uint32) evidence.Flow {
		return evidence.Flow{Data: 12, Bytes: bytes, DataBytes: bytes, Sizes: sizes,
			Indices: []evidence.IndexRange{{Index: index, Min: 5, Max: 16, Messages: 12}}}
	}
	seen := evidence.Seen{Source: i, Target: j, UDP: 6, TCP: 2, ICMP: 2, UDPAnswers: 3, TCPAnswers: 1, ICMPAnswers: 1}
	back := seen
	back.Source, back.Target = j, i
	if i+j == 1 { // the new pod on node-1 and the pod on node-2
		seen.First, back.First = 75, 75
		if i == 0 { // its own go out and the answers come back
			back.FirstAnswers = 75
		} else {
			seen.FirstAnswers = 75
		}
	}
	return []evidence.Message{
		{Route: &evidence.Route{For: underlay(j), Link: "eth0", Type: "unicast", Table: 254}},
		{Route: &evidence.Route{For: podIP(j), Link: "flannel-wg", Type: "unicast", Table: 254}},
		{Peer: &evidence.Peer{Device: "flannel-wg", PublicKey: publicKey(j), Endpoint: remote,
			AllowedIPs: []netip.Prefix{podRange(j)}, Keepalive: 25, TX: 1000, RX: 1000}},
		{Count: &evidence.Count{
			Device: "flannel-wg", Index: 3, PublicKey: publicKey(j), Endpoint: remote, Readings: 4,
			TX: [4]uint64{1000, 1000, 1000 + bytes, 1032 + bytes},
			RX: [4]uint64{1000, 1000, 1000 + bytes, 1032 + bytes}, Handshake: 1, Age: 30e9,
		}},
		{Tunnel: &evidence.Tunnel{Local: netip.AddrPortFrom(underlay(i), 51820), Remote: remote,
			Links: []string{"eth0"}, TX: flow(uint32(100*i + j)), RX: flow(uint32(100*j + i))}},
		{Witness: &evidence.Witness{Link: "flannel-wg", Direction: "tx", Family: 4, Seen: []evidence.Seen{seen}}},
		{Witness: &evidence.Witness{Link: "flannel-wg", Direction: "rx", Family: 4, Seen: []evidence.Seen{back}}},
		{Control: &evidence.Control{Peer: j, Target: remote, Sent: 1}},
		{Witness: &evidence.Witness{Link: "eth0", Direction: "tx",
			Family: 4, Seen: []evidence.Seen{{Source: i, Target: j, Control: 1}}}},
		{Witness: &evidence.Witness{Link: "eth0", Direction: "rx",
			Family: 4, Seen: []evidence.Seen{{Source: j, Target: i, Control: 1}}}},
	}
}

func podRange(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 42, byte(i), 0}), 24)
}
func podIP(i int) netip.Addr    { return netip.AddrFrom4([4]byte{10, 42, byte(i), 2}) }
func underlay(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)}) }
func publicKey(i int) string    { return fmt.Sprintf("%043d=", i+1) }

// record numbers the messages of each stream and closes it, as a writer does.
func record(t testing.TB, streams map[string][]evidence.Message) *recording.Recording {
	t.Helper()
	said := recording.New()
	for stream, messages := range streams {
		var line bytes.Buffer
		w := evidence.NewWriter(&line)
		for _, m := range messages {
			if err := w.Write(m); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Bye(); err != nil {
			t.Fatal(err)
		}
		decoder := evidence.NewDecoder(&line, 1<<30)
		for range len(messages) + 1 {
			m, err := decoder.Next()
			if err != nil {
				t.Fatal(err)
			}
			m.Stream = stream
			said.Add(m)
		}
	}
	return said
}
