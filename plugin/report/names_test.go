package report

import (
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// subjects are read from "a>b" for IPv4, "a>b6", "a" for a node, "" for the cluster.
func subjects(text string) (all []verdict.Subject) {
	for _, one := range strings.Fields(text) {
		family := 4
		if strings.HasSuffix(one, "6") {
			family = 6
			one = strings.TrimSuffix(one, "6")
		}
		from, to, pair := strings.Cut(one, ">")
		if !pair {
			family = 0
		}
		all = append(all, verdict.Subject{Node: from, Peer: to, Family: family})
	}
	return all
}

// Several subjects are named by what they have in common.
func TestNames(t *testing.T) {
	four := names{families: []int{4}, nodes: 4, each: 6, pairs: 12}
	dual := names{families: []int{4, 6}, nodes: 2, each: 4, pairs: 4}
	for _, test := range []struct {
		names
		subjects string
		count    int // 0 for as many as are given
		want     string
	}{
		{four, "", 0, ""},
		{four, "a", 0, "a"},
		{four, "a b c", 0, "a, b, c"},
		{four, "a b c d", 0, "4 nodes"},
		{four, "a a", 0, "a"},
		{four, "a>b", 0, "a → b"},
		{four, "a>b b>a", 0, "a ⇄ b"},
		{four, "a>b c>d", 0, "a → b, c → d"},
		{four, "a>b b>a c>d", 0, "a ⇄ b, c → d"},
		{four, "a>b a>c", 0, "a: 2 of 6 directions"},
		{four, "a>b c>a b>a", 0, "a: 3 of 6 directions"},
		{four, "a>b a>c a>d", 0, "a: all that it sends"},
		{four, "b>a c>a d>a", 0, "a: all that it receives"},
		{four, "a>b b>a a>c c>a a>d d>a", 0, "a: all 6 directions"},
		{four, "a>b b>c c>d d>a", 0, "4 of 12 directions"},
		{four, "a>b b>a", 7, "7 of 12 directions"}, // the list is bounded
		{four, "a>b b>a a>c c>a a>d d>a b>c c>b b>d d>b c>d d>c", 0, "all nodes"},
		{dual, "a>b6", 0, "a → b over IPv6"},
		{dual, "a>b", 0, "a → b over IPv4"},
		{dual, "a>b a>b6", 0, "a → b"},
		{dual, "a>b6 b>a6", 0, "a ⇄ b over IPv6"},
		{dual, "a>b b>a a>b6 b>a6", 0, "a ⇄ b"},
	} {
		given := subjects(test.subjects)
		count := test.count
		if count == 0 {
			count = len(given)
		}
		if got := test.of(given, count); got != test.want {
			t.Errorf("%q, %d: %q, want %q", test.subjects, count, got, test.want)
		}
	}
}

// Over IPv6 alone is said, over IPv4 alone goes without saying.
func TestNamesOfOneFamily(t *testing.T) {
	six := names{families: []int{6}, nodes: 3, each: 4, pairs: 6}
	if got := six.of(subjects("a>b6"), 1); got != "a → b over IPv6" {
		t.Error(got)
	}
	if got := six.one(subjects("a>b6")[0]); got != "a → b (IPv6)" {
		t.Error(got)
	}
}
