package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Printable makes text from a cluster or a node safe for a terminal. Control
// characters, escape sequences, marks that are not seen or that change the
// order of what is seen (Unicode's class Cf), and broken UTF-8 become visible,
// as JSON escapes them, so a JSON document stays one. Line breaks and tabs stay.
func Printable(text string) string { return escape(text, lineBreak) }

func lineBreak(r rune) bool { return r == '\n' || r == '\t' }

// clean is Printable for text that belongs on one line.
func clean(text string) string {
	return escape(text, func(rune) bool { return false })
}

func escape(text string, keep func(rune) bool) string {
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case unicode.IsPrint(r) || keep(r):
			b.WriteRune(r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
	}
	return b.String()
}
