package report

import (
	"strings"
	"unicode/utf8"
)

// Wrap breaks text into lines of at most width columns, the first of at most
// first, between words only: a name, an address or a path that is longer has a
// line of its own, so that it can be copied. There is at least one line.
func Wrap(text string, first, width int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(text) {
		last := &lines[len(lines)-1]
		room := width
		if len(lines) == 1 {
			room = first
		}
		switch {
		case *last == "":
			*last = word
		case utf8.RuneCountInString(*last)+1+utf8.RuneCountInString(word) <= room:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

// rows counts the lines that a terminal of that width makes of text.
func rows(text string, width int) (n int) {
	for line := range strings.Lines(text) {
		columns := utf8.RuneCountInString(strings.TrimSuffix(line, "\n"))
		n += max(1, (columns+width-1)/width)
	}
	return n
}
