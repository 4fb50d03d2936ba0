package report

import (
	"slices"
	"sync"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// figures are what was counted of the traffic in one direction, as numbers; those
// of several directions are sums but for the largest and the oldest. A figure that
// was not read is 0.
type figures struct {
	PacketsSent     uint64 `json:"packetsSent"`     // test packets, repeats included
	PacketsAnswered uint64 `json:"packetsAnswered"` // of them
	PacketsReceived uint64 `json:"packetsReceived"` // UDP and TCP
	// LargestPacket is the largest UDP packet that was answered, with its IP header,
	// bytes; of several directions the least of them.
	LargestPacket int `json:"largestPacketBytes"`
	// Marked packets seen in clear on the WireGuard device of the sender and the
	// receiver, answers included.
	InTunnelSent     uint64 `json:"inTunnelSent"`
	InTunnelReceived uint64 `json:"inTunnelReceived"`
	PlaintextFrames  uint64 `json:"plaintextFrames"` // seen on links that leave a host, or on other tunnels
	// WireGuard data messages captured leaving the sender and arriving at the
	// receiver, and the bytes of all messages.
	DataMessagesSent     uint64 `json:"dataMessagesSent"`
	DataMessagesReceived uint64 `json:"dataMessagesReceived"`
	CapturedBytesSent    uint64 `json:"capturedBytesSent"`
	CapturedBytesRecv    uint64 `json:"capturedBytesReceived"`
	// What the devices counted meanwhile, at most.
	CounterBytesSent uint64 `json:"counterBytesSent"`
	CounterBytesRecv uint64 `json:"counterBytesReceived"`
	// HandshakeAge is that of the sender's last handshake, seconds; of several
	// directions the greatest.
	HandshakeAge float64 `json:"handshakeAgeSeconds"`

	directions int
}

// figuresOf are those of one direction.
func figuresOf(e *graph.Edge) figures {
	f := figures{
		PacketsSent: e.Sender.Sent,
		PacketsAnswered: e.Sender.UDP.Answered + e.Sender.TCP.Answered +
			e.Sender.ICMP.Answered,
		PacketsReceived: e.Receiver.UDP.Received + e.Receiver.TCP.Received,
		InTunnelSent:    e.Into.Total(), InTunnelReceived: e.OutOf.Total(),
		DataMessagesSent: e.Out.Data, DataMessagesReceived: e.In.Data,
		CapturedBytesSent: e.Out.Bytes, CapturedBytesRecv: e.In.Bytes,
		LargestPacket: largest(e),
		directions:    1,
	}
	for _, leak := range e.Leaks {
		f.PlaintextFrames += leak.Count
	}
	if e.Sent != nil {
		f.CounterBytesSent = e.Sent.TX.Most
		f.HandshakeAge = float64(max(e.Sent.Age, 0)/1e6) / 1e3
	}
	if e.Received != nil {
		f.CounterBytesRecv = e.Received.RX.Most
	}
	return f
}

// largest is the largest UDP packet that was answered, with its headers.
func largest(e *graph.Edge) (bytes int) {
	headers := map[int]int{4: 20 + 8, 6: 40 + 8}[e.Family]
	for i := range e.Sender.Rows {
		row := &e.Sender.Rows[i]
		if row.Transport == "udp" && row.Answered > 0 {
			bytes = max(bytes, row.Size+headers)
		}
	}
	return bytes
}

func (f *figures) add(other *figures) {
	f.PacketsSent += other.PacketsSent
	f.PacketsAnswered += other.PacketsAnswered
	f.PacketsReceived += other.PacketsReceived
	f.InTunnelSent += other.InTunnelSent
	f.InTunnelReceived += other.InTunnelReceived
	f.PlaintextFrames += other.PlaintextFrames
	f.DataMessagesSent += other.DataMessagesSent
	f.DataMessagesReceived += other.DataMessagesReceived
	f.CapturedBytesSent += other.CapturedBytesSent
	f.CapturedBytesRecv += other.CapturedBytesRecv
	f.CounterBytesSent += other.CounterBytesSent
	f.CounterBytesRecv += other.CounterBytesRecv
	f.HandshakeAge = max(f.HandshakeAge, other.HandshakeAge)
	if f.directions == 0 {
		f.LargestPacket = other.LargestPacket
	}
	f.LargestPacket = min(f.LargestPacket, other.LargestPacket)
	f.directions += other.directions
}

// total are the figures of a whole run.
type total struct {
	figures
	// Of the captures on links that leave a host.
	FramesCaptured  uint64 `json:"framesCaptured"`
	FramesDropped   uint64 `json:"framesDropped"`
	FramesTruncated uint64 `json:"framesTruncated"`

	transports []string // over which test packets were answered
	links      []string // that leave a host
	carriers   []string // names of the WireGuard devices
}

// totalOf sums all directions of a run, those of several senders at a time.
func totalOf(g *graph.Graph) total {
	var t total
	var mu sync.Mutex
	graph.Parallel(len(g.Nodes), func(i int) {
		var sum figures
		var own total
		for e := range g.EdgesFrom(g.Nodes[i]) {
			one := figuresOf(e)
			sum.add(&one)
			own.names(e)
		}
		mu.Lock()
		defer mu.Unlock()
		t.add(&sum)
		for _, name := range own.transports {
			t.transports = with(t.transports, name)
		}
		for _, name := range own.carriers {
			t.carriers = with(t.carriers, name)
		}
	})
	for _, l := range g.Unattributed {
		t.PlaintextFrames += l.Count
	}
	for _, n := range g.Nodes {
		t.captures(n)
	}
	slices.Sort(t.carriers)
	slices.Sort(t.links)
	return t
}

// names keeps what a direction used.
func (t *total) names(e *graph.Edge) {
	for _, sum := range []struct {
		name string
		graph.CanarySum
	}{{"ICMP", e.Sender.ICMP}, {"TCP", e.Sender.TCP}, {"UDP", e.Sender.UDP}} {
		if sum.Answered > 0 {
			t.transports = with(t.transports, sum.name)
		}
	}
	if name := e.FromLink(); name != "" {
		t.carriers = with(t.carriers, name)
	}
}

func (t *total) captures(n *graph.Node) {
	for _, c := range n.Captures {
		if c.Role != evidence.RoleOutside {
			continue
		}
		t.FramesCaptured += c.Frames
		t.FramesDropped += c.Drops
		t.FramesTruncated += c.Truncated
		t.links = with(t.links, c.Link)
	}
}

// with adds a name to a sorted list that lacks it.
func with(names []string, name string) []string {
	at, found := slices.BinarySearch(names, name)
	if found {
		return names
	}
	return slices.Insert(names, at, name)
}
