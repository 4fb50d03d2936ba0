package perf

import (
	"fmt"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"

	"github.com/kubectl-wg/kubectl-wg/plugin/report"
)

// Where a reading counts as a cause.
const (
	overhead4   = 60 // bytes that WireGuard adds to a packet over IPv4: 20 + 8 + 32
	overhead6   = 80
	wasted      = 200 // bytes of the underlay's MTU that the tunnel leaves unused
	fragments   = 100 // made while the tunnel was measured
	saturated   = 0.9
	oneFull     = 0.95 // of the busiest processor
	othersFree  = 0.6  // of all of them
	resentShare = 0.01 // of the bytes
)

// measured is what causes are looked for in.
type measured struct {
	*Result
	samples []Sample
}

func (m *measured) userspace(n *Node) string {
	if n.Implementation != Userspace {
		return ""
	}
	return fmt.Sprintf("%s of %s is a userspace WireGuard: each packet passes between the kernel and a program",
		n.Device, n.Name)
}

// overhead is what WireGuard adds to a packet, in bytes. The family of the
// underlay is that of the measurement.
func (m *measured) overhead() int {
	if m.Family == 6 {
		return overhead6
	}
	return overhead4
}

func (m *measured) fragmented(n *Node) string {
	if need := n.TunnelMTU + m.overhead(); n.TunnelMTU > 0 && n.UnderlayMTU > 0 && need > n.UnderlayMTU {
		return fmt.Sprintf("packets of %s (MTU %d) become %d bytes long, and %s carries %d",
			n.Device, n.TunnelMTU, need, n.Link, n.UnderlayMTU)
	}
	counter := func(l evidence.Load) uint64 { return l.FragmentsMade }
	made := m.rose(n, Tunnel, counter)
	if made < fragments || made <= 2*m.rose(n, Underlay, counter) {
		return ""
	}
	return fmt.Sprintf("%s made %d fragments while the tunnel was measured", n.Name, made)
}

// rose sums what a counter of a node rose by while a path was measured.
func (m *measured) rose(n *Node, path Path, counter func(evidence.Load) uint64) (sum uint64) {
	for i := range m.samples {
		if m.samples[i].Path == path {
			sum += counter(m.samples[i].Rose[n.Name])
		}
	}
	return sum
}

func (m *measured) small(n *Node) string {
	if unused := n.UnderlayMTU - n.TunnelMTU - m.overhead(); n.TunnelMTU == 0 || unused < wasted {
		return ""
	}
	return fmt.Sprintf("%s has an MTU of %d, and %s below it carries %d", n.Device, n.TunnelMTU, n.Link, n.UnderlayMTU)
}

// processors returns what those of a node did in each test of throughput through
// the tunnel.
func (m *measured) processors(n *Node) (all []*evidence.Busy) {
	for _, d := range m.Directions {
		for i := range d.Tests {
			busy := d.Tests[i].Tunnel.Receiver
			if d.From == n.Name {
				busy = d.Tests[i].Tunnel.Sender
			}
			if busy != nil && d.Tests[i].Tunnel.Rate > 0 {
				all = append(all, busy)
			}
		}
	}
	return all
}

func (m *measured) busy(n *Node) string {
	var most *evidence.Busy
	for _, b := range m.processors(n) {
		if most == nil || b.Idle < most.Idle {
			most = b
		}
	}
	if most == nil || 1-most.Idle < saturated {
		return ""
	}
	return fmt.Sprintf("the %s of %s were %.0f %% busy: %s",
		report.Count(most.CPUs, "processor"), n.Name, 100*(1-most.Idle), shares(most))
}

func (m *measured) single(n *Node) string {
	for _, b := range m.processors(n) {
		if b.CPUs < 2 || b.Busiest < oneFull || 1-b.Idle > othersFree {
			continue
		}
		text := fmt.Sprintf("one processor of %s was %.0f %% busy, all %d together %.0f %%",
			n.Name, 100*b.Busiest, b.CPUs, 100*(1-b.Idle))
		for _, link := range n.Links {
			if link.Name == n.Link && link.RXQueues == 1 {
				text += fmt.Sprintf("; %s has one receive queue", n.Link)
			}
		}
		return text
	}
	return ""
}

func (m *measured) offloads(n *Node) string {
	var texts []string
	for _, link := range n.Links {
		if len(link.Off) > 0 {
			texts = append(texts, fmt.Sprintf("%s of %s: %s", link.Name, n.Name, strings.Join(link.Off, ", ")))
		}
	}
	return strings.Join(texts, "; ")
}

func (m *measured) lossy(n *Node) string {
	backlog := func(l evidence.Load) uint64 { return l.Backlog }
	if dropped := m.rose(n, Tunnel, backlog); dropped > 0 && dropped > 2*m.rose(n, Underlay, backlog) {
		return fmt.Sprintf("%s dropped %d frames because a processor did not keep up", n.Name, dropped)
	}
	through, below := m.resent(n, Tunnel), m.resent(n, Underlay)
	if through < resentShare || through < 2*below {
		return ""
	}
	return fmt.Sprintf("%s sent %.1f %% of what TCP sent through the tunnel again, without it %.1f %%",
		n.Name, 100*through, 100*below)
}

// resent is the share of bytes that TCP sent again from a node on a path.
func (m *measured) resent(n *Node, path Path) float64 {
	var again, all float64
	for i := range m.samples {
		if s := &m.samples[i]; s.From == n.Name && s.Path == path && s.Measured.Kind == evidence.MeasureTCP {
			again += float64(s.Retransmits) * float64(s.MSS)
			all += float64(s.Bytes)
		}
	}
	if all == 0 {
		return 0
	}
	return again / all
}

func (m *measured) throttled(n *Node) string {
	for i := range m.samples {
		s := &m.samples[i]
		busy := s.Receiver
		if s.From == n.Name {
			busy = s.Sender
		}
		if busy != nil && busy.Throttled > 0 && (s.From == n.Name || s.To == n.Name) {
			return fmt.Sprintf("the agent on %s reached its limit of processor time (%s, %s)",
				n.Name, s.Test.Title, s.Path)
		}
	}
	return ""
}
