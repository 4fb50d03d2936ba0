package verdict

import (
	"cmp"
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
const tile = 16

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

	// What decided the last pair, which mostly decides the next one too, what
	// came of it, and how many pairs it was so far.
	last  decisive
	count int
	proof proofs
	told  bool // something is to be told of it

	fetched uint32 // for fetch to have a result, or the compiler leaves it out
}

// decisive is what a pair's proof is made of.
type decisive struct {
	word     word
	from, to proofs // what the nodes share
}

// tiles judges the pairs of some nodes among themselves and, in both
// directions, with all nodes behind them.
func (w *worker) tiles(first, end int) {
	nodes := len(w.j.c.Nodes)
	for column := first; column < nodes; column += tile {
		if w.j.c.Asked.All() {
			for _, n := range w.j.c.Nodes[column:min(column+tile, nodes)] {
				w.fetched += n.fetch(first, end)
			}
		}
		for one := first; one < end; one++ {
			for other := max(column, one+1); other < min(column+tile, nodes); other++ {
				w.both(one, other)
			}
		}
	}
}

// fetch reads what a node holds of some others in the order of memory, which the
// processor foresees: pair by pair, one node's evidence is far from the next's.
func (n *Node) fetch(first, end int) (sum uint32) {
	for _, row := range n.toward {
		if row == nil {
			continue
		}
		for i := range row[first:end] {
			if at := row[first+i].far; at >= 0 {
				sum += n.far[at].trail + n.wire[at].tx.shape
			}
		}
	}
	return sum
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
	shared := w.j.pairs.shared[i]
	if is := (decisive{w.j.wordOf(&w.focus), shared[from], shared[to]}); is != w.last || w.count == 0 {
		w.flush()
		w.last, w.proof = is, w.j.join(w.j.stepsOf(is.word), is.from, is.to)
		w.told = w.proof.worst() > Warn || slices.ContainsFunc(w.j.ofPairs, func(k *judged) bool { return is.word.status(k.bit) >= Warn })
	}
	w.count++
	if w.told {
		w.rows[from] = append(w.rows[from], deviation{int32(to), int32(w.focus.Family), w.last.word})
	}
}

// flush counts the pairs that were decided alike.
func (w *worker) flush() {
	if w.count > 0 {
		w.words[w.last.word] += w.count
		w.steps[w.proof] += w.count
	}
	w.count = 0
}

// wordOf judges the pair in focus.
func (j *judging) wordOf(f *Focus) (found word) {
	lacks := j.lacks[f.Node.at] | j.lacks[f.Peer.at]
	for _, k := range j.ofPairs {
		status := k.Judge(f).Status
		if lacks&k.lacking != 0 && !k.stands(status) {
			status = Inconclusive
		}
		found |= word(status) << k.bit
	}
	return found
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
// family's nodes share. A step that no check passed for this pair is not proven,
// whatever passed for its nodes or the cluster.
func (j *judging) join(own, from, to proofs) proofs {
	joined := own
	for i := range Proofs {
		joined = joined.with(i, max(from.status(i), to.status(i)))
		if own.status(i) <= NotApplicable {
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
