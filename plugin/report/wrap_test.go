package report

import (
	"slices"
	"strings"
	"testing"
)

func TestWrap(t *testing.T) {
	for _, test := range []struct {
		text         string
		first, width int
		want         []string
	}{
		{"", 10, 10, []string{""}},
		{"one", 10, 10, []string{"one"}},
		{"one two", 7, 7, []string{"one two"}},
		{"one two", 6, 7, []string{"one", "two"}},
		{"one two three", 3, 9, []string{"one", "two three"}},
		{"a name-that-is-longer-than-all b", 8, 8, []string{"a", "name-that-is-longer-than-all", "b"}},
		{"node-1 → node-2", 8, 8, []string{"node-1 →", "node-2"}}, // characters count, not bytes
		{"  two   blanks ", 20, 20, []string{"two blanks"}},
	} {
		if got := Wrap(test.text, test.first, test.width); !slices.Equal(got, test.want) {
			t.Errorf("%q in %d, %d columns: %q, want %q", test.text, test.first, test.width, got, test.want)
		}
	}
}

// Nothing is lost and nothing broken, whatever the width.
func TestWrapKeepsWords(t *testing.T) {
	const text = "ip -4 route flush root 10.42.1.0/24 dev eth0, then kubectl wg verify --nodes node-1,node-2"
	for width := 1; width < 100; width++ {
		lines := Wrap(text, width, width)
		if strings.Join(lines, " ") != text {
			t.Fatalf("%d columns: %q", width, lines)
		}
		for _, line := range lines {
			if len(line) > width && strings.Contains(line, " ") {
				t.Errorf("%d columns: %q is longer", width, line)
			}
		}
	}
}

func TestRows(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "\n": 1, "one": 1, "one\n": 1, "one\n\ntwo\n": 3, "0123456789\n": 1, "0123456789a\n": 2, "→→→→→→→→→→\n": 1,
	} {
		if got := rows(text, 10); got != want {
			t.Errorf("%q: %d rows, want %d", text, got, want)
		}
	}
}
