package preflight

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// wrapped breaks a text, made safe for a terminal, into lines of at most width
// columns, between words only. There is at least one line.
func wrapped(text string, width int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(clean(text)) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case utf8.RuneCountInString(*last)+1+utf8.RuneCountInString(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

// clean makes what comes from a cluster or a node safe on one line.
func clean(text string) string {
	return strings.ReplaceAll(printable(text), "\n", " ")
}

// printable makes it safe where it may have several lines.
func printable(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) || r == '\n' {
			b.WriteRune(r)
			continue
		}
		fmt.Fprintf(&b, `\u%04x`, r)
	}
	return b.String()
}
