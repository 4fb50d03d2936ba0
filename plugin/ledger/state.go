package ledger

import (
	"fmt"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
)

// State is how much of a cluster a ledger says is proven.
type State struct {
	Directions int       `json:"directions"` // between all nodes, each family by itself
	Proven     int       `json:"proven"`
	Oldest     time.Time `json:"oldest,omitzero"` // of what is proven
}

// State counts what is proven in the families of the ledger.
func (l *Ledger) State() State {
	s := State{Directions: len(l.Proven) * len(l.Nodes) * max(0, len(l.Nodes)-1)}
	for _, senders := range l.Proven {
		for _, row := range senders {
			for i := range len(row) {
				if row[i] == never {
					continue
				}
				s.Proven++
				if ended := l.Runs[placeOf(row[i])].Ended; s.Oldest.IsZero() || ended.Before(s.Oldest) {
					s.Oldest = ended
				}
			}
		}
	}
	return s
}

func (s State) String() string {
	text := fmt.Sprintf("%d of %d directions proven", s.Proven, s.Directions)
	if s.Proven > 0 {
		text += ", the longest ago at " + s.Oldest.Format(time.RFC3339)
	}
	return text
}

// Next returns the part of so many that is to be tested next: one that never was,
// else the one that was tested the longest ago, whatever came of it.
func (l *Ledger) Next(parts int) graph.Part {
	next := graph.Part{Number: 1, Of: parts}
	for number := 2; number <= parts; number++ {
		part := graph.Part{Number: number, Of: parts}
		if l.Parts[part.String()].Before(l.Parts[next.String()]) {
			next = part
		}
	}
	return next
}
