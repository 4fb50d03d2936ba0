package verdict

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// word holds the statuses of all checks of one pair, wordBits each.
// It has room for 21 checks of pairs.
type word uint64

const wordBits = 3

func (w word) status(bit int) Status { return Status(w >> bit & (1<<wordBits - 1)) }

// deviation is the word of a pair for which not all is fine.
type deviation struct {
	to, family int32
	word       word
}

// pairStatuses are what the checks said of all pairs. Words are kept of those
// alone for which something is not fine; the others are counted.
type pairStatuses struct {
	words  map[word]int   // how many pairs have each
	steps  map[proofs]int // how many pairs have each
	rows   [][]deviation  // by place of the sender, sorted
	shared [][]proofs     // by family and node, what its own and the cluster's findings make of the steps
}

// proofs holds the statuses of the steps of a proof, wordBits each.
type proofs uint32

func (s proofs) status(step int) Status {
	return Status(s >> (step * wordBits) & (1<<wordBits - 1))
}

// with makes a step as grave as a status, if it is not graver.
func (s proofs) with(step int, status Status) proofs {
	if s.status(step) >= status {
		return s
	}
	at := step * wordBits
	return s&^((1<<wordBits-1)<<at) | proofs(status)<<at
}

// tile is how many nodes are judged with how many others at a time, in both
// directions: what they say of each other then stays in the processor's cache.
const tile = 32

// judgePairs judges every pair for the status only, on all processors.
func (j *judging) judgePairs() {
	nodes := len(j.c.Nodes)
	j.share()
	crew := make([]*worker, runtime.GOMAXPROCS(0))
	var next atomic.Int64
	var working sync.WaitGroup
	for i := range crew {
		w := &worker{j: j, focus: Focus{Case: j.c, Quiet: true}, words: map[word]int{}, steps: map[proofs]int{}, rows: make([][]deviation, nodes)}
		crew[i] = w
		working.Go(func() {
			for first := int(next.Add(tile)) - tile; first < nodes; first = int(next.Add(tile)) - tile {
				w.tiles(first, min(first+tile, nodes))
			}
			w.flush()
		})
	}
	working.Wait()
	for _, w := range crew {
		for word, count := range w.words {
			j.pairs.words[word] += count
		}
		for steps, count := range w.steps {
			j.pairs.steps[steps] += count
		}
	}
	workers(nodes, func(i int) { j.pairs.rows[i] = joinRow(crew, i) })
	for _, k := range j.ofPairs {
		for word := range j.pairs.words {
			k.note(word.status(k.bit))
		}
	}
}

// joinRow returns what all workers found of a sender, sorted.
func joinRow(crew []*worker, from int) (row []deviation) {
	for _, w := range crew {
		row = append(row, w.rows[from]...)
		w.rows[from] = nil
	}
	slices.SortFunc(row, compareDeviations)
	return row
}

func compareDeviations(a, b deviation) int {
	return cmp.Or(cmp.Compare(a.to, b.to), cmp.Compare(a.family, b.family))
}

// share joins, per node, the findings that are part of every pair's proof.
func (j *judging) share() {
	j.pairs = &pairStatuses{
		words: map[word]int{}, steps: map[proofs]int{},
		rows: make([][]deviation, len(j.c.Nodes)), shared: make([][]proofs, len(j.c.Run.Families)),
	}
	for i := range j.pairs.shared {
		j.pairs.shared[i] = make([]proofs, len(j.c.Nodes))
	}
	for i := range j.checks {
		k := &j.checks[i]
		step := stepOf(k.Proof)
		if step < 0 || k.Scope == PerPair {
			continue
		}
		for i, family := range j.c.Run.Families {
			for n, steps := range j.pairs.shared[i] {
				of := k.findings[0]
				if k.Scope != PerCluster {
					of = j.of(k, n, family)[0]
				}
				j.pairs.shared[i][n] = steps.with(step, of.Status)
			}
		}
	}
}

// stepOf returns the place of a step among Proofs, -1 for none.
func stepOf(p Proof) int {
	for i := range Proofs {
		if Proofs[i].Step == p {
			return i
		}
	}
	return -1
}

