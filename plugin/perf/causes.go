package perf

import (
	"fmt"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Cause explains a slow tunnel.
type Cause struct {
	Code  string `json:"code"`
	Title string `json:"title"` // what is so
	Node  string `json:"node"`
	Text  string `json:"text"`
	Hint  string `json:"hint"`
}

// slow is the ratio below which a tunnel is slow.
const slow = 0.9

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

// row is one cause that is looked for.
type row struct {
	verdict.Check
	hint string
	// always: it is worth knowing whatever the ratio is.
	always bool
	// find says what was found on a node, "" for nothing.
	find func(m *measured, n *Node) string
}

// rows are all causes that are looked for, in the order of their codes, after
// WG0701, which a verification judges too.
var rows = []row{
	{
		Check: verdict.Check{Code: "WG0701", Failed: "userspace WireGuard: encrypted, but slower"},
		hint:  "load the kernel's module (modprobe wireguard) and restart the network plugin; see kubectl wg explain WG0701",
		find:  (*measured).userspace,
	},
	{
		Check: verdict.Check{
			Code: "WG0703", Title: "the tunnel's packets fit the network below it",
			Failed: "the tunnel's packets are fragmented",
			Why: "A tunnel whose MTU is larger than what the network below it carries makes two packets of each full one, " +
				"or loses it.",
			Reads: "the MTU of the WireGuard device and of the link below it, the kernel's counters of fragments",
		},
		hint: "set the tunnel's MTU to that of the network below it less 80, and restart the pods; " +
			"if a path carries less than its links, less 80 of what that carries",
		always: true, find: (*measured).fragmented,
	},
	{
		Check: verdict.Check{
			Code: "WG0704", Title: "the tunnel's MTU uses what the network below it carries",
			Failed: "the tunnel's MTU is small",
			Why:    "Every packet costs encryption and headers; smaller packets are more packets for the same bytes.",
			Reads:  "the MTU of the WireGuard device and of the link below it",
		},
		hint: "set the tunnel's MTU to that of the network below it less 80, if all paths carry that, and restart the pods",
		find: (*measured).small,
	},
	{
		Check: verdict.Check{
			Code: "WG0705", Title: "the processors have room while the tunnel is full",
			Failed: "the processors are the limit",
			Why:    "Encryption takes processor time. Where there is none left, the tunnel is as fast as the processors.",
			Reads:  "/proc/stat while the tunnel was measured",
		},
		hint: "more or faster processors, or less else on the node; the kernel's WireGuard takes less than a userspace one",
		find: (*measured).busy,
	},
	{
		Check: verdict.Check{
			Code: "WG0706", Title: "the load is spread over the processors",
			Failed: "one processor is the limit",
			Why: "All packets between two nodes are one UDP flow, which a network card hands to one queue, and that to one " +
				"processor.",
			Reads: "/proc/stat of each processor while the tunnel was measured, the queues of the link below the tunnel",
		},
		hint: "spread what is received over the processors (rps_cpus of the link's queues, more queues by ethtool -L); a virtual " +
			"network card with one queue needs more of them",
		find: (*measured).single,
	},
	{
		Check: verdict.Check{
			Code: "WG0707", Title: "offloads of the links are on",
			Failed: "offloads are off",
			Why:    "Segmentation and receive offload move many packets at once; without them each one passes the stack by itself.",
			Reads:  "the settings of the WireGuard device and of the link below it (ethtool -k)",
		},
		hint: "turn them on, e.g. ethtool -K LINK gro on gso on tso on, unless they are off because of a fault of the driver",
		find: (*measured).offloads,
	},
	{
		Check: verdict.Check{
			Code: "WG0708", Title: "the tunnel loses no more than the network below it",
			Failed: "packets are lost in the tunnel",
			Why:    "TCP slows down with every loss, whatever the links could carry.",
			Reads:  "TCP's retransmits on both paths, frames that the kernel dropped because a processor did not keep up",
		},
		hint: "see what else kubectl wg perf names, above all full processors; larger receive queues (net.core.netdev_max_backlog)",
		find: (*measured).lossy,
	},
	{
		Check: verdict.Check{
			Code: "WG0709", Title: "what measures was not the limit",
			Failed: "the test itself may be the limit",
			Why:    "A test pod may use one processor, a probe two. Figures that reach that limit are the least that the path carries.",
			Reads:  "cpu.stat of the agents' control groups",
		},
		hint:   "read the figures as a lower bound; more streams between more nodes show more",
		always: true, find: (*measured).throttled,
	},
}

// Checks returns what this package adds to the table of checks, for explain.
func Checks() (all []verdict.Check) {
	for _, r := range rows {
		if r.Title == "" {
			continue // a verification judges it too
		}
		c := r.Check
		c.Advice = true // a verification measures nothing
		all = append(all, c)
	}
	return all
}

// Hint is what to do about a code, "" if it is none of Checks.
func Hint(code string) string {
	for _, r := range rows {
		if r.Code == code {
			return r.hint
		}
	}
	return ""
}

// measured is what causes are looked for in.
type measured struct {
	*Result
	samples []Sample
}

// causes returns what explains a slow tunnel. If the ratio is not known, whatever
// could.
func causes(r *Result, samples []Sample) (some []Cause) {
	m := &measured{r, samples}
	for _, row := range rows {
		if r.Ratio >= slow && !row.always {
			continue
		}
		for i := range r.Nodes {
			n := &r.Nodes[i]
			if text := row.find(m, n); text != "" {
				some = append(some, Cause{Code: row.Code, Title: row.Failed, Node: n.Name, Text: text, Hint: row.hint})
			}
		}
	}
	return some
}

func (m *measured) userspace(n *Node) string {
	if n.Implementation != Userspace {
		return ""
	}
	return fmt.Sprintf("%s of %s is a userspace WireGuard: each packet passes between the kernel and a program", n.Device, n.Name)
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
		return fmt.Sprintf("packets of %s (MTU %d) become %d bytes long, and %s carries %d", n.Device, n.TunnelMTU, need, n.Link,
			n.UnderlayMTU)
	}
	made := m.rose(n, Tunnel, func(l evidence.Load) uint64 { return l.FragmentsMade })
	if made < fragments || made <= 2*m.rose(n, Underlay, func(l evidence.Load) uint64 { return l.FragmentsMade }) {
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
	return fmt.Sprintf("the %s of %s were %.0f %% busy: %s", counted(most.CPUs, "processor"), n.Name, 100*(1-most.Idle), shares(most))
}

func (m *measured) single(n *Node) string {
	for _, b := range m.processors(n) {
		if b.CPUs < 2 || b.Busiest < oneFull || 1-b.Idle > othersFree {
			continue
		}
		text := fmt.Sprintf("one processor of %s was %.0f %% busy, all %d together %.0f %%", n.Name, 100*b.Busiest, b.CPUs, 100*(1-b.Idle))
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
			return fmt.Sprintf("the agent on %s reached its limit of processor time (%s, %s)", n.Name, s.Test.Title, s.Path)
		}
	}
	return ""
}
