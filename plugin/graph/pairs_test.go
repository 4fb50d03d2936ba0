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
