package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const source = "../../plugin/remedy"

func TestPageIsUpToDate(t *testing.T) {
	var want bytes.Buffer
	if err := page(&want, source); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join("..", "..", "docs", "remedies.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("docs/remedies.md is not what the table says: make generate")
	}
}

// Above each row stands what else its commands change, or why it has none.
func TestEveryRowIsReviewed(t *testing.T) {
	all, err := rows(source)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		switch {
		case r.file == "":
			t.Errorf("%s %s %s: its row was not found in the source", r.code, r.entry.Variant, r.entry.Distribution)
		case r.review != "":
		default:
			t.Errorf("%s: %s %s %s has no comment: what else does it change, or why has it no command?",
				r.file, r.code, r.entry.Variant, r.entry.Distribution)
		}
	}
}

func TestCommentsOfRows(t *testing.T) {
	folder := t.TempDir()
	const text = `package remedy

// rows are some.
var rows = []row{
	// Changes nothing.
	{"WG0101", "mixed", K3s, Hint{Title: "a"}},
	{"WG0101", "mixed", "", Hint{Title: "b"}},
	// Changes the first of two,
	// on one node.
	{"WG0101", "mixed", K3s, Hint{
		Title: "c",
	}},
	// Restarts it.
	{"WG0102", "", f.system, Hint{Title: "d"}},
	{"WG0104", "", "", narrow}, // Nothing.
	{"WG0105", "", "", Hint{ // Nothing: it is not known.
		Title: "e",
	}},
	{"WG0106", "", "", narrow},
}

// modules are something else.
var modules = []struct{ a, b string }{
	// Not a row.
	{"x", "y"},
}
`
	if err := os.WriteFile(filepath.Join(folder, "rows.go"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := read(folder)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range []key{
		{"WG0101", "mixed", "k3s"}, {"WG0101", "mixed", "k3s"}, {"WG0101", "mixed", ""},
		{"WG0102", "", "k3s"}, {"WG0102", "", "flannel"},
		{"WG0103", "", ""}, {"WG0104", "", ""}, {"WG0105", "", ""}, {"WG0106", "", ""},
	} {
		one := found.take(k)
		got = append(got, one.file+": "+one.text)
	}
	want := []string{
		"rows.go: Changes nothing.",
		"rows.go: Changes the first of two, on one node.", "rows.go: ", "rows.go: Restarts it.",
		"rows.go: Restarts it.", ": ", "rows.go: Nothing.", "rows.go: Nothing: it is not known.", "rows.go: ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if _, err := read(filepath.Join(folder, "none")); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("a folder that is not there: %v", err)
	}
}
