package wire

// Bounds of what is remembered of one session's counters, in words of 64: at
// best a window of four million messages in half a megabyte, and where all links
// together have used up their budget one of four thousand.
const (
	maxWords   = 1 << 16
	minWords   = 1 << 6
	wordBudget = 1 << 20 // of all links: 8 MiB
)

// counters is the set of message counters seen of one session on one link. It
// grows with what it is given up to a limit; from then on it slides, and a
// counter below it counts as seen. The zero value is empty.
type counters struct {
	first uint64 // number of the first word
	words []uint64
	slid  bool
}

// add adds n, growing to at most limit words, and reports whether it was in
// the set already.
func (c *counters) add(n uint64, limit int) (repeated bool) {
	word, bit := n/64, uint64(1)<<(n%64)
	most := uint64(max(limit, len(c.words)))
	switch {
	case len(c.words) == 0:
		c.first = word
		c.words = append(c.words, 0)
	case word < c.first:
		more := c.first - word
		if c.slid || more > most-uint64(len(c.words)) {
			return true
		}
		grown := make([]uint64, more+uint64(len(c.words)))
		copy(grown[more:], c.words)
		c.first = word
		c.words = grown
	case word-c.first >= most:
		c.slide(word, most)
	}
	if at := word - c.first; at >= uint64(len(c.words)) {
		c.words = append(c.words, make([]uint64, at+1-uint64(len(c.words)))...)
	}
	w := &c.words[word-c.first]
	repeated = *w&bit != 0
	*w |= bit
	return repeated
}

// has reports whether n is in the set, or below what it remembers.
func (c *counters) has(n uint64) bool {
	word := n / 64
	if word < c.first {
		return c.slid
	}
	return word-c.first < uint64(len(c.words)) && c.words[word-c.first]&(1<<(n%64)) != 0
}

// slide drops so much of the lower end that word is in the middle of most.
func (c *counters) slide(word, most uint64) {
	c.slid = true
	drop := word - c.first - most/2
	if drop >= uint64(len(c.words)) {
		c.first = word
		c.words = c.words[:0]
		return
	}
	c.words = c.words[:copy(c.words, c.words[drop:])]
	c.first += drop
}
