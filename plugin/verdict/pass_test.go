package verdict

import (
	"slices"
	"testing"
)

// Which worker judges what is left to chance. What they found of one sender
// comes together in the order in which it is looked for.
func TestRowsOfSeveralWorkersAreSorted(t *testing.T) {
	crew := []*worker{
		{rows: [][]deviation{{}, {{9, 4, 1}, {9, 6, 2}, {30, 4, 3}}}},
		{rows: [][]deviation{{}, {{2, 4, 4}, {12, 6, 5}}}},
	}
	row := joinRow(crew, 1)
	if want := []deviation{{2, 4, 4}, {9, 4, 1}, {9, 6, 2}, {12, 6, 5}, {30, 4, 3}}; !slices.Equal(row, want) {
		t.Errorf("%v, want %v", row, want)
	}
	p := pairStatuses{rows: [][]deviation{{}, row}}
	for _, d := range row {
		if found := p.of(pair{1, int(d.to), int(d.family)}); found != d.word {
			t.Errorf("%v: found %d", d, found)
		}
	}
}
