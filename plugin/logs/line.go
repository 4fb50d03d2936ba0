// Package logs finds the lines about WireGuard in the logs of a cluster's nodes, puts
// them in the order of time and explains those that are known. It reads no log
// itself. Lines come from nodes and pods and are not trusted: what is shown of
// them is to be redacted and made printable by who shows it.
package logs

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Line is one line of a log.
type Line struct {
	Time   time.Time // by the node's clock; zero if it has none
	Node   string
	Source string // whose log it is, e.g. "kube-flannel-ds-x2x4z"
	Text   string
	Known  *Message // nil if nothing is known of it
}

// maxText is how much of a line is kept, in bytes.
const maxText = 2 << 10

// Parse reads a line as the API server writes it with timestamps.
func Parse(node, source, raw string) Line {
	if stamp, text, found := strings.Cut(raw, " "); found {
		if when, err := time.Parse(time.RFC3339Nano, stamp); err == nil {
			return New(node, source, when, text)
		}
	}
	return New(node, source, time.Time{}, raw)
}

// New returns a line whose time is known, or zero.
func New(node, source string, when time.Time, text string) Line {
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + " …"
	}
	return Line{Time: when, Node: node, Source: source, Text: text, Known: find(text)}
}

// Sort puts lines in the order of time, those of one source in the order in which
// they are.
func Sort(lines []Line) {
	slices.SortStableFunc(lines, func(a, b Line) int { return a.Time.Compare(b.Time) })
}

// Finding is a known message, as often as it was seen on a node.
type Finding struct {
	*Message
	Node, Source string
	Times        int
	Last         Line
}

// Findings returns the known problems of lines, which are in the order of time:
// for each node the message, most recent first.
func Findings(lines []Line) (findings []Finding) {
	for _, line := range lines {
		if line.Known == nil || !line.Known.Problem {
			continue
		}
		same := func(f Finding) bool { return f.Message == line.Known && f.Node == line.Node }
		at := slices.IndexFunc(findings, same)
		if at < 0 {
			at = len(findings)
			findings = append(findings, Finding{Message: line.Known, Node: line.Node})
		}
		findings[at].Times++
		findings[at].Source = line.Source
		findings[at].Last = line
	}
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(b.Last.Time.Compare(a.Last.Time), strings.Compare(a.Node, b.Node))
	})
	return findings
}