// worker judges some of the pairs.
type worker struct {
	j     *judging
	focus Focus
	words map[word]int
	steps map[proofs]int
	rows  [][]deviation // by place of the sender

	// The last word and steps, which the next pair mostly has too.
	last       word
	own        proofs // of last alone
	lastSteps  proofs
	sameWords  int
	sameStatus int
}

// tiles judges the pairs of some nodes among themselves and, in both
// directions, with all nodes behind them.
func (w *worker) tiles(first, end int) {
	nodes := len(w.j.c.Nodes)
	for column := first; column < nodes; column += tile {
		for one := first; one < end; one++ {
			for other := max(column, one+1); other < min(column+tile, nodes); other++ {
				w.both(one, other)
			}
		}
	}
}

// both judges two nodes' pairs, if they are asked for.
func (w *worker) both(one, other int) {
	c := w.j.c
	there, back := c.Asked.Has(one, other), c.Asked.Has(other, one)
	if !there && !back {
		return
	}
	for i, family := range c.Run.Families {
		w.focus.onPair(c.Nodes[one], c.Nodes[other], family)
		if there {
			w.pair(one, other, i)
		}
		if back {
			w.focus.turn()
			w.pair(other, one, i)
		}
	}
}

// pair judges the pair in focus, whose family is the i-th of the run.
func (w *worker) pair(from, to, i int) {
	found, bad := w.j.wordOf(&w.focus)
	if found != w.last || w.sameWords == 0 {
		w.words[w.last] += w.sameWords
		w.last, w.own, w.sameWords = found, w.j.stepsOf(found), 0
	}
	w.sameWords++
	steps := w.j.join(w.own, w.j.pairs.shared[i], from, to)
	if steps != w.lastSteps || w.sameStatus == 0 {
		w.steps[w.lastSteps] += w.sameStatus
		w.lastSteps, w.sameStatus = steps, 0
	}
	w.sameStatus++
	if bad || steps.worst() > Warn {
		w.rows[from] = append(w.rows[from], deviation{int32(to), int32(w.focus.Family), found})
	}
}

func (w *worker) flush() {
	w.words[w.last] += w.sameWords
	w.steps[w.lastSteps] += w.sameStatus
	maps.DeleteFunc(w.words, func(_ word, count int) bool { return count == 0 })
	maps.DeleteFunc(w.steps, func(_ proofs, count int) bool { return count == 0 })
}

// wordOf judges the pair in focus; bad says that something is to be told of it.
func (j *judging) wordOf(f *Focus) (found word, bad bool) {
	lacks := j.lacks[f.Node.at] | j.lacks[f.Peer.at]
	for _, k := range j.ofPairs {
		status := k.Judge(f).Status
		if lacks&k.lacking != 0 && !k.stands(status) {
			status = Inconclusive
		}
		found |= word(status) << k.bit
		bad = bad || status >= Warn
	}
	return found, bad
}

// stepsOf returns what a pair's own checks make of the steps.
func (j *judging) stepsOf(found word) (own proofs) {
	for _, k := range j.ofPairs {
		if step := stepOf(k.Proof); step >= 0 {
			own = own.with(step, found.status(k.bit))
		}
	}
	return own
}

// join returns the steps of a pair's proof from its own checks and what its
// family's nodes share. A step that no check passed for this pair is not proven.
func (j *judging) join(own proofs, shared []proofs, from, to int) proofs {
	joined := own
	for i := range Proofs {
		joined = joined.with(i, max(shared[from].status(i), shared[to].status(i)))
		if joined.status(i) <= NotApplicable {
			joined = joined.with(i, Inconclusive)
		}
	}
	return joined
}

// worst is the status of the whole proof.
func (s proofs) worst() Status {
	worst := Pass
	for i := range Proofs {
		worst = Worse(worst, s.status(i))
	}
	return worst
}

// of returns the word of a pair, 0 if all is fine with it.
func (p *pairStatuses) of(at pair) word {
	found, ok := slices.BinarySearchFunc(p.rows[at.from], deviation{to: int32(at.to), family: int32(at.family)}, compareDeviations)
	if !ok {
		return 0
	}
	return p.rows[at.from][found].word
}
