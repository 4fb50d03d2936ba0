package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
)

// run judges a run over a mesh that ended at an hour.
func run(nodes int, pairs string, hour int, change func(*mesh.Mesh)) *check.Judgement {
	m := mesh.New(nodes)
	m.About.ID = fmt.Sprint("run", hour)
	m.Ask(pairs)
	m.About.Started = time.Unix(0, 0).Add(time.Duration(hour) * time.Hour).UnixNano()
	m.About.Ended = m.About.Started + 1
	if change != nil {
		change(m)
	}
	return check.Judge(m)
}

func add(t *testing.T, l *Ledger, j *check.Judgement) {
	t.Helper()
	if err := l.Add(j); err != nil {
		t.Fatal(err)
	}
	again, err := Parse(l.Encode())
	if err != nil {
		t.Fatalf("%v\n%s", err, l.Encode())
	}
	if string(again.Encode()) != string(l.Encode()) {
		t.Errorf("%s read again is %s", l.Encode(), again.Encode())
	}
}

// Three parts of three prove all; which comes next is known from the ledger.
func TestPartsMakeAWhole(t *testing.T) {
	l := &Ledger{}
	for hour, want := range []string{"1/3", "2/3", "3/3"} {
		if hour > 0 {
			if next := l.Next(3).String(); next != want {
				t.Fatalf("next is %s, want %s", next, want)
			}
		}
		add(t, l, run(7, want, hour+1, nil))
	}
	if s := l.State(); s.Proven != 42 || s.Directions != 42 || !s.Oldest.Equal(time.Unix(3600, 1).UTC()) {
		t.Errorf("%s", s)
	}
	if next := l.Next(3).String(); next != "1/3" {
		t.Errorf("then %s is next", next)
	}
	add(t, l, run(7, "1/3", 4, nil))
	if ids := len(l.Runs); ids != 3 || l.Next(3).String() != "2/3" {
		t.Errorf("%d runs, next %s", ids, l.Next(3))
	}
}

// What a later run could not prove is not proven any more.
func TestLostProof(t *testing.T) {
	l := &Ledger{}
	add(t, l, run(4, "all", 1, nil))
	add(t, l, run(4, "all", 2, func(m *mesh.Mesh) { m.Leak(1, 2) }))
	row := l.Proven["4"][mesh.Name(1)]
	if row[2] != never || row[1] != never {
		t.Errorf("node 1 sends to %s", row)
	}
	if s := l.State(); s.Proven >= s.Directions {
		t.Errorf("%s", s)
	}
}

// A new node is not proven; one that has gone is forgotten.
func TestNodesComeAndGo(t *testing.T) {
	l := &Ledger{}
	add(t, l, run(4, "all", 1, nil))
	add(t, l, run(5, "1/4", 2, nil))
	if s := l.State(); s.Directions != 20 || s.Proven != 12+2 { // two of the new node's directions are in its part
		t.Errorf("%s\n%s", s, l.Encode())
	}
	add(t, l, run(3, "ring", 3, nil))
	if s := l.State(); s.Directions != 6 || s.Proven != 6 || slices.Contains(l.Nodes, mesh.Name(3)) {
		t.Errorf("%s", s)
	}
}

// Of more runs than have names the oldest are forgotten, never mistaken.
func TestManyRuns(t *testing.T) {
	l := &Ledger{}
	const parts = 40
	for number := 1; number <= parts; number++ {
		add(t, l, run(parts+1, graph.Part{Number: number, Of: parts}.String(), number, nil))
	}
	if s := l.State(); len(l.Runs) != maxRuns || s.Proven != maxRuns*(parts+1) {
		t.Errorf("%d runs, %s", len(l.Runs), s)
	}
	if next := l.Next(parts).String(); next != "1/40" {
		t.Errorf("next %s", next)
	}
}

// A thousand nodes fit a ConfigMap once compressed; its text is bounded.
func TestSizeIsBounded(t *testing.T) {
	l := &Ledger{Version: Version, Runs: []Run{{ID: "a"}}, Proven: map[string]map[string]string{"4": {}, "6": {}}}
	for i := range maxNodes {
		l.Nodes = append(l.Nodes, fmt.Sprintf("node-%04d", i))
	}
	for _, name := range l.Nodes {
		l.Proven["4"][name], l.Proven["6"][name] = strings.Repeat("0", maxNodes), strings.Repeat("0", maxNodes)
	}
	text := l.Encode()
	if _, err := Parse(text); err != nil || len(text) > maxSize {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}

// What was changed by hand or is hostile is refused, and nothing of it is believed.
func TestRefused(t *testing.T) {
	for name, text := range map[string]string{
		"empty":         "",
		"no JSON":       "x",
		"version":       `{"version":"v9"}`,
		"unknown field": `{"version":"ledger.kubectl-wg.io/v1","more":1}`,
		"not in order":  `{"version":"ledger.kubectl-wg.io/v1","nodes":["b","a"]}`,
		"twice":         `{"version":"ledger.kubectl-wg.io/v1","nodes":["a","a"]}`,
		"unknown node":  `{"version":"ledger.kubectl-wg.io/v1","nodes":["a"],"proven":{"4":{"b":"."}}}`,
		"short row":     `{"version":"ledger.kubectl-wg.io/v1","nodes":["a","b"],"proven":{"4":{"a":"."}}}`,
		"unknown run":   `{"version":"ledger.kubectl-wg.io/v1","nodes":["a","b"],"proven":{"4":{"a":".0"}}}`,
		"no name":       `{"version":"ledger.kubectl-wg.io/v1","nodes":["a","b"],"proven":{"4":{"a":".!"}}}`,
		"family":        `{"version":"ledger.kubectl-wg.io/v1","nodes":["a","b"],"proven":{"5":{"a":".."}}}`,
		"too many":      `{"version":"ledger.kubectl-wg.io/v1","runs":[` + strings.Repeat(`{"id":"a"},`, 40) + `{}]}`,
	} {
		if l, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

// A run that broke off proves nothing, and its part is not tested again before the
// others.
func TestBrokenRun(t *testing.T) {
	l := &Ledger{}
	add(t, l, run(5, "1/2", 1, func(m *mesh.Mesh) { m.About.Ended = 0 }))
	if s := l.State(); s.Proven != 0 || s.Directions != 20 || l.Next(2).String() != "2/2" {
		t.Errorf("%s, next %s", s, l.Next(2))
	}
}
