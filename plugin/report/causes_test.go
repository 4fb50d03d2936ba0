package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// twoFaults is a run with a leak and a missing peer, which have nothing to do with
// each other.
func twoFaults() *check.Judgement {
	m := mesh.New(16)
	m.Leak(3, 7)
	m.MissingPeer(5, 11)
	return check.Judge(m)
}

// Each of two faults has a block with what was found, a fix, and how to verify it.
func TestTwoFaultsAreTold(t *testing.T) {
	got := fit(twoFaults(), Options{})
	for _, want := range []string{
		"Cause 1/2 WG0601", "Cause 2/2 WG0302", "node-0005 has no peer with the key of node-0011.",
		"$  kubectl wg verify --nodes node-0003,node-0007", "$  kubectl wg verify --nodes node-0005,node-0011",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

// Of many causes some have a block, some a line, and the others are counted.
func TestManyCauses(t *testing.T) {
	j := judged(t, "host-udp-blocked")
	first := j.Causes[0]
	for i := range 3 * maxBlocks {
		c := first
		c.Code = fmt.Sprintf("WG99%02d", i)
		j.Causes = append(j.Causes, c)
	}
	got := newText(j, Options{}, full).report()
	if n := strings.Count(got, "  Fix  "); n != maxBlocks {
		t.Errorf("%d blocks", n)
	}
	left := len(j.Causes) - 2*maxBlocks
	if !strings.Contains(got, fmt.Sprintf("… and %d more (--details)", left)) {
		t.Error(got)
	}
	if got := newText(j, Options{Details: true}, full).report(); strings.Count(got, "  Fix  ") != len(j.Causes) {
		t.Error("details do not have all")
	}
}

// A cause that nothing is known to fix is reported all the same.
func TestNoFixIsKnown(t *testing.T) {
	j := judged(t, "host-udp-blocked")
	j.Causes[0].Code = "WG9999"
	if got := newText(j, Options{}, full).report(); !strings.Contains(got, "Fix       none is known") {
		t.Error(got)
	}
}

// Evidence is shown as far as there is room: of one line the most telling.
func TestEvidence(t *testing.T) {
	reading := func(node, text string) verdict.Reading { return verdict.Reading{Node: node, What: "w", Text: text} }
	leak := &verdict.Finding{Text: "it leaks"}
	for _, test := range []struct {
		name    string
		cause   verdict.Cause
		terse   terseness
		options Options
		want    []string
		not     []string
	}{
		{"all that fit", cause1(reading("a", "1"), reading("b", "2")), full, Options{}, []string{"a: w: 1", "b: w: 2"}, nil},
		{"a bounded number", cause1(reading("a", "1"), reading("a", "2"), reading("a", "3"), reading("a", "4"), reading("a", "5")),
			full, Options{}, []string{"a: w: 4"}, []string{"a: w: 5"}},
		{"the first", cause1(reading("a", "1"), reading("b", "2")), least, Options{}, []string{"a: w: 1"}, []string{"b: w"}},
		{"a leak before both", verdict.Cause{Leak: leak, Finding: cause1(reading("a", "1"), reading("", "rule")).Finding},
			densest, Options{}, []string{"it leaks."}, []string{"w: "}},
		{"nothing", cause1(reading("a", "1")), densest, Options{}, nil, []string{"Seen"}},
		{"bytes if asked for", cause1(verdict.Reading{What: "header", Text: "00ff", Raw: true}), full, Options{Verbose: true},
			[]string{"header: 00ff"}, nil},
		{"bytes otherwise not", cause1(verdict.Reading{What: "header", Text: "00ff", Raw: true}), full, Options{}, nil,
			[]string{"00ff"}},
	} {
		text := newText(judged(t, "host-vxlan"), test.options, test.terse)
		text.evidence(&test.cause)
		for _, want := range test.want {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%s: %q is not in %q", test.name, want, text.String())
			}
		}
		for _, not := range test.not {
			if strings.Contains(text.String(), not) {
				t.Errorf("%s: %q is in %q", test.name, not, text.String())
			}
		}
	}
}

func cause1(readings ...verdict.Reading) verdict.Cause {
	return verdict.Cause{Finding: verdict.Finding{Readings: readings}, Count: 1}
}

// Consequences are counted, and listed with what explains them if asked for.
func TestConsequences(t *testing.T) {
	j := judged(t, "host-stale-flannel-route")
	if got := fit(j, Options{}); !strings.Contains(got, "12 more findings follow from this (-v)") ||
		strings.Contains(got, "caused by") {
		t.Error(got)
	}
	got := fit(j, Options{Verbose: true, Width: 120})
	for _, want := range []string{"[caused by WG0401 node-1 → node-2]", "header of the first frame:", "✓ WG0101 cluster:"} {
		if !strings.Contains(strings.Join(strings.Fields(got), " "), want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}
