package status

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence/columns"
)

// moment is a recording that holds readings alone, of one moment: what the probes
// last read of their hosts and, more often, of their devices. It is a
// graph.Recorded, so what package check finds from readings can be found at any
// time while the sessions go on.
type moment struct {
	plugin  []*evidence.Message
	hosts   map[string][]*evidence.Message // without devices, by stream
	latest  map[string]*reading            // by stream
	version int                            // rises when plugin or hosts change
}

// reading is what a probe last said of its devices.
type reading struct {
	messages []*evidence.Message
	lost     string
}

// newMoment takes from a recording all but the devices.
func newMoment(recorded graph.Recorded) *moment {
	m := &moment{hosts: map[string][]*evidence.Message{}, latest: map[string]*reading{}}
	m.say(recorded.Messages(evidence.PluginStream))
	for _, stream := range recorded.Streams() {
		if role, _ := evidence.SplitStream(stream); role != "probe" {
			continue
		}
		m.hosts[stream] = []*evidence.Message{}
		for _, message := range recorded.Messages(stream) {
			if ofHost(message) {
				m.hosts[stream] = append(m.hosts[stream], message)
			}
		}
	}
	return m
}

// say takes what the plugin says of the cluster, and adds what status makes of it.
func (m *moment) say(messages []*evidence.Message) {
	m.version++
	m.plugin = nil
	for _, message := range messages {
		if message.Run == nil && message.Bye == nil && message.Pod == nil {
			m.plugin = append(m.plugin, message)
		}
	}
	for _, message := range m.plugin {
		if n := message.Node; n != nil && n.Index >= 0 {
			sample := &evidence.Pod{Role: "sample", Node: n.Name, IPs: Samples(n)}
			m.plugin = append(m.plugin, &evidence.Message{Pod: sample})
		}
	}
	m.plugin = append(m.plugin, &evidence.Message{Run: &evidence.Run{
		ID: "status", Minor: evidence.Minor, Families: familiesOf(m.plugin),
	}})
}

// survey takes what the API server says of the cluster and its nodes now.
func (m *moment) survey(messages []*evidence.Message) {
	surveyed := func(message *evidence.Message) bool { return message.Cluster != nil || message.Node != nil }
	m.say(slices.Concat(messages, slices.DeleteFunc(slices.Clone(m.plugin), surveyed)))
}

// single returns messages of a node with those of single peers in the place of
// columns. One that makes no sense stays, for package check to find.
func (m *moment) single(node string, messages []*evidence.Message) (single []*evidence.Message) {
	bounds := &columns.Bounds{}
	for _, message := range m.plugin {
		if n := message.Node; n != nil && n.Index >= 0 {
			bounds.Nodes++
			if n.Name == node {
				bounds.Index = n.Index
			}
		}
	}
	unpacker := columns.Unpacker{Bounds: bounds}
	for _, message := range messages {
		if err := unpacker.Unpack(message, func(one *evidence.Message) { single = append(single, one) }); err != nil {
			single = append(single, message)
		}
	}
	return single
}

// read takes what a probe now reads of its host. Who it is it said at first, and is
// not asked again.
func (m *moment) read(stream string, messages []*evidence.Message) {
	m.version++
	isHello := func(message *evidence.Message) bool { return message.Hello != nil }
	var host []*evidence.Message
	if at := slices.IndexFunc(m.hosts[stream], isHello); at >= 0 {
		host = append(host, m.hosts[stream][at])
	}
	for _, message := range messages {
		if ofHost(message) && !isHello(message) {
			host = append(host, message)
		}
	}
	m.hosts[stream] = host
}

// Samples returns the addresses that stand for a node's pods, since there are no test
// pods: one of its first pod range of each family. The last ones of a range are the
// least likely to be taken, and the very last of IPv4 can be a broadcast address.
func Samples(n *evidence.Node) (samples []netip.Addr) {
	have := map[bool]bool{}
	for _, podRange := range n.PodCIDRs {
		is4 := podRange.Addr().Is4()
		if have[is4] {
			continue
		}
		have[is4] = true
		sample := last(podRange)
		if before := sample.Prev(); podRange.Contains(before) {
			sample = before
		}
		samples = append(samples, sample)
	}
	return samples
}

// last returns the last address of a range.
func last(p netip.Prefix) netip.Addr {
	bits := p.Addr().AsSlice()
	for i := p.Bits(); i < p.Addr().BitLen(); i++ {
		bits[i/8] |= 1 << (7 - i%8)
	}
	address, _ := netip.AddrFromSlice(bits)
	return address
}

// ofDevice reports whether a message is of what each answer reports.
func ofDevice(m *evidence.Message) bool {
	switch {
	case m.Device != nil, m.Peer != nil, m.Peers != nil:
		return true
	case m.Link != nil:
		return m.Link.Role == evidence.RoleWireGuard
	case m.Problem != nil:
		return m.Problem.What == "device"
	}
	return false
}

// ofHost reports whether a message is of what an answer about the host reports too.
func ofHost(m *evidence.Message) bool {
	switch {
	case ofDevice(m):
		return false
	case m.Hello != nil, m.Module != nil, m.Link != nil, m.Address != nil, m.Socket != nil, m.Problem != nil,
		m.Route != nil, m.Routes != nil, m.Rule != nil, m.Diversion != nil, m.Inventory != nil:
		return true
	}
	return false
}

// familiesOf returns the address families that two nodes have pods of, IPv4 if the
// API shows none.
func familiesOf(messages []*evidence.Message) (families []int) {
	have := map[int]int{}
	for _, m := range messages {
		if m.Node == nil {
			continue
		}
		for _, family := range []int{4, 6} {
			isOf := func(p netip.Prefix) bool { return p.Addr().Is4() == (family == 4) }
			if slices.ContainsFunc(m.Node.PodCIDRs, isOf) {
				have[family]++
			}
		}
	}
	for _, family := range []int{4, 6} {
		if have[family] >= 2 {
			families = append(families, family)
		}
	}
	if len(families) == 0 {
		return []int{4}
	}
	return families
}

// Streams returns the plugin's and those of the probes.
func (m *moment) Streams() []string {
	return append([]string{evidence.PluginStream}, slices.Sorted(maps.Keys(m.hosts))...)
}

// Messages returns what a probe last read.
func (m *moment) Messages(stream string) []*evidence.Message {
	if stream == evidence.PluginStream {
		return m.plugin
	}
	if latest := m.latest[stream]; latest != nil {
		return slices.Concat(m.hosts[stream], latest.messages)
	}
	return m.hosts[stream]
}

// Gap says why a probe did not answer. One that answered reported all its devices.
func (m *moment) Gap(stream string) string {
	latest := m.latest[stream]
	switch {
	case stream == evidence.PluginStream:
		return ""
	case latest == nil:
		return "there is none"
	}
	return latest.lost
}
