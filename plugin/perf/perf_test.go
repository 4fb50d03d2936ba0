package perf

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/hack/golden"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// cluster is a cluster of two nodes as it is measured; fast is one without a fault.
type cluster struct {
	nodes   []Node
	samples []Sample
}

// fast has a tunnel with this ratio to the underlay, of processors half of them idle.
func fast(ratio float64) *cluster {
	c := &cluster{}
	for _, name := range []string{"a", "b"} {
		c.nodes = append(c.nodes, Node{
			Name: name, Kernel: "6.18.44", Arch: "amd64", Device: "flannel-wg", Implementation: InKernel, TunnelMTU: 1420,
			Link: "eth0", UnderlayMTU: 1500, Links: []evidence.LinkLoad{{Name: "eth0", MTU: 1500, RXQueues: 1}},
		})
	}
	for run := range Default.Runs {
		for _, test := range Default.Tests() {
			for _, ends := range [][2]string{{"a", "b"}, {"b", "a"}} {
				for _, path := range Paths {
					c.samples = append(c.samples, sampleOf(test, path, ends, ratio, run))
				}
			}
		}
	}
	return c
}

func sampleOf(test Test, path Path, ends [2]string, ratio float64, run int) Sample {
	s := Sample{From: ends[0], To: ends[1], Path: path, Test: test, Rose: map[string]evidence.Load{}}
	s.Kind = test.Kind
	factor := 1 + 0.1*float64(run) // the median is that of the second run
	if path == Tunnel {
		factor *= ratio
	}
	switch test.Kind {
	case evidence.MeasureLatency:
		s.Least, s.Median, s.P99, s.Sent, s.Received = 100/factor, 200/factor, 900/factor, 100, 100
	case evidence.MeasureUDP:
		s.Rate, s.Sent, s.Received = 1e9*factor, 1000, 950
	default:
		s.Rate, s.Bytes, s.MSS, s.MTU = 2e9*factor, 500e6, 1448, 1500
	}
	busy := evidence.Busy{CPUs: 4, User: 0.1, System: 0.3, Interrupts: 0.1, Idle: 0.5, Busiest: 0.8, Own: 0.4}
	receiver := busy
	s.Sender, s.Receiver = &busy, &receiver
	return s
}

func (c *cluster) each(change func(*Sample)) {
	for i := range c.samples {
		change(&c.samples[i])
	}
}

func (c *cluster) result() *Result {
	return New("K3s with Flannel, backend wireguard", 4, c.nodes, Default, c.samples)
}

