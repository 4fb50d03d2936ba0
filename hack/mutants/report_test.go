package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMarked(t *testing.T) {
	for _, test := range []struct {
		line string
		at   int
		want string
	}{
		{"\tif a && b {", 6, "if a «&&» b {"},
		{"\tn++", 2, "n«++»"},
		{"\t\tbreak", 2, "«break»"},
		{"x := -y", 5, "x := «-»y"},
		{"x |= y", 2, "x «|=» y"},
	} {
		if got := marked(test.line, test.at); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// A survivor is found again by the text that it is printed with.
func TestReasons(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mutants.md")
	text := "# Title\n\n- `a.go` INVERT_LOGICAL `if a «||» b {`\n  Both are\n  equal.\n\n  Not a reason.\n- `b.go` X `c`\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	known, err := readReasons(path)
	if err != nil {
		t.Fatal(err)
	}
	want := survivor{file: "a.go", kind: "INVERT_LOGICAL", line: "if a «||» b {"}
	if len(known) != 1 || known[want] != "Both are equal." {
		t.Errorf("%q", known)
	}
	if shown := "- " + want.String(); item.FindStringSubmatch(shown) == nil {
		t.Errorf("%q is not read again", shown)
	}
}

func TestShare(t *testing.T) {
	one := newCount("p", []mutant{{Status: killed}, {Status: killed}, {Status: killed}, {Status: lived},
		{Status: timedOut}, {Status: notViable}, {Status: notCovered}})
	if one.all != 7 || one.share() != 75 {
		t.Errorf("%+v has a share of %g", one, one.share())
	}
	none := newCount("p", nil)
	if none.share() != 0 {
		t.Errorf("no mutant has a share of %g", none.share())
	}
}
