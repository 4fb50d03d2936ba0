package ledger

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// table is a ledger that is being changed.
type table struct {
	nodes  []string
	proven map[verdict.Subject]Run
}

func placeOf(name byte) int { return strings.IndexByte(names, name) }

// open returns what a ledger says of the nodes that there are.
func (l *Ledger) open(nodes []string) *table {
	t := &table{nodes: nodes, proven: map[verdict.Subject]Run{}}
	for family, senders := range l.Proven {
		number, _ := strconv.Atoi(family)
		for from, row := range senders {
			for i := range len(row) {
				on := verdict.Subject{Node: from, Peer: l.Nodes[i], Family: number}
				if row[i] != never && t.has(on.Node) && t.has(on.Peer) {
					t.proven[on] = l.Runs[placeOf(row[i])]
				}
			}
		}
	}
	return t
}

func (t *table) has(node string) bool {
	_, found := slices.BinarySearch(t.nodes, node)
	return found
}

// close writes the table into a ledger. Of more runs than have names the oldest are
// forgotten, with what they proved.
func (t *table) close(l *Ledger) {
	runs := map[string]Run{}
	for _, run := range t.proven {
		runs[run.ID] = run
	}
	kept := []Run{}
	for _, run := range runs {
		kept = append(kept, run)
	}
	slices.SortFunc(kept, func(a, b Run) int { return cmp.Or(b.Ended.Compare(a.Ended), cmp.Compare(a.ID, b.ID)) })
	kept = kept[:min(len(kept), maxRuns)]
	place := map[string]int{}
	for i, run := range kept {
		place[run.ID] = i
	}
	*l = Ledger{Version: Version, Nodes: t.nodes, Runs: kept, Proven: map[string]map[string]string{}}
	rows := map[string]map[string][]byte{}
	for on, run := range t.proven {
		at, named := place[run.ID]
		if !named {
			continue
		}
		family := strconv.Itoa(on.Family)
		if rows[family] == nil {
			rows[family] = map[string][]byte{}
		}
		if rows[family][on.Node] == nil {
			rows[family][on.Node] = []byte(strings.Repeat(string(never), len(t.nodes)))
		}
		to, _ := slices.BinarySearch(t.nodes, on.Peer)
		rows[family][on.Node][to] = names[at]
	}
	for family, senders := range rows {
		l.Proven[family] = map[string]string{}
		for from, row := range senders {
			l.Proven[family][from] = string(row)
		}
	}
}
