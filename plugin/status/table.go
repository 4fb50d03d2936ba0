package status

import (
	"fmt"
	"io"
	"strings"
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

// fewPeers is how many peers, or in a large cluster rows, are shown without being
// asked for: what fits one screen.
const fewPeers = 40

// Table writes a row for each device and below it one for each peer, then the
// problems in words, then one line that sums up. In a large cluster only those peers
// have a row with which something is wrong, unless all are asked for.
func (c *Cluster) Table(w io.Writer, o TableOptions) error {
	rows := c.rows(o)
	problems := c.problemLines()
	summary := c.summaryLines()
	omitted := ""
	if room := c.room(o, len(problems)+len(summary)); room > 0 && len(rows) > room {
		omitted = fmt.Sprintf("… %d more rows; --all or kubectl wg status NODE shows them", len(rows)-room)
		rows = rows[:room]
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

// room is how many rows have a place above so many lines, at least 1; 0 for no limit.
func (c *Cluster) room(o TableOptions, below int) int {
	switch {
	case o.Height > 0:
		return max(o.Height-below-3, 1) // for the heading, what is omitted and the line below
	case !o.All && c.count().peers > fewPeers:
		return fewPeers
	}
	return 0
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
