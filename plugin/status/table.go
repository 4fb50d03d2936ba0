package status

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// TableOptions say how a table is written.
type TableOptions struct {
	Wide  bool // whole public keys
	All   bool // every peer of a large cluster, also where nothing is wrong
	Color bool
	// Width is how many columns there are, lines are cut off there; 0 for no limit.
	Width int
	// Height is how many lines there are: a longer table says what it leaves out; 0 for
	// no limit.
	Height int
}

// fewPeers is how many peers are shown without being asked for: what fits one screen.
const fewPeers = 40

// row is one line of the table.
type row struct {
	cells  []string // as heads
	status verdict.Status
}

var heads = []string{
	"NODE / PEER", "PROBLEM", "INTERFACE", "KIND", "HANDSHAKE", "RECEIVED", "SENT", "RATE IN", "RATE OUT", "ENDPOINT",
	"ALLOWED IPS", "PUBLIC KEY",
}

// Table writes a row for each device and below it one for each peer, then the
// problems in words, then one line that sums up. In a large cluster only those peers
// have a row with which something is wrong, unless all are asked for.
func (c *Cluster) Table(w io.Writer, o TableOptions) error {
	rows := c.rows(o)
	problems := c.problemLines()
	summary := c.summaryLines()
	omitted := ""
	if room := o.Height - 1 - len(problems) - len(summary) - 2; o.Height > 0 && len(rows) > max(room, 1) {
		omitted = fmt.Sprintf("… %d more rows; a taller terminal or kubectl wg status NODE shows them", len(rows)-max(room, 1))
		rows = rows[:max(room, 1)]
	}
	lines := aligned(rows, o.Color)
	if omitted != "" {
		lines = append(lines, omitted)
	}
	lines = append(lines, problems...)
	lines = append(lines, summary...)
	var text strings.Builder
	for _, line := range lines {
		text.WriteString(cut(line, o.Width))
		text.WriteByte('\n')
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func (c *Cluster) rows(o TableOptions) (rows []row) {
	every := o.All || c.count().peers <= fewPeers
	for _, n := range c.Nodes {
		if len(n.Devices) == 0 {
			rows = append(rows, nodeRow(n, c.codesOf(n)))
		}
		for _, d := range n.Devices {
			rows = append(rows, deviceRow(n, d, o.Wide))
			for _, p := range d.Peers {
				if every || p.Worst > verdict.Pass {
					rows = append(rows, peerRow(p, o.Wide))
				}
			}
		}
	}
	return rows
}

// codesOf are those of a node that has no device to mark.
func (c *Cluster) codesOf(n *Node) (codes []string) {
	for _, p := range c.Problems {
		if p.Subject.Node == n.Name {
			codes = withCode(codes, p.Code)
		}
	}
	return codes
}

func nodeRow(n *Node, codes []string) row {
	kind := "no device"
	if n.Lost != "" {
		kind = "not read"
	}
	return row{[]string{n.Name, joinedCodes(codes), "-", kind, "-", "-", "-", "-", "-", "-", "-", "-"}, n.Worst}
}

func deviceRow(n *Node, d *Device, wide bool) row {
	kind := d.Kind() + ", " + plural(len(d.Peers), "peer")
	if !d.Up {
		kind = d.Kind() + ", down"
	}
	sum := d.Sum()
	in, out := rates(sum.Rate)
	return row{[]string{
		n.Name, joinedCodes(d.Codes), d.Name, kind, "-", size(sum.RX), size(sum.TX), in, out, fmt.Sprintf("port %d", d.Port),
		"-", key(d.PublicKey, wide),
	}, d.Worst}
}

func peerRow(p *Peer, wide bool) row {
	handshake := "never"
	if p.Handshake != 0 {
		handshake = duration(time.Duration(p.Age)) + " ago"
	}
	in, out := rates(p.Rate)
	return row{[]string{
		"  " + cmp.Or(p.Node, "?"), joinedCodes(p.Codes), p.Device, "peer", handshake, size(p.RX), size(p.TX), in, out,
		endpoint(p), ranges(p, wide), key(p.PublicKey, wide),
	}, p.Worst}
}

func joinedCodes(codes []string) string {
	if len(codes) == 0 {
		return "-"
	}
	return strings.Join(codes, ",")
}

func key(public string, wide bool) string {
	switch {
	case public == "":
		return none
	case wide:
		return public
	}
	return short(public)
}

// ranges are a peer's allowed IPs, the first two of many unless the table is wide.
func ranges(p *Peer, wide bool) string {
	const shown = 2
	if wide || len(p.AllowedIPs) <= shown {
		return prefixes(p.AllowedIPs)
	}
	return fmt.Sprintf("%s and %d more", prefixes(p.AllowedIPs[:shown]), len(p.AllowedIPs)-shown)
}

func rates(r *Rate) (in, out string) {
	if r == nil {
		return "-", "-"
	}
	return rate(r.RX), rate(r.TX)
}

// problemColumn is that of the codes, which have colors.
const problemColumn = 1

// aligned makes lines of rows, with a heading.
func aligned(rows []row, color bool) []string {
	widths := make([]int, len(heads))
	for i, head := range heads {
		widths[i] = len(head)
	}
	for _, r := range rows {
		for i := range r.cells {
			r.cells[i] = clean(r.cells[i])
			widths[i] = max(widths[i], utf8.RuneCountInString(r.cells[i]))
		}
	}
	lines := []string{joined(heads, widths, 0, false)}
	for _, r := range rows {
		lines = append(lines, joined(r.cells, widths, r.status, color))
	}
	return lines
}

func joined(cells []string, widths []int, status verdict.Status, color bool) string {
	var text strings.Builder
	for i, cell := range cells {
		room := widths[i] - utf8.RuneCountInString(cell)
		if i == problemColumn && cell != "-" {
			cell = painted(cell, status, color)
		}
		text.WriteString(cell)
		if i < len(cells)-1 {
			text.WriteString(strings.Repeat(" ", room+3))
		}
	}
	return text.String()
}

// colors by status, as the report has them.
var colors = map[verdict.Status]string{verdict.Fail: "31", verdict.Inconclusive: "33", verdict.Warn: "33"}

func painted(text string, status verdict.Status, color bool) string {
	if !color || colors[status] == "" {
		return text
	}
	return "\x1b[" + colors[status] + "m" + text + "\x1b[0m"
}

// cut shortens a line to so many columns. Escape sequences take none.
func cut(line string, width int) string {
	if width <= 0 || utf8.RuneCountInString(line) <= width {
		return line
	}
	var text strings.Builder
	column := 0
	for rest := line; rest != ""; {
		if strings.HasPrefix(rest, "\x1b[") {
			end := strings.IndexByte(rest, 'm') + 1
			text.WriteString(rest[:end])
			rest = rest[end:]
			continue
		}
		r, length := utf8.DecodeRuneInString(rest)
		rest = rest[length:]
		if column++; column < width {
			text.WriteRune(r)
		} else if column == width {
			text.WriteRune('…')
		}
	}
	return text.String()
}
