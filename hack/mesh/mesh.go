// Package mesh makes recordings of runs over many nodes, for tests and
// measurements: every pair is healthy but for the faults that are planted. The
// same mesh always says the same.
package mesh

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence/columns"
)

// Mesh is the recording of a run of K3s with Flannel's WireGuard backend, made
// message by message when it is read. Figures differ from pair to pair as they
// do in a cluster.
//
//	pod 10.64+x.y.2 — cni0 — flannel-wg — eth0 172.16+x.y — wire
type Mesh struct {
	// About is the run; change it before anything is read.
	About evidence.Run
	// Unpacked makes a message for each peer, as earlier probes do.
	Unpacked bool
	nodes    int
	families []int
	// changes are called with a stream's messages before they are numbered.
	changes map[string]func([]evidence.Message) []evidence.Message
	gaps    map[string]string
	asked   graph.Pairs
}

// New returns a healthy mesh of so many nodes, up to 40,000; without families
// it is of IPv4.
func New(nodes int, families ...int) *Mesh {
	if families == nil {
		families = []int{4}
	}
	m := &Mesh{
		nodes: nodes, families: families, changes: map[string]func([]evidence.Message) []evidence.Message{}, gaps: map[string]string{},
		About: evidence.Run{ID: "mesh22", Version: "test", Families: families, Sizes: []int{64, 333, 0}, Pairs: "all"},
	}
	m.Ask("all")
	return m
}

// Ask says which pairs the run tests, as --pairs does. A mesh tests all unless
// it is asked otherwise.
func (m *Mesh) Ask(pairs string) {
	asked, err := graph.NewPairs(pairs, m.About.ID, m.nodes)
	if err != nil {
		panic(err)
	}
	m.About.Pairs, m.asked = pairs, asked
}

// plant changes what a stream says.
func (m *Mesh) plant(stream string, change func([]evidence.Message) []evidence.Message) {
	before := m.changes[stream]
	m.changes[stream] = func(messages []evidence.Message) []evidence.Message {
		if before != nil {
			messages = before(messages)
		}
		return change(messages)
	}
}

// Name is that of the i-th node, from 0.
func Name(i int) string { return fmt.Sprintf("node-%04d", i) }

// Streams returns the names of all streams, sorted.
func (m *Mesh) Streams() []string {
	names := []string{}
	for _, role := range []string{"pod", "probe"} {
		for i := range m.nodes {
			names = append(names, evidence.StreamName(role, Name(i)))
		}
	}
	return slices.Insert(names, 0, evidence.PluginStream)
}

// Gap says what makes a stream incomplete.
func (m *Mesh) Gap(stream string) string { return m.gaps[stream] }

// Messages makes one stream.
func (m *Mesh) Messages(stream string) []*evidence.Message {
	var messages []evidence.Message
	role, name := evidence.SplitStream(stream)
	node, _ := strconv.Atoi(strings.TrimPrefix(name, "node-"))
	switch role {
	case evidence.PluginStream:
		messages = m.plugin()
	case "probe":
		messages = m.probe(node)
	case "pod":
		messages = m.pod(node)
	default:
		return nil // of no agent that a verification has
	}
	if change := m.changes[stream]; change != nil {
		messages = change(messages)
	}
	if !m.Unpacked {
		var packer columns.Packer
		messages = slices.Concat(messages[:1], packer.Pack(messages[1:]))
	}
	messages = append(messages, evidence.Message{Bye: &evidence.Bye{Messages: uint32(len(messages) + 1)}})
	all := make([]*evidence.Message, len(messages))
	for i := range messages {
		messages[i].Stream, messages[i].Seq = stream, uint32(i+1)
		all[i] = &messages[i]
	}
	return all
}

func (m *Mesh) plugin() []evidence.Message {
	messages := []evidence.Message{
		{Hello: &evidence.Hello{Schema: evidence.Schema, Role: "plugin"}},
		{Cluster: &evidence.Cluster{Version: "v1.36.3+k3s1", Distribution: "k3s"}},
	}
	for i := range m.nodes {
		about := &evidence.Node{Index: i, Name: Name(i), Ready: true, Annotations: map[string]string{
			"k3s.io/node-args":                      `["agent"]`,
			"flannel.alpha.coreos.com/backend-type": "wireguard",
			"flannel.alpha.coreos.com/backend-data": fmt.Sprintf(`{"PublicKey":%q,"Port":51820}`, key(i)),
			"flannel.alpha.coreos.com/public-ip":    underlay(i).String(),
		}}
		pod := &evidence.Pod{Role: "pod", Node: about.Name, Name: "pod-" + about.Name, Ready: true, Wait: 800}
		if slices.Contains(m.families, 6) {
			about.Annotations["flannel.alpha.coreos.com/backend-v6-data"] = about.Annotations["flannel.alpha.coreos.com/backend-data"]
		}
		for _, family := range m.families {
			about.PodCIDRs = append(about.PodCIDRs, podRange(i, family))
			pod.IPs = append(pod.IPs, podIP(i, family))
		}
		messages = append(messages, evidence.Message{Node: about}, evidence.Message{Pod: pod},
			evidence.Message{Pod: &evidence.Pod{Role: "probe", Node: about.Name, Name: "probe-" + about.Name, Ready: true, Wait: 900}})
	}
	about := m.About
	return append(messages, evidence.Message{Run: &about})
}

