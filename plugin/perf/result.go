package perf

import (
	"cmp"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// APIVersion and Kind name the document.
const (
	APIVersion = "kubectl-wg.io/v2"
	Kind       = "Performance"
)

// Sample is one measurement.
type Sample struct {
	From, To string // nodes
	Path     Path
	Test     Test
	evidence.Measured
	// Rose is what the counters of the nodes rose by meanwhile, by node.
	Rose map[string]evidence.Load
}

// Result is what was measured: what -o json and -o yaml print. Rates are bits of
// payload a second, times microseconds.
type Result struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Headline   string `json:"headline"`
	// ExitCode is 0, or 3 if something could not be measured.
	ExitCode int `json:"exitCode"`
	// Ratio is the tunnel's TCP throughput to that without it, of one stream and in the
	// worse direction; 0 if that is not known.
	Ratio      float64     `json:"ratio"`
	Network    string      `json:"network"`
	Family     int         `json:"family"`
	Nodes      []Node      `json:"nodes"`
	Directions []Direction `json:"directions"`
	// Causes explain a slow tunnel, in the order of their codes.
	Causes []Cause `json:"causes"`
	// Notes are what a reader has to know of the figures.
	Notes []string `json:"notes"`
}

// Direction is what was measured from one node to another.
type Direction struct {
	From  string       `json:"from"`
	To    string       `json:"to"`
	Tests []Comparison `json:"tests"`
}

// Comparison is one test on both paths.
type Comparison struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	// Ratio is the tunnel's rate to that without it, of latency its time; 0 if one of
	// them could not be measured.
	Ratio    float64 `json:"ratio"`
	Tunnel   Figures `json:"tunnel"`
	Underlay Figures `json:"underlay"`
}

// Figures are those of one test on one path: of its run with the median.
type Figures struct {
	Rate        float64 `json:"rate,omitempty"`
	Retransmits uint64  `json:"retransmits,omitempty"`
	// Lost is the share of datagrams that did not arrive, 0 to 1.
	Lost   float64 `json:"lost,omitempty"`
	Least  float64 `json:"least,omitempty"`
	Median float64 `json:"median,omitempty"`
	P99    float64 `json:"p99,omitempty"`
	MTU    int     `json:"mtu,omitempty"`
	// Runs are the rates, or the medians of times, of all runs in order.
	Runs     []float64      `json:"runs"`
	Sender   *evidence.Busy `json:"sender,omitempty"`
	Receiver *evidence.Busy `json:"receiver,omitempty"`
	Error    string         `json:"error,omitempty"` // why no run has a result
}

// value is what a test is compared by.
func value(m *evidence.Measured) float64 {
	if m.Kind == evidence.MeasureLatency {
		return m.Median
	}
	return m.Rate
}

// New makes a result of what was measured between two nodes.
func New(network string, family int, nodes []Node, plan Plan, samples []Sample) *Result {
	r := &Result{
		APIVersion: APIVersion, Kind: Kind, Network: network, Family: family, Nodes: nodes,
		Directions: []Direction{}, Causes: []Cause{}, Notes: []string{unseen},
	}
	for _, ends := range [][2]string{{nodes[0].Name, nodes[1].Name}, {nodes[1].Name, nodes[0].Name}} {
		d := Direction{From: ends[0], To: ends[1], Tests: []Comparison{}}
		for _, test := range plan.Tests() {
			d.Tests = append(d.Tests, compared(d, test, samples))
		}
		r.Directions = append(r.Directions, d)
	}
	r.Ratio = r.ratio()
	r.Causes = append(r.Causes, causes(r, samples)...)
	r.Headline = r.headline()
	if r.incomplete() {
		r.ExitCode = 3
	}
	return r
}

// unseen is what no figure here shows.
const unseen = "What the processors did is that of the whole machine. How much of it WireGuard took cannot be seen from a pod: " +
	"of a userspace WireGuard it is in user, of the kernel's in system and interrupts."

func compared(d Direction, test Test, samples []Sample) Comparison {
	t := Comparison{Name: test.Name, Title: test.Title}
	t.Tunnel = figures(d, test, Tunnel, samples)
	t.Underlay = figures(d, test, Underlay, samples)
	through, below := t.Tunnel.value(test), t.Underlay.value(test)
	if through > 0 && below > 0 {
		t.Ratio = through / below
	}
	return t
}

func (f *Figures) value(test Test) float64 {
	if test.Kind == evidence.MeasureLatency {
		return f.Median
	}
	return f.Rate
}

// figures are those of the run with the median, of the lower two in the middle.
func figures(d Direction, test Test, path Path, samples []Sample) Figures {
	var measured []*evidence.Measured
	f := Figures{Runs: []float64{}, Error: "it was not measured"}
	for i := range samples {
		s := &samples[i]
		if s.From != d.From || s.To != d.To || s.Path != path || s.Test.Name != test.Name {
			continue
		}
		if s.Error != "" || value(&s.Measured) == 0 {
			f.Error = cmp.Or(s.Error, "nothing arrived")
			continue
		}
		measured = append(measured, &s.Measured)
		f.Runs = append(f.Runs, value(&s.Measured))
	}
	if len(measured) == 0 {
		return f
	}
	slices.SortFunc(measured, func(a, b *evidence.Measured) int { return cmp.Compare(value(a), value(b)) })
	m := measured[(len(measured)-1)/2]
	f.Error = ""
	f.Rate, f.Retransmits, f.MTU = m.Rate, m.Retransmits, m.MTU
	f.Least, f.Median, f.P99 = m.Least, m.Median, m.P99
	f.Sender, f.Receiver = m.Sender, m.Receiver
	if m.Sent > 0 {
		f.Lost = max(0, 1-float64(m.Received)/float64(m.Sent))
	}
	return f
}

// ratio is that of one TCP stream, in the worse direction.
func (r *Result) ratio() (least float64) {
	for _, d := range r.Directions {
		if one := d.Tests[0].Ratio; one > 0 && (least == 0 || one < least) {
			least = one
		}
	}
	return least
}

// incomplete reports whether something could not be measured.
func (r *Result) incomplete() bool {
	for _, d := range r.Directions {
		for _, t := range d.Tests {
			if t.Tunnel.Error != "" || t.Underlay.Error != "" {
				return true
			}
		}
	}
	return false
}
