package perf

import (
	"fmt"
	"io"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// headline is the result in one sentence.
func (r *Result) headline() string {
	for _, d := range r.Directions {
		t := &d.Tests[0]
		if t.Ratio == r.Ratio && r.Ratio > 0 {
			return fmt.Sprintf("TCP through the tunnel has %.0f %% of the throughput without it: %s of %s (%s → %s)",
				100*r.Ratio, rate(t.Tunnel.Rate), rate(t.Underlay.Rate), d.From, d.To)
		}
	}
	return "The tunnel could not be compared with the network below it"
}

// WriteText writes the result for a reader.
func (r *Result) WriteText(w io.Writer) error {
	t := &text{}
	t.line("%s", r.Headline)
	t.line("")
	for _, n := range r.Nodes {
		t.node(n)
	}
	for _, d := range r.Directions {
		t.direction(d)
	}
	if len(r.Causes) > 0 {
		t.line("")
		t.line("Causes")
	}
	for i, c := range r.Causes {
		t.line("  %s  %s: %s", c.Code, c.Title, c.Text)
		if i == len(r.Causes)-1 || r.Causes[i+1].Code != c.Code {
			t.line("          %s", c.Hint)
		}
	}
	t.line("")
	for _, note := range r.Notes {
		t.line("%s", note)
	}
	_, err := io.WriteString(w, t.String())
	return err
}

type text struct{ strings.Builder }

// line writes one line. What came from a node cannot break it.
func (t *text) line(format string, args ...any) {
	t.WriteString(strings.TrimRight(report.PrintableLine(fmt.Sprintf(format, args...)), " "))
	t.WriteByte('\n')
}

func (t *text) node(n Node) {
	device := "no WireGuard device is known"
	if n.Device != "" {
		device = fmt.Sprintf("%s (%s, MTU %d)", n.Device, or(n.Implementation, "not read"), n.TunnelMTU)
	}
	link := ""
	if n.Link != "" {
		link = fmt.Sprintf(" over %s (MTU %d)", n.Link, n.UnderlayMTU)
	}
	t.line("%s  kernel %s, %s%s", n.Name, or(n.Kernel, "unknown"), device, link)
}

// direction writes a table: what was measured, through the tunnel and without it.
func (t *text) direction(d Direction) {
	t.line("")
	t.line("%s → %s", d.From, d.To)
	t.line("  %-16s %12s %12s %8s", "", "tunnel", "without it", "ratio")
	for i := range d.Tests {
		one := &d.Tests[i]
		ratio := ""
		if one.Ratio > 0 {
			ratio = fmt.Sprintf("%.2f", one.Ratio)
		}
		t.line("  %-16s %12s %12s %8s  %s", one.Title, cell(one.Tunnel), cell(one.Underlay), ratio, aside(one))
	}
	t.processors(d)
	for i := range d.Tests {
		one := &d.Tests[i]
		for _, f := range []struct {
			path string
			Figures
		}{{"through the tunnel", one.Tunnel}, {"without it", one.Underlay}} {
			if f.Error != "" {
				t.line("  not measured: %s %s: %s", one.Title, f.path, f.Error)
			}
		}
	}
}

// processors writes what the machines did in the test of throughput that kept the
// sender's processors busiest.
func (t *text) processors(d Direction) {
	var most *Comparison
	for i := range d.Tests {
		one := &d.Tests[i]
		if one.Tunnel.Sender != nil && (most == nil || one.Tunnel.Sender.Idle < most.Tunnel.Sender.Idle) {
			most = one
		}
	}
	if most == nil {
		return
	}
	t.line("  processors, %s through the tunnel:", most.Title)
	for _, end := range []struct {
		node string
		busy *evidence.Busy
	}{{d.From, most.Tunnel.Sender}, {d.To, most.Tunnel.Receiver}} {
		if b := end.busy; b != nil {
			t.line("    %s  %.0f %% of %d busy (%s), the busiest %.0f %%; the test took %.0f %% of one",
				end.node, 100*(1-b.Idle), b.CPUs,
				shares(b), 100*b.Busiest, 100*b.Own)
		}
	}
}

func shares(b *evidence.Busy) string {
	text := fmt.Sprintf("user %.0f %%, system %.0f %%, interrupts %.0f %%", 100*b.User, 100*b.System, 100*b.Interrupts)
	if b.Stolen > 0.01 {
		text += fmt.Sprintf(", taken by the hypervisor %.0f %%", 100*b.Stolen)
	}
	return text
}

// cell is a figure in the table.
func cell(f Figures) string {
	switch {
	case f.Error != "":
		return "-"
	case f.Median > 0:
		return fmt.Sprintf("%.3g ms", f.Median/1e3)
	}
	return rate(f.Rate)
}

// aside is what else there is to a line of the table.
func aside(t *Comparison) string {
	var parts []string
	if t.Tunnel.Retransmits+t.Underlay.Retransmits > 0 {
		parts = append(parts, fmt.Sprintf("retransmits %d, %d", t.Tunnel.Retransmits, t.Underlay.Retransmits))
	}
	if t.Tunnel.Lost+t.Underlay.Lost > 0 {
		parts = append(parts, fmt.Sprintf("lost %.1f %%, %.1f %%", 100*t.Tunnel.Lost, 100*t.Underlay.Lost))
	}
	if t.Tunnel.P99+t.Underlay.P99 > 0 {
		parts = append(parts, fmt.Sprintf("99th percentile %.3g ms, %.3g ms", t.Tunnel.P99/1e3, t.Underlay.P99/1e3))
	}
	return strings.Join(parts, "; ")
}

// rate is a number of bits a second for a reader.
func rate(bits float64) string {
	switch {
	case bits >= 1e9:
		return fmt.Sprintf("%.2f Gbit/s", bits/1e9)
	case bits >= 1e6:
		return fmt.Sprintf("%.0f Mbit/s", bits/1e6)
	}
	return fmt.Sprintf("%.0f kbit/s", bits/1e3)
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
