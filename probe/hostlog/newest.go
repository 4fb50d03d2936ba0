//go:build linux

package hostlog

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// The bounds of what is answered at once: lines, and bytes of their texts.
const (
	maxLines = 20_000
	maxBytes = 4 << 20
)

// newest keeps the newest of the lines that are added to it. Its zero value is empty.
type newest struct {
	lines []evidence.HostLine
	bytes int
	left  uint64 // lines that were left out
}

// add adds a line. Older ones are left out only when there are twice as many as are
// kept in the end, since lines do not come in the order of time.
func (n *newest) add(line evidence.HostLine) {
	n.lines = append(n.lines, line)
	n.bytes += len(line.Text)
	if len(n.lines) > 2*maxLines || n.bytes > 2*maxBytes {
		n.cut()
	}
}

// cut sorts the lines and leaves out the oldest that are too many.
func (n *newest) cut() {
	slices.SortStableFunc(n.lines, func(a, b evidence.HostLine) int { return cmp.Compare(a.Time, b.Time) })
	first := 0
	for ; len(n.lines)-first > maxLines || n.bytes > maxBytes; first++ {
		n.bytes -= len(n.lines[first].Text)
	}
	n.lines = slices.Delete(n.lines, 0, first)
	n.left += uint64(first)
}

// take returns the lines in the order of time.
func (n *newest) take() []evidence.HostLine {
	n.cut()
	return n.lines
}

// plain is text without control characters, in valid UTF-8, cut to what a line has room for.
func plain(text string) string {
	const mark = " …"
	if len(text) > evidence.MaxHostText {
		text = text[:evidence.MaxHostText-len(mark)] + mark
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
}
