package remedy

import (
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// Facts come from nodes. Only what a shell takes for one plain word may stand in
// a command, and nothing that a command could take for an option.
func TestSafeFacts(t *testing.T) {
	for fact, want := range map[string]bool{
		"node-1": true, "eth0.7": true, "flannel-wg_v6": true, "51820": true, "10.42.0.0/16": true, "fd42::/64": true,
		"A": true, "z": true, "Z": true, "a": true, "0": true, "9": true,
		"": false, "-rf": false, "--help": false, "-": false,
		"a b": false, "a;b": false, "$(a)": false, "`a`": false,
		"a|b": false, "a&b": false, "a>b": false, "a\nb": false, "'a'": false, `"a"`: false, "a*": false, "~": false,
		"{node}": false, "a\\b": false, "a\x1b[0m": false, "a=b": false, "ä": false,
	} {
		if got := safe(fact); got != want {
			t.Errorf("%q: %v, want %v", fact, got, want)
		}
	}
	// The longest name that Kubernetes gives a node has 253 characters.
	if longest := strings.Repeat("n", 253); !safe(longest) || safe(longest+"n") {
		t.Error("a name of 253 characters is safe, one of 254 is not")
	}
}

// Facts are filled in wherever they are named: in the node, the command and the
// notes. A fact is not read again for names of others.
func TestFactsAreFilledIn(t *testing.T) {
	h := Hint{Title: "T {a}", Disruption: "D {a}", Note: "N {b}",
		Steps: []Step{{On: "{a}", Command: "c {a} {b}", Note: "n {b}"}, {On: Operator, Command: "x"}}}
	got, ok := fill(h, map[string]string{"a": "1", "b": "2", "c": "3"})
	want := Hint{Title: "T 1", Disruption: "D 1", Note: "N 2",
		Steps: []Step{{On: "1", Command: "c 1 2", Note: "n 2"}, {On: Operator, Command: "x"}}}
	if !ok || got.Title != want.Title || got.Disruption != want.Disruption || got.Note != want.Note ||
		len(got.Steps) != 2 || got.Steps[0] != want.Steps[0] || got.Steps[1] != want.Steps[1] {
		t.Errorf("%v %+v, want %+v", ok, got, want)
	}
	for name, facts := range map[string]map[string]string{
		"a fact is missing":        {"a": "1"},
		"a fact is not safe":       {"a": "1", "b": "$(reboot)"},
		"a fact is another's name": {"a": "1", "b": "{a}"},
	} {
		if got, ok := fill(h, facts); ok {
			t.Errorf("%s: %+v", name, got)
		}
	}
	// Each of the texts may be the one that lacks a fact.
	for name, h := range map[string]Hint{
		"title": {Title: "{x}"}, "disruption": {Disruption: "{x}"}, "note": {Note: "{x}"},
		"on":      {Steps: []Step{{On: "{x}"}, {On: "a"}}},
		"command": {Steps: []Step{{Command: "{x}"}, {}}}, "note of a step": {Steps: []Step{{Note: "{x}"}, {}}},
	} {
		if _, ok := fill(h, nil); ok {
			t.Errorf("%s: is complete without its fact", name)
		}
	}
}

// What a node says of its system chooses a text and never stands in one, so it
// need not be safe.
func TestSystemIsLookedUp(t *testing.T) {
	hint, ok := For(verdict.Finding{Code: "WG0201", Variant: "missing", Facts: map[string]string{
		"node": "n1", "device": "flannel-wg", "system": "Ubuntu 24.04 $(reboot)"}}, "")
	if !ok {
		t.Fatal("no remedy")
	}
	if note := hint.Steps[0].Note; !strings.Contains(note, "linux-modules-extra") || strings.Contains(note, "reboot") {
		t.Errorf("%q", note)
	}
}

// Every remedy has a title, and each of its steps a place where it is to be run.
func TestTable(t *testing.T) {
	for _, r := range table {
		if r.code == "" || r.hint.Title == "" {
			t.Errorf("%+v", r)
		}
		for _, step := range r.hint.Steps {
			if step.On == "" || step.Command == "" {
				t.Errorf("%s %s: %+v", r.code, r.variant, step)
			}
		}
	}
}
