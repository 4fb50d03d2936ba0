package graph

import (
	"fmt"
	"slices"
	"testing"
)

// Whatever is asked, each node sends to as many as asked and hears from as
// many, all hang together, and the same run always asks the same.
func TestNewPairs(t *testing.T) {
	for nodes := range 40 {
		for _, pairs := range []string{"all", "", "ring", "1", "2", "3", "7", "38", "39", "1000"} {
			a, err := NewPairs(pairs, "abc123", nodes)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]int{"all": nodes - 1, "": nodes - 1, "ring": 1}[pairs]
			if want == 0 {
				fmt.Sscan(pairs, &want)
			}
			want = max(0, min(want, nodes-1))
			if a.Each() != want || a.All() != (want == nodes-1) {
				t.Errorf("%s of %d nodes: each to %d, all %t", pairs, nodes, a.Each(), a.All())
			}
			received := make([]int, nodes)
			for from := range nodes {
				targets := a.Targets(from)
				if len(targets) != want || slices.Contains(targets, from) {
					t.Errorf("%s of %d nodes: %d sends to %v", pairs, nodes, from, targets)
				}
				for to := range nodes {
					if a.Has(from, to) != slices.Contains(targets, to) {
						t.Errorf("%s of %d nodes: %d to %d", pairs, nodes, from, to)
					}
				}
				for _, to := range targets {
					received[to]++
				}
			}
			for node, count := range received {
				if count != want {
					t.Errorf("%s of %d nodes: %d hears from %d", pairs, nodes, node, count)
				}
			}
			if nodes > 1 && reachable(&a) != nodes {
				t.Errorf("%s of %d nodes: falls apart", pairs, nodes)
			}
			if again, _ := NewPairs(pairs, "abc123", nodes); fmt.Sprint(again) != fmt.Sprint(a) {
				t.Errorf("%s of %d nodes: asked differently", pairs, nodes)
			}
		}
	}
	for _, pairs := range []string{"1", "3"} {
		one, _ := NewPairs(pairs, "abc123", 30)
		other, _ := NewPairs(pairs, "xyz789", 30)
		if fmt.Sprint(one) == fmt.Sprint(other) {
			t.Errorf("%s: every run asks the same", pairs)
		}
	}
	for _, pairs := range []string{"0", "-1", "some", "2.5", "ring "} {
		if _, err := NewPairs(pairs, "abc123", 5); err == nil {
			t.Errorf("%q is accepted", pairs)
		}
	}
}

func TestRingIsInOrder(t *testing.T) {
	a, _ := NewPairs("ring", "abc123", 4)
	for from, to := range []int{1, 2, 3, 0} {
		if !a.Has(from, to) {
			t.Errorf("%d does not send to %d", from, to)
		}
	}
}

// Where all pairs are tested the targets of a node are in order, the next first.
func TestTargetsOfAllAreInOrder(t *testing.T) {
	a, _ := NewPairs("all", "abc123", 5)
	if got := a.Targets(3); !slices.Equal(got, []int{4, 0, 1, 2}) {
		t.Errorf("3 sends to %v", got)
	}
}

func reachable(a *Pairs) int {
	seen, queue := map[int]bool{0: true}, []int{0}
	for ; len(queue) > 0; queue = queue[1:] {
		for _, to := range a.Targets(queue[0]) {
			if !seen[to] {
				seen[to] = true
				queue = append(queue, to)
			}
		}
	}
	return len(seen)
}

// The parts of a cluster have no pair in common and together all, whatever the
// run's id; within each, every node sends to and hears from as many.
func TestParts(t *testing.T) {
	for nodes := range 30 {
		for of := 1; of < 35; of++ {
			times := map[[2]int]int{}
			for number := 1; number <= of; number++ {
				part, err := NewPairs(Part{number, of}.String(), fmt.Sprint("id", number), nodes)
				if err != nil {
					t.Fatal(err)
				}
				received := make([]int, nodes)
				for from := range nodes {
					targets := part.Targets(from)
					if len(targets) != part.Each() {
						t.Errorf("%d/%d of %d: %d sends to %v", number, of, nodes, from, targets)
					}
					for _, to := range targets {
						times[[2]int{from, to}]++
						received[to]++
						if from == to || !part.Has(from, to) {
							t.Errorf("%d/%d of %d: %d to %d", number, of, nodes, from, to)
						}
					}
				}
				for node, count := range received {
					if count != part.Each() {
						t.Errorf("%d/%d of %d: %d hears from %d", number, of, nodes, node, count)
					}
				}
			}
			if len(times) != max(0, nodes*(nodes-1)) {
				t.Errorf("%d parts of %d nodes: %d pairs", of, nodes, len(times))
			}
			for pair, count := range times {
				if count != 1 {
					t.Errorf("%d parts of %d nodes: %v in %d", of, nodes, pair, count)
				}
			}
		}
	}
	for _, wrong := range []string{"/", "0/3", "4/3", "1/", "/3", "-1/3", "1/3/3", "a/b", "1/100000", " 1/3", "1/3 "} {
		if _, err := NewPairs(wrong, "", 5); err == nil {
			t.Errorf("%q is taken for a part", wrong)
		}
	}
}
