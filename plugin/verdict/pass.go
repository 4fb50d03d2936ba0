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

// tile is how many nodes' rows are judged against how many others' at a time:
// what both said of each other then stays in the processor's cache.
const tile = 32

// judgePairs judges every pair for the status only, on all processors.
func (j *judging) judgePairs() {
	nodes := len(j.c.Nodes)
	j.pairs = &pairStatuses{words: map[word]int{}, steps: map[proofs]int{}, rows: make([][]deviation, nodes)}
	j.share()
	var next atomic.Int64
	var working sync.WaitGroup
	var merging sync.Mutex
	for range runtime.GOMAXPROCS(0) {
		working.Go(func() {
			w := &worker{j: j, focus: Focus{Case: j.c, Quiet: true}, words: map[word]int{}, steps: map[proofs]int{}}
			for first := int(next.Add(tile)) - tile; first < nodes; first = int(next.Add(tile)) - tile {
				w.rows(first, min(first+tile, nodes))
			}
			w.flush()
			merging.Lock()
			defer merging.Unlock()
			for word, count := range w.words {
				j.pairs.words[word] += count
			}
			for steps, count := range w.steps {
				j.pairs.steps[steps] += count
			}
		})
	}
	working.Wait()
	for i := range j.checks {
		if k := &j.checks[i]; k.Scope == PerPair {
			for word := range j.pairs.words {
				k.note(word.status(k.bit))
			}
		}
	}
}

// share joins, per node, the findings that are part of every pair's proof.
func (j *judging) share() {
	j.pairs.shared = make([][]proofs, len(j.c.Run.Families))
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

// worker judges some of the rows.
type worker struct {
	j     *judging
	focus Focus
	words map[word]int
	steps map[proofs]int

	// The last word and steps, which the next pair mostly has too.
	last       word
	own        proofs // of last alone
	lastSteps  proofs
	sameWords  int
	sameStatus int
}

func (w *worker) rows(first, end int) {
	c := w.j.c
	for column := 0; column < len(c.Nodes); column += tile {
		for from := first; from < end; from++ {
			for to := column; to < min(column+tile, len(c.Nodes)); to++ {
				if c.Asked.Has(from, to) {
					w.pair(from, to)
				}
			}
		}
	}
}

func (w *worker) pair(from, to int) {
	c := w.j.c
	for i, family := range c.Run.Families {
		w.focus.onPair(c.Nodes[from], c.Nodes[to], family)
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
			w.j.pairs.rows[from] = append(w.j.pairs.rows[from], deviation{int32(to), int32(family), found})
		}
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
	for i := range j.checks {
		k := &j.checks[i]
		if k.Scope != PerPair {
			continue
		}
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
	for i := range j.checks {
		k := &j.checks[i]
		if step := stepOf(k.Proof); step >= 0 && k.Scope == PerPair {
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
	found, ok := slices.BinarySearchFunc(p.rows[at.from], deviation{to: int32(at.to), family: int32(at.family)}, func(a, b deviation) int {
		return cmp.Or(cmp.Compare(a.to, b.to), cmp.Compare(a.family, b.family))
	})
	if !ok {
		return 0
	}
	return p.rows[at.from][found].word
}
