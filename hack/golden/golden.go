// Package golden holds what tests make against files, and writes the files again where
// a change is meant: go test ./plugin/report -update. It is for tests alone.
package golden

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files again")

// Compare holds what was made against a file of the test's folder testdata.
func Compare(t testing.TB, name string, got []byte) {
	t.Helper()
	CompareFile(t, filepath.Join("testdata", name), got)
}

// CompareFile holds what was made against a file.
func CompareFile(t testing.TB, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; if that is meant, run go test with -update, and read the change:\n%s", path, got)
	}
}
