package report

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// classOf is one class of endpoints over all pairs that were tested: a row of the
// matrix.
type classOf struct {
	Class    evidence.Class     `json:"class"`
	Title    string             `json:"title"`
	Promised bool               `json:"promised"`
	Cell     check.Cell         `json:"cell"`   // the gravest of all pairs
	Counts   map[check.Cell]int `json:"counts"` // pairs by their cell
	Why      string             `json:"why,omitempty"`
}

// scopeFlag is what verify has to be asked for again, in a run that was asked for more
// than pods; empty otherwise. Only scopes that are known are in it, whatever the
// recording says.
func scopeFlag(j *check.Judgement) string {
	flag := ""
	for _, one := range evidence.Classes {
		if slices.Contains(j.Graph.AskedClasses(), one.Class) && !strings.HasSuffix(flag, one.Scope) {
			flag += "," + one.Scope
		}
	}
	if flag == "" {
		return ""
	}
	return " --scope " + evidence.ScopePods + flag
}

// classPods is the row of the matrix that the proof itself makes.
const classPods evidence.Class = "pod-pod"

// matrix sums the cells of all pairs by class, that of pods first; nil if only pods
// were asked for. The reason of a row is that of the first pair with its cell.
func matrix(j *check.Judgement) (rows []classOf) {
	asked := j.Graph.AskedClasses()
	if len(asked) == 0 {
		return nil
	}
	rows = append(rows, podsRow(j))
	for _, class := range asked {
		rows = append(rows, classOf{Class: class, Title: check.ClassNames[class], Counts: map[check.Cell]int{}})
	}
	for e := range j.Graph.Edges() {
		for _, cell := range j.ClassesOf(e) {
			rows[1+slices.Index(asked, cell.Class)].add(&cell)
		}
	}
	for i := range rows {
		if rows[i].Cell == check.CellEncrypted {
			rows[i].Why = ""
		}
	}
	return rows
}

// add counts the cell of one pair.
func (r *classOf) add(cell *check.ClassCell) {
	r.Counts[cell.Cell]++
	r.Promised = cell.Promised
	if r.Cell == "" || gravity(cell.Cell) < gravity(r.Cell) {
		r.Cell, r.Why = cell.Cell, cell.Why
	}
}

// gravity is the place of a cell among all, the gravest first.
func gravity(cell check.Cell) int {
	for i, one := range check.Cells {
		if one == cell {
			return i
		}
	}
	return len(check.Cells)
}

// podsRow is what the proof says of the test pods: a pair that is not proven is
// a leak only where plaintext was seen.
func podsRow(j *check.Judgement) classOf {
	row := classOf{Class: classPods, Title: "pod → remote pod", Promised: true, Counts: map[check.Cell]int{}}
	proven := good(j.Totals.Statuses)
	leaked := 0
	for _, step := range j.Totals.Steps {
		if step.Step == verdict.P3NoPlaintext {
			leaked = step.Statuses[verdict.Fail]
		}
	}
	for cell, pairs := range map[check.Cell]int{
		check.CellEncrypted: proven, check.CellLeak: leaked, check.CellNotProven: j.Totals.Pairs - proven - leaked,
	} {
		if pairs > 0 {
			row.Counts[cell] = pairs
		}
	}
	for _, cell := range check.Cells {
		if row.Counts[cell] > 0 {
			row.Cell = cell
			break
		}
	}
	return row
}

// cellWords are the cells as the report writes them.
var cellWords = map[check.Cell]string{
	check.CellEncrypted: "encrypted", check.CellByDesign: "in clear by design", check.CellLeak: "LEAK",
	check.CellNotProven: "not proven", check.CellDropped: "dropped",
}

// cellStatuses choose the mark and style of a cell. What is in clear by design is
// neither good nor bad.
var cellStatuses = map[check.Cell]verdict.Status{
	check.CellEncrypted: verdict.Pass, check.CellByDesign: verdict.NotApplicable, check.CellLeak: verdict.Fail,
	check.CellNotProven: verdict.Inconclusive, check.CellDropped: verdict.Pass,
}

// classes writes the matrix: a line for each class, with the number of directions
// where they differ. The cause of a leak stands above; why something is in clear by
// design is said with details.
func (t *text) classes() {
	rows := matrix(t.Judgement)
	if rows == nil {
		return
	}
	t.part()
	for _, row := range rows {
		words := row.words()
		if row.Why != "" && (t.Details || row.Cell == check.CellNotProven && t.terse < packed) {
			words += ": " + row.Why
		}
		t.cell("  ", row.Title, row.Cell, words)
	}
}

// words are the cell of a row, with the number of directions where they differ.
func (r *classOf) words() string {
	if len(r.Counts) < 2 {
		return cellWords[r.Cell]
	}
	var parts []string
	for _, cell := range check.Cells {
		if n := r.Counts[cell]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", cellWords[cell], n))
		}
	}
	return strings.Join(parts, ", ")
}

func (t *text) cell(indent, title string, cell check.Cell, words string) {
	status := cellStatuses[cell]
	label := fmt.Sprintf("%s%s %-33s  ", indent, marks[status], title)
	t.para(statusStyles[status], label, utf8.RuneCountInString(label), words)
}

// pairClasses writes the cells of one pair.
func (t *text) pairClasses(p *verdict.Pair) {
	from, to := t.Graph.Node(p.Node), t.Graph.Node(p.Peer)
	if from == nil || to == nil {
		return
	}
	for _, cell := range t.ClassesOf(t.Graph.Edge(from, to, p.Family)) {
		t.cell("    ", check.ClassNames[cell.Class], cell.Cell, cellWords[cell.Cell]+": "+cell.Why)
	}
}