// Each cause is found where it is, on the node where it is, and nowhere else.
func TestCauses(t *testing.T) {
	tunnel := func(change func(*Sample)) func(*cluster) {
		return func(c *cluster) {
			c.each(func(s *Sample) {
				if s.Path == Tunnel {
					change(s)
				}
			})
		}
	}
	for _, test := range []struct {
		name   string
		ratio  float64
		change func(*cluster)
		codes  []string // with their nodes
		text   string   // a part of the first
	}{
		{"nothing", 0.95, func(*cluster) {}, nil, ""},
		{"slow, and nothing is known", 0.5, func(*cluster) {}, nil, ""},
		{"userspace", 0.3, func(c *cluster) { c.nodes[1].Implementation = Userspace }, []string{"WG0701 b"}, "flannel-wg of b"},
		{"userspace and fast", 0.95, func(c *cluster) { c.nodes[1].Implementation = Userspace }, nil, ""},
		{"MTU too large", 0.95, func(c *cluster) { c.nodes[0].TunnelMTU = 1500 }, []string{"WG0703 a"}, "become 1560 bytes long"},
		{"MTU just fits", 0.5, func(c *cluster) { c.nodes[0].TunnelMTU = 1440 }, nil, ""},
		{"fragments", 0.5, tunnel(func(s *Sample) { s.Rose["a"] = evidence.Load{FragmentsMade: 9} }), []string{"WG0703 a"},
			"a made 216 fragments"},
		{"fragments on both paths", 0.5, func(c *cluster) {
			c.each(func(s *Sample) { s.Rose["a"] = evidence.Load{FragmentsMade: 9} })
		}, nil, ""},
		{"MTU small", 0.5, func(c *cluster) { c.nodes[0].TunnelMTU = 1200 }, []string{"WG0704 a"}, "an MTU of 1200"},
		{"jumbo frames below", 0.5, func(c *cluster) { c.nodes[1].UnderlayMTU = 9000 }, []string{"WG0704 b"}, "carries 9000"},
		{"weak processors", 0.5, tunnel(func(s *Sample) {
			if s.From == "a" {
				s.Sender.Idle, s.Sender.System = 0.04, 0.76
			}
		}), []string{"WG0705 a"}, "the 4 processors of a were 96 % busy: user 10 %, system 76 %"},
		{"busy without the tunnel only", 0.5, func(c *cluster) {
			c.each(func(s *Sample) {
				if s.Path == Underlay {
					s.Sender.Idle = 0
				}
			})
		}, nil, ""},
		{"one processor", 0.5, tunnel(func(s *Sample) {
			if s.To == "b" {
				s.Receiver.Busiest, s.Receiver.Idle = 1, 0.7
			}
		}), []string{"WG0706 b"}, "100 % busy, all 4 together 30 %; eth0 has one receive queue"},
		{"offloads", 0.5, func(c *cluster) { c.nodes[0].Links[0].Off = []string{"tso", "gro"} }, []string{"WG0707 a"}, "eth0 of a: tso, gro"},
		{"loss", 0.5, tunnel(func(s *Sample) {
			if s.From == "a" {
				s.Retransmits = 10000
			}
		}), []string{"WG0708 a"}, "2.9 % of what TCP sent"},
		{"loss on both paths", 0.5, func(c *cluster) { c.each(func(s *Sample) { s.Retransmits = 10000 }) }, nil, ""},
		{"backlog", 0.5, tunnel(func(s *Sample) { s.Rose["b"] = evidence.Load{Backlog: 1} }), []string{"WG0708 b"}, "b dropped 24 frames"},
		{"throttled", 0.95, func(c *cluster) { c.samples[0].Receiver.Throttled = 2 }, []string{"WG0709 b"}, "the agent on b"},
		{"no underlay, so no ratio", 1, func(c *cluster) {
			c.nodes[0].Implementation = Userspace
			c.each(func(s *Sample) {
				if s.Path == Underlay {
					s.Measured = evidence.Measured{Kind: s.Kind, Error: "connection refused"}
				}
			})
		}, []string{"WG0701 a"}, ""},
	} {
		c := fast(test.ratio)
		test.change(c)
		r := c.result()
		var codes []string
		for _, one := range r.Causes {
			codes = append(codes, one.Code+" "+one.Node)
			if one.Title == "" || one.Hint == "" {
				t.Errorf("%s: %s has no title or hint", test.name, one.Code)
			}
		}
		if !slices.Equal(codes, test.codes) {
			t.Errorf("%s: %q, want %q", test.name, codes, test.codes)
		} else if len(codes) > 0 && !strings.Contains(r.Causes[0].Text, test.text) {
			t.Errorf("%s: %q, want %q", test.name, r.Causes[0].Text, test.text)
		}
	}
}

func TestResult(t *testing.T) {
	c := fast(0.25)
	c.nodes[0].Implementation, c.nodes[1].Implementation = Userspace, Userspace
	c.each(func(s *Sample) {
		if s.Path == Underlay && s.From == "b" && s.Kind == evidence.MeasureUDP {
			s.Measured = evidence.Measured{Kind: s.Kind, Error: "connect: connection refused\n\x1b[2J"}
		}
	})
	r := c.result()
	if r.ExitCode != 3 || r.Ratio != 0.25 {
		t.Errorf("exit code %d, ratio %v", r.ExitCode, r.Ratio)
	}
	first := r.Directions[0].Tests[0]
	if first.Tunnel.Rate != 0.25*2e9*1.1 || len(first.Tunnel.Runs) != 3 || first.Ratio != 0.25 {
		t.Errorf("%+v", first)
	}
	var text, document bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := report.WriteData(&document, "yaml", r); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text.String(), "\x1b") {
		t.Error("an escape sequence reaches the terminal")
	}
	golden.Compare(t, "userspace.text", text.Bytes())
	golden.Compare(t, "userspace.yaml", document.Bytes())
}

func TestNothingMeasured(t *testing.T) {
	r := New("", 4, fast(1).nodes, Default, nil)
	if r.ExitCode != 3 || r.Ratio != 0 || len(r.Causes) != 0 || !strings.Contains(r.Headline, "could not be compared") {
		t.Errorf("%+v", r)
	}
	if err := r.WriteText(&bytes.Buffer{}); err != nil {
		t.Error(err)
	}
}

func TestPlan(t *testing.T) {
	p := Default
	if p.Samples() != 48 || p.Time() > 2*time.Minute || p.Bytes() != 36*(2<<30) {
		t.Errorf("%d measurements in %s of %d bytes", p.Samples(), p.Time(), p.Bytes())
	}
	if load := p.Load("a", "b"); !strings.Contains(load, "72 GiB in all") || !strings.Contains(load, "1m35s") {
		t.Error(load)
	}
	p.Streams = 1
	if len(p.Tests()) != 3 {
		t.Errorf("%+v", p.Tests())
	}
}

func TestChecks(t *testing.T) {
	for _, c := range Checks() {
		if c.Title == "" || c.Failed == "" || c.Why == "" || c.Reads == "" || Hint(c.Code) == "" {
			t.Errorf("%s lacks what explain prints", c.Code)
		}
	}
}
