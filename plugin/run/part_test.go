package run

import (
	"errors"
	"strings"
	"testing"
)

// A part that has no direction, or too many for each node, is refused before
// anything is created.
func TestPartThatDoesNotFit(t *testing.T) {
	for name, test := range map[string]struct{ part, pairs, want, hint string }{
		"none":     {"4/4", "all", "part 4/4 of the directions between 4 nodes has none", "--part K/3"},
		"too many": {"1/2", "1", "each of 4 nodes sends to 2 others, --pairs allows 1", "at least 3 parts"},
	} {
		w := newWorld(t, "a", "b", "c", "d")
		out := w.verify(t.Context(), func(o *Options) { o.Part, o.Pairs = test.part, test.pairs })
		var bad *BadPart
		if !errors.As(out.err, &bad) || !strings.Contains(out.err.Error(), test.want) || !strings.Contains(bad.Hint(), test.hint) {
			t.Errorf("%s: %v", name, out.err)
		}
	}
	w := newWorld(t, "a", "b", "c", "d")
	out := w.verify(t.Context(), func(o *Options) { o.Part = "2/3" })
	if out.err != nil || out.judgement.Graph.Run.Pairs != "2/3" || out.judgement.Totals.Pairs != 4 {
		t.Errorf("%v", out.err)
	}
}
