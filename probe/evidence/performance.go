package evidence

import "net/netip"

// MeasureKind says what a measurement is of.
type MeasureKind string

// The kinds of measurement.
const (
	MeasureTCP     MeasureKind = "tcp"     // throughput of one or more connections
	MeasureUDP     MeasureKind = "udp"     // throughput and loss of datagrams
	MeasureLatency MeasureKind = "latency" // round trips of small datagrams, one after the other
)

// ServeRequest makes an agent the other end of measurements, at TCP and UDP ports
// that the kernel chooses, which are in the Ready. It takes in what it is sent and
// returns small datagrams; it answers no one who lacks the run's key.
type ServeRequest struct {
	Families []int `json:"families"`
}

// MeasureRequest makes an agent send to another one that serves, for a bounded time
// and number of bytes. It is answered by Measured.
type MeasureRequest struct {
	Kind MeasureKind `json:"kind"`
	Addr netip.Addr  `json:"addr"`
	TCP  uint16      `json:"tcp"` // ports of the other one
	UDP  uint16      `json:"udp,omitempty"`
	// Streams are the connections of MeasureTCP, 1 to 64.
	Streams int `json:"streams,omitempty"`
	// Duration and WarmUp are milliseconds: how long to send, at most 20 s, and how
	// much of it at the beginning does not count.
	Duration int `json:"duration,omitempty"`
	WarmUp   int `json:"warmUp,omitempty"`
	// MaxBytes ends the measurement early, 0 for no such bound.
	MaxBytes int64 `json:"maxBytes,omitempty"`
	// Rate of MeasureUDP in bits of payload a second, 0 for as fast as can be.
	Rate int64 `json:"rate,omitempty"`
	// Count of MeasureLatency: how many round trips, at most 1000.
	Count int `json:"count,omitempty"`
}

// Measured is the result of one MeasureRequest.
type Measured struct {
	Kind    MeasureKind `json:"kind"`
	Addr    netip.Addr  `json:"addr"`
	Streams int         `json:"streams,omitempty"`
	// Rate is bits of payload a second, as they arrived at the other one after the
	// warm-up. Bytes is all that was sent.
	Rate  float64 `json:"rate,omitempty"`
	Bytes int64   `json:"bytes,omitempty"`
	// Retransmits of TCP segments, of all connections (TCP_INFO, tcpi_total_retrans).
	Retransmits uint64 `json:"retransmits,omitempty"`
	// Datagrams of MeasureUDP and of MeasureLatency.
	Sent     uint64 `json:"sent,omitempty"`
	Received uint64 `json:"received,omitempty"`
	// Round trips of MeasureLatency, microseconds.
	Least  float64 `json:"least,omitempty"`
	Median float64 `json:"median,omitempty"`
	P99    float64 `json:"p99,omitempty"`
	// MTU of the path as the sender's kernel knows it, in bytes; MSS of its connections.
	MTU int `json:"mtu,omitempty"`
	MSS int `json:"mss,omitempty"`
	// Sender and Receiver are the two machines meanwhile; nil if that was not read.
	Sender   *Busy  `json:"sender,omitempty"`
	Receiver *Busy  `json:"receiver,omitempty"`
	Error    string `json:"error,omitempty"` // why there is no result
}

// Busy is what the processors of a machine did over a time, by /proc/stat. The
// shares are of all processors together, 0 to 1.
type Busy struct {
	CPUs       int     `json:"cpus"`
	User       float64 `json:"user"`             // programs, a userspace WireGuard among them
	System     float64 `json:"system"`           // the kernel, its workers among it
	Interrupts float64 `json:"interrupts"`       // of these the network's receiving side
	Stolen     float64 `json:"stolen,omitempty"` // by the hypervisor
	Idle       float64 `json:"idle"`
	// Busiest is the share of the busiest processor, of it alone.
	Busiest float64 `json:"busiest"`
	// Own is how many processors the agent itself took, Throttled how often its
	// container reached its limit meanwhile.
	Own       float64 `json:"own"`
	Throttled int     `json:"throttled,omitempty"`
}

// LoadRequest asks for counters of the network stack in the agent's network, and
// for settings of some links there. It is answered by Load.
type LoadRequest struct {
	Links []string `json:"links,omitempty"` // at most 16
}

// Load is a reading of counters since the machine's start, of both families.
type Load struct {
	FragmentsMade  uint64 `json:"fragmentsMade"`  // /proc/net/snmp: FragCreates
	FragmentFails  uint64 `json:"fragmentFails"`  // FragFails: too large, and not to be fragmented
	FragmentsTaken uint64 `json:"fragmentsTaken"` // ReasmReqds: fragments that were to be put together
	ReassemblyFail uint64 `json:"reassemblyFails"`
	// Backlog are frames that were dropped because a processor did not keep up
	// (/proc/net/softnet_stat).
	Backlog uint64     `json:"backlog"`
	Links   []LinkLoad `json:"links,omitempty"`
}

// LinkLoad is what bears on the speed of one link.
type LinkLoad struct {
	Name     string `json:"name"`
	MTU      int    `json:"mtu"`
	RXQueues int    `json:"rxQueues,omitempty"` // 0 if that is not known
	TXQueues int    `json:"txQueues,omitempty"`
	// Off are offloads of those that help throughput that are off: rx-checksum,
	// tx-checksum, tso, gso, gro.
	Off []string `json:"off,omitempty"`
}
