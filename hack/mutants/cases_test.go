package main

import (
	"os"
	"strings"
	"testing"
)

// Conditions of a switch that was reached are covered, whichever case was taken;
// those of another are not.
func TestAddCases(t *testing.T) {
	t.Chdir(t.TempDir())
	const source = `package p

func f(n int) int {
	switch {
	case n > 5 && n < 9:
		return 1
	case n > 2:
		return 2
	}
	return 0
}

func g(n int) {
	switch {
	case n > 1:
	}
}
`
	profile := strings.Join([]string{
		"mode: set", "m/p.go:3.19,4.9 1 1", "m/p.go:5.22,6.11 1 0", "m/p.go:13.15,14.9 1 0", "",
	}, "\n")
	for name, text := range map[string]string{"p.go": source, "profile": profile} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := addCases("profile", "m"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("profile")
	if err != nil {
		t.Fatal(err)
	}
	if want := profile + "m/p.go:5.2,5.21 1 1\nm/p.go:7.2,7.12 1 1\n"; string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
