package wire

import "testing"

// word is the counter at a place of a word of 64.
func word(n, bit uint64) uint64 { return n*64 + bit }

// wantFresh adds a counter that was not seen yet, and then again.
func wantFresh(t *testing.T, c *counters, n uint64, limit int) {
	t.Helper()
	if c.add(n, limit) {
		t.Errorf("%d counts as seen", n)
	}
	if !c.has(n) || !c.add(n, limit) {
		t.Errorf("%d was forgotten", n)
	}
}

func wantSeen(t *testing.T, c *counters, n uint64, limit int) {
	t.Helper()
	if !c.add(n, limit) {
		t.Errorf("%d counts as new", n)
	}
}

// The set grows upwards and downwards until it has its limit of words, and no
// further than it must.
func TestCountersGrow(t *testing.T) {
	const limit = 4
	var c counters
	for _, step := range []struct {
		at    uint64 // word
		words int    // of the set then
	}{{15, 1}, {16, 2}, {14, 3}, {13, 4}} {
		wantFresh(t, &c, word(step.at, 3), limit)
		if len(c.words) != step.words {
			t.Errorf("%d words with word %d, want %d", len(c.words), step.at, step.words)
		}
	}
	wantSeen(t, &c, word(12, 3), limit) // it would be a fifth word
	if len(c.words) != limit {
		t.Errorf("%d words, more than the limit", len(c.words))
	}
	for n := uint64(13); n <= 16; n++ {
		wantFresh(t, &c, word(n, 4), limit)
	}
	if c.has(word(12, 3)) || c.has(word(17, 3)) || c.has(word(14, 5)) {
		t.Error("has what was never added")
	}
	var down counters
	wantFresh(t, &down, word(15, 0), limit)
	wantFresh(t, &down, word(12, 63), limit) // three words at once
	if len(down.words) != 4 || down.has(word(13, 63)) || !down.has(word(15, 0)) {
		t.Errorf("%+v", down)
	}
}

// Beyond its limit the set slides, so that the newest counter is in its middle:
// what is left of it is kept, and below everything counts as seen.
func TestCountersSlide(t *testing.T) {
	const limit = 8
	var c counters
	for n := range uint64(limit) {
		wantFresh(t, &c, word(n+10, 1), limit)
	}
	wantFresh(t, &c, word(18, 1), limit) // of 10 to 17 four words stay
	if len(c.words) > limit {
		t.Errorf("%d words, more than the limit", len(c.words))
	}
	for n := uint64(14); n <= 18; n++ {
		wantSeen(t, &c, word(n, 1), limit)
		wantFresh(t, &c, word(n, 2), limit)
		if c.has(word(n, 3)) {
			t.Errorf("word %d has what was never added", n)
		}
	}
	if !c.has(word(13, 5)) || c.has(word(19, 5)) {
		t.Error("below what it remembers everything counts as seen, above nothing")
	}
	wantSeen(t, &c, word(13, 5), limit)
}

// After a leap over all that it remembers nothing below is new.
func TestCountersLeap(t *testing.T) {
	const limit = 8
	for _, leap := range []uint64{5, 6, 7, 8, 9, 100} { // words; four stay below the newest
		var c counters
		wantFresh(t, &c, word(10, 1), limit)
		wantFresh(t, &c, word(11, 1), limit)
		wantFresh(t, &c, word(11+leap, 1), limit)
		if len(c.words) > limit {
			t.Errorf("leap %d: %d words, more than the limit", leap, len(c.words))
		}
		if !c.slid {
			continue
		}
		wantSeen(t, &c, word(11+leap-5, 9), limit)
		wantFresh(t, &c, word(11+leap, 9), limit)
		wantFresh(t, &c, word(11+leap+1, 9), limit)
	}
}

// A set that was given more words once keeps them when its limit sinks.
func TestCountersWithLessRoom(t *testing.T) {
	var c counters
	for n := range uint64(8) {
		wantFresh(t, &c, word(n, 1), 8)
	}
	for n := range uint64(8) {
		wantSeen(t, &c, word(n, 1), 2)
		wantFresh(t, &c, word(n, 2), 2)
	}
	wantFresh(t, &c, word(8, 1), 2)
	if len(c.words) > 8 {
		t.Errorf("%d words", len(c.words))
	}
}

// A session that was seen on two links counts each message once, and knows the
// lowest and the highest counter whichever came first.
func TestSessionRange(t *testing.T) {
	var s session
	for _, step := range []struct {
		link    int
		counter uint64
		fresh   bool
	}{
		{1, 7, true}, {1, 5, true}, {1, 9, true}, {1, 5, false},
		{2, 5, false}, {2, 6, true}, {1, 6, false}, {2, 6, false}, {2, 7, false},
	} {
		if fresh, _ := s.add(step.link, step.counter, maxWords); fresh != step.fresh {
			t.Errorf("%d on link %d: new %v", step.counter, step.link, fresh)
		}
	}
	if s.index.Min != 5 || s.index.Max != 9 || s.index.Messages != 4 || s.index.Repeats != 2 {
		t.Errorf("%+v", s.index)
	}
}

// What a session's memory grows by is counted to the word, on each of its links.
func TestSessionMemory(t *testing.T) {
	var s session
	for _, step := range []struct {
		link    int
		counter uint64
		grown   int
	}{{1, word(5, 0), 1}, {1, word(5, 0), 0}, {1, word(8, 0), 3}, {2, word(8, 0), 1}, {2, word(6, 0), 2},
		{1, word(7, 0), 0}} {
		if _, grown := s.add(step.link, step.counter, maxWords); grown != step.grown {
			t.Errorf("counter %d on link %d: grown by %d, want %d", step.counter, step.link, grown, step.grown)
		}
	}
}