// sends is 1 if i sends canaries to j, else 0.
func (m *Mesh) sends(i, j int) uint32 {
	if !m.asked.Has(i, j) {
		return 0
	}
	return 1
}

func (m *Mesh) pod(i int) []evidence.Message {
	messages := []evidence.Message{{Hello: &evidence.Hello{Schema: evidence.Schema, Role: "pod", Node: Name(i)}}}
	for j := range m.nodes {
		for _, family := range m.families {
			sent, received := m.sends(i, j), m.sends(j, i)
			if sent+received == 0 {
				continue
			}
			rtt := sent * (200 + mix(i, j)%3000)
			row := func(transport string, size int) evidence.CanaryRow {
				return evidence.CanaryRow{Transport: transport, Size: size, Sent: sent, Answered: sent, Received: received, RTT: rtt}
			}
			icmp := row("icmp", 64)
			icmp.Received = 0
			messages = append(messages, evidence.Message{Canary: &evidence.Canary{Peer: j, Family: family, Rows: []evidence.CanaryRow{
				row("udp", 64), row("udp", 333), row("udp", mtu-headers(family)), row("tcp", 333), icmp,
			}}})
		}
	}
	return messages
}

func (m *Mesh) probe(i int) []evidence.Message {
	messages := []evidence.Message{
		{Hello: &evidence.Hello{Schema: evidence.Schema, Role: "probe", Node: Name(i)}},
		{Module: &evidence.Module{Name: "wireguard", Loaded: true}},
		{Link: &evidence.Link{Index: 1, Name: "lo", Type: "loopback", Up: true, MTU: 65536, Role: evidence.RoleInside, Why: "loopback"}},
		{Link: &evidence.Link{Index: 2, Name: "eth0", Up: true, MTU: 1500, Role: evidence.RoleOutside, Why: "hardware"}},
		{Link: &evidence.Link{Index: 3, Name: "flannel-wg", Kind: "wireguard", Up: true, MTU: mtu, Role: evidence.RoleWireGuard, Why: "kind wireguard"}},
		{Device: &evidence.Device{Name: "flannel-wg", Index: 3, PublicKey: key(i), Port: 51820, Peers: m.nodes - 1}},
		{Capture: &evidence.Capture{Link: "eth0", Role: evidence.RoleOutside, Started: true, Alive: true, Frames: uint64(m.nodes) * 60,
			Classes: map[string]uint64{"wireguard": uint64(m.nodes) * 50}, ControlTX: uint32(m.asked.Each()), ControlRX: uint32(m.asked.Each())}},
		{Capture: &evidence.Capture{Link: "flannel-wg", Role: evidence.RoleWireGuard, Started: true, Alive: true, Frames: uint64(m.nodes) * 30}},
		{Route: &evidence.Route{Destination: netip.MustParsePrefix("10.64.0.0/10"), Link: "flannel-wg", Table: 254, Type: "unicast"}},
	}
	if slices.Contains(m.families, 6) { // mode auto: one device for both families
		messages = append(messages, evidence.Message{Address: &evidence.Address{Link: "flannel-wg", Prefix: podRange(i, 6)}},
			evidence.Message{Route: &evidence.Route{Destination: netip.MustParsePrefix("fd42::/32"), Link: "flannel-wg", Table: 254, Type: "unicast"}})
	}
	for j := range m.nodes {
		if i != j {
			messages = append(messages, m.tunnel(i, j)...)
		}
	}
	return append(messages, m.witnesses(i)...)
}

// tunnel is what the probe on i says of its tunnel with j.
func (m *Mesh) tunnel(i, j int) []evidence.Message {
	remote := netip.AddrPortFrom(underlay(j), 51820)
	left, arrived := m.flow(i, j), m.flow(j, i)
	before, age := uint64(mix(i, j, 7))*9, int64(mix(i, j, 8))*20
	readings := func(f *evidence.Flow) [evidence.Readings]uint64 {
		return [evidence.Readings]uint64{before, before + 32, before + 32 + f.Bytes, before + 64 + f.Bytes}
	}
	peer := &evidence.Peer{Device: "flannel-wg", PublicKey: key(j), Endpoint: remote, Keepalive: 25, TX: before, RX: before,
		Handshake: 1795313066400861159 - age, Age: age}
	messages := []evidence.Message{{Peer: peer}}
	for _, family := range m.families {
		peer.AllowedIPs = append(peer.AllowedIPs, podRange(j, family))
		if m.asked.Has(i, j) {
			messages = append(messages, evidence.Message{Route: &evidence.Route{For: podIP(j, family), Link: "flannel-wg", Type: "unicast", Table: 254}})
		}
	}
	if m.asked.Has(i, j) {
		messages = append(messages, evidence.Message{Control: &evidence.Control{Peer: j, Target: remote, Sent: 1}})
	}
	return append(messages,
		evidence.Message{Route: &evidence.Route{For: underlay(j), Link: "eth0", Source: underlay(i), Type: "unicast", Table: 254}},
		evidence.Message{Count: &evidence.Count{
			Device: "flannel-wg", Index: 3, PublicKey: key(j), Endpoint: remote, Readings: evidence.Readings,
			TX: readings(&left), RX: readings(&arrived), Handshake: 1795313066480861159 - age, Age: age,
		}},
		evidence.Message{Tunnel: &evidence.Tunnel{Local: netip.AddrPortFrom(underlay(i), 51820), Remote: remote, Links: []string{"eth0"}, TX: left, RX: arrived}})
}

