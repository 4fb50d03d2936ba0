//go:build unix

package command

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Only what is not there, or a regular file that may be written to, is ever
// replaced.
func TestRecordable(t *testing.T) {
	folder := t.TempDir()
	path := func(name string) string { return filepath.Join(folder, name) }
	regular, fifo := path("regular"), path("fifo")
	if err := os.WriteFile(regular, []byte("of old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"link": regular, "dead": path("gone"), "device": "/dev/full"} {
		if err := os.Symlink(to, path(name)); err != nil {
			t.Fatal(err)
		}
	}
	for target, want := range map[string]string{
		"": "", path("new"): "", regular: "", path("link"): "",
		fifo: "is not a regular file", path("device"): "is not a regular file", path("dead"): "no such file", folder: "is not a regular file",
		path("no/such"): "does not exist", regular + "/below": "not a directory", "/proc/x": "--record: ", "-": "is not a file",
	} {
		err := writable("record", target)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", target, err)
		}
	}
	left, err := filepath.Glob(path(".kubectl-wg-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left %q, %v", left, err)
	}
	if text, err := os.ReadFile(regular); err != nil || string(text) != "of old" {
		t.Errorf("%q, %v", text, err)
	}
}

// A link stays a link, and its target is written.
func TestRecordThroughLink(t *testing.T) {
	folder := t.TempDir()
	target, link := filepath.Join(folder, "target"), filepath.Join(folder, "link")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	tr := newTrial(t)
	tr.flags.record = link
	tr.verify(t)
	about, err := os.Lstat(link)
	if err != nil || about.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", about, err)
	}
	if text, err := os.ReadFile(target); err != nil || len(text) == 0 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if !strings.Contains(tr.errs.String(), "evidence written to "+link) {
		t.Errorf("%s", &tr.errs)
	}
}

// Evidence that cannot be written does not cost the report.
func TestReportWithoutRecord(t *testing.T) {
	tr := newTrial(t)
	tr.flags.record = filepath.Join(t.TempDir(), "gone", "evidence")
	code := tr.verify(t)
	if code != exitInconclusive || !strings.Contains(tr.out.String(), "INCONCLUSIVE") {
		t.Errorf("exit %d\n%s", code, &tr.out)
	}
	if !strings.Contains(tr.errs.String(), "error: writing the evidence: ") {
		t.Errorf("%s", &tr.errs)
	}
}

// A compressed recording is judged as any other; what only begins like one is not.
func TestCompressedRecording(t *testing.T) {
	tr := newTrial(t)
	tr.flags.record = filepath.Join(t.TempDir(), "evidence.gz")
	want := tr.verify(t)
	text, err := os.ReadFile(tr.flags.record)
	if err != nil || !bytes.HasPrefix(text, []byte("\x1f\x8b")) {
		t.Fatalf("%.10q, %v", text, err)
	}
	if code, stdout, stderr := main(t, "replay", tr.flags.record); code != want || stdout == "" {
		t.Errorf("exit %d: %s", code, stderr)
	}
	var bomb bytes.Buffer
	packed := gzip.NewWriter(&bomb)
	for range 64 {
		packed.Write(make([]byte, 1<<20))
	}
	packed.Close()
	for name, content := range map[string][]byte{
		"cut": text[:len(text)/2], "header": []byte("\x1f\x8b"), "nonsense": []byte("\x1f\x8bnonsense"), "bomb": bomb.Bytes(),
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if code, stdout, stderr := main(t, "replay", path); code != exitCouldNotRun || stdout != "" {
			t.Errorf("%s: exit %d: %s", name, code, stderr)
		}
	}
}
