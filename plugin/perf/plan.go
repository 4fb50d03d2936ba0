// Package perf makes of measurements between two nodes, through the tunnel and
// without it, a result with ratios, and names what explains a slow tunnel. It plans
// what is to be measured and how much load that makes. It is pure: it measures
// nothing itself, and knows no cluster and no clock.
package perf

import (
	"fmt"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Plan is what is measured between two nodes, in both directions.
type Plan struct {
	Runs     int           // of each test; the median counts
	Duration time.Duration // of one throughput test, with its warm-up
	Streams  int           // of the test with several connections
	MaxBytes int64         // that one throughput test sends at most
	UDPRate  int64         // bits of payload a second, 0 for as fast as can be
	Family   int           // 4 or 6; 0 for the first that both pods have
}

// Default is the plan unless flags say otherwise.
var Default = Plan{Runs: 3, Duration: 2 * time.Second, Streams: 8, MaxBytes: 2 << 30}

// Bounds of a plan. The duration's is less than the agent's own.
const (
	MaxRuns     = 20
	MinDuration = 500 * time.Millisecond
	MaxDuration = 15 * time.Second
	MaxStreams  = 64
)

const (
	maxWarmUp  = 300 * time.Millisecond
	roundTrips = 100
	around     = 400 * time.Millisecond // that a test takes otherwise: requests, connections, the last packets
	latency    = 700 * time.Millisecond // that a test of latency takes
)

// Test is one thing that is measured, on every path.
type Test struct {
	Name    string // "tcp", "tcp-8", "udp", "latency"
	Title   string
	Kind    evidence.MeasureKind
	Streams int
}

// Tests returns what is measured, in order.
func (p Plan) Tests() []Test {
	tests := []Test{{"tcp", "TCP, 1 stream", evidence.MeasureTCP, 1}}
	if p.Streams > 1 {
		name := fmt.Sprintf("tcp-%d", p.Streams)
		tests = append(tests, Test{name, fmt.Sprintf("TCP, %d streams", p.Streams), evidence.MeasureTCP, p.Streams})
	}
	return append(tests,
		Test{"udp", "UDP", evidence.MeasureUDP, 1},
		Test{"latency", "latency", evidence.MeasureLatency, 1})
}

// Request is what an agent is asked for a test.
func (p Plan) Request(t Test) evidence.MeasureRequest {
	return evidence.MeasureRequest{
		Kind: t.Kind, Streams: t.Streams, Duration: int(p.Duration / time.Millisecond),
		WarmUp: int(min(maxWarmUp, p.Duration/4) / time.Millisecond), MaxBytes: p.MaxBytes, Rate: p.UDPRate,
		Count: roundTrips,
	}
}

// Path is between which ends a test travels.
type Path string

// The paths.
const (
	Tunnel   Path = "tunnel"   // from pod to pod
	Underlay Path = "underlay" // from node to node, in the host's network
)

// Paths are all of them, in the order in which they are measured.
var Paths = []Path{Tunnel, Underlay}

// Samples is how many measurements the plan makes.
func (p Plan) Samples() int { return 2 * p.Runs * len(Paths) * len(p.Tests()) }

// Time is about how long they take.
func (p Plan) Time() time.Duration {
	each := time.Duration(len(p.Tests())-1)*(p.Duration+around) + latency
	return time.Duration(2*p.Runs*len(Paths)) * each
}

// Bytes bounds what they send.
func (p Plan) Bytes() int64 { return int64(2*p.Runs*len(Paths)*(len(p.Tests())-1)) * p.MaxBytes }

// Load says beforehand what load the plan makes.
func (p Plan) Load(one, other string) string {
	return fmt.Sprintf("This sends as fast as it can between %s and %s, from pod to pod and from node to node, for about %s: "+
		"at most %s in one test, %s in all. Other traffic of the two nodes is slower meanwhile.",
		one, other, p.Time().Round(time.Second), size(p.MaxBytes), size(p.Bytes()))
}

// size is a number of bytes for a reader.
func size(bytes int64) string {
	if bytes >= 1<<30 {
		return fmt.Sprintf("%.4g GiB", float64(bytes)/(1<<30))
	}
	return fmt.Sprintf("%.4g MiB", float64(bytes)/(1<<20))
}