// flow is what travels from i to j: canaries and answers of three sizes and
// TCP's segments, of which there are a few more or less.
func (m *Mesh) flow(i, j int) evidence.Flow {
	f := evidence.Flow{}
	for _, family := range m.families {
		for _, size := range []int{64, 333, mtu - headers(family)} {
			count := uint64(m.sends(i, j) + m.sends(j, i))
			if size == 64 {
				count *= 2 // ICMP has this size too
			}
			if count == 0 {
				continue
			}
			length := 32 + min((headers(family)+size+15)/16*16, mtu)
			f.Data += count
			f.Bytes += count * uint64(length)
			f.Sizes = append(f.Sizes, evidence.SizeCount{Size: length, Count: count})
		}
	}
	segments := uint64(4 + mix(i, j, 1)%4)
	f.Sizes = append(f.Sizes, evidence.SizeCount{Size: 96, Count: segments})
	slices.SortFunc(f.Sizes, func(a, b evidence.SizeCount) int { return a.Size - b.Size })
	f.Data += segments
	f.Bytes += segments * 96
	f.DataBytes = f.Bytes
	first := uint64(mix(i, j, 2) % 100000)
	f.Indices = []evidence.IndexRange{{Index: mix(i, j, 3), Min: first, Max: first + f.Data - 1, Messages: f.Data}}
	return f
}

// maxSeen is how many pairs one Witness holds.
const maxSeen = 64

func (m *Mesh) witnesses(i int) (messages []evidence.Message) {
	for _, direction := range []string{"tx", "rx"} {
		for _, family := range m.families {
			var canaries, controls []evidence.Seen
			for j := range m.nodes {
				seen := evidence.Seen{Source: i, Target: j}
				if direction == "rx" {
					seen = evidence.Seen{Source: j, Target: i}
				}
				sent, answered := m.sends(seen.Source, seen.Target), m.sends(seen.Target, seen.Source)
				if sent+answered == 0 {
					continue
				}
				control := seen
				seen.UDP, seen.TCP, seen.ICMP = 3*(sent+answered), 2+mix(seen.Source, seen.Target, 4)%3, sent+answered
				seen.UDPAnswers, seen.TCPAnswers, seen.ICMPAnswers = 3*answered, answered, answered
				canaries = append(canaries, seen)
				if sent > 0 {
					control.Control = 1
					controls = append(controls, control)
				}
			}
			for part := range slices.Chunk(canaries, maxSeen) {
				messages = append(messages, evidence.Message{Witness: &evidence.Witness{Link: "flannel-wg", Direction: direction, Family: family, Seen: part}})
			}
			if family != m.families[0] {
				continue
			}
			for part := range slices.Chunk(controls, maxSeen) {
				messages = append(messages, evidence.Message{Witness: &evidence.Witness{Link: "eth0", Direction: direction, Family: 4, Seen: part}})
			}
		}
	}
	return messages
}

// mtu is that of the tunnel.
const mtu = 1420

// headers is IP plus UDP or ICMP echo header of a canary.
func headers(family int) int {
	if family == 6 {
		return 48
	}
	return 28
}

func podRange(i, family int) netip.Prefix {
	if family == 6 {
		return netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 0x42, 5: 1, 6: byte(i >> 8), 7: byte(i)}), 64)
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(64 + i>>8), byte(i), 0}), 24)
}

func podIP(i, family int) netip.Addr { return podRange(i, family).Addr().Next().Next() }

func underlay(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{172, byte(16 + i>>16), byte(i >> 8), byte(i)})
}

func key(i int) string {
	var b [32]byte
	for at := range 8 {
		binary.BigEndian.PutUint32(b[4*at:], mix(i, at, 9))
	}
	return base64.StdEncoding.EncodeToString(b[:])
}

// mix makes of some numbers one that seems random and is always the same.
func mix(numbers ...int) uint32 {
	h := fnv.New32a()
	for _, n := range numbers {
		h.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	}
	return h.Sum32()
}
