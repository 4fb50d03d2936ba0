package golden

import (
	"os"
	"path/filepath"
	"testing"
)

// recorder is a test whose failure is noted.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }

// What differs fails, until the file is written again.
func TestCompare(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder", "file")
	written := func(updates bool, got string) (failed bool) {
		defer func(before bool) { *update = before }(*update)
		*update = updates
		r := recorder{TB: t}
		CompareFile(&r, path, []byte(got))
		return r.failed
	}
	if written(true, "one") || written(false, "one") || !written(false, "two") {
		t.Error("the same differs, or another is the same")
	}
	if written(true, "two") {
		t.Error("what was just written differs")
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "two" {
		t.Errorf("%q, %v", got, err)
	}
}
