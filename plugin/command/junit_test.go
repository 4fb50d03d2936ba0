package command

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// --junit-file writes in addition to the report, whatever its format, and changes neither
// it nor the exit code.
func TestJUnitFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "junit.xml")
	recording := recordings + "host-vxlan.ndjson"
	_, plain, _ := main(t, "replay", recording, "-o", "short")
	code, stdout, stderr := main(t, "replay", recording, "-o", "short", "--junit-file", file)
	if code != exitNotVerified || stdout != plain || stderr != "" {
		t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	_, want, _ := main(t, "replay", recording, "-o", "junit")
	got, err := os.ReadFile(file)
	if err != nil || string(got) != want || !strings.Contains(want, `type="plaintext"`) {
		t.Errorf("%v: %s", err, got)
	}
}

// A file that cannot be written is found before anything is done; a run without a
// verdict is a test with an error.
func TestJUnitFileWithoutReport(t *testing.T) {
	recording := recordings + "host-vxlan.ndjson"
	for _, file := range []string{"-", "/no/such/junit.xml", ""} {
		code, stdout, stderr := main(t, "replay", recording, "--junit-file", file)
		if code != exitUsage && file != "" || stdout != "" && file != "" || file != "" && !strings.Contains(stderr, "--junit-file") {
			t.Errorf("%q: exit %d, stdout %q, stderr %q", file, code, stdout, stderr)
		}
	}
	file := filepath.Join(t.TempDir(), "junit.xml")
	code, _, _ := main(t, "verify", "--server", "http://127.0.0.1:1", "--request-timeout", "2s", "--junit-file", file)
	text, err := os.ReadFile(file)
	if code != exitCouldNotRun || err != nil || !strings.Contains(string(text), `errors="1"`) {
		t.Errorf("exit %d, %v: %s", code, err, text)
	}
}

// A statement is about the file as it is, by its digest; without one there is none,
// which is found before a run.
func TestInTotoOfRecording(t *testing.T) {
	recording := recordings + "host-vxlan.ndjson"
	code, stdout, stderr := main(t, "replay", recording, "-o", "in-toto")
	text, err := os.ReadFile(recording)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	var statement struct {
		Subject []struct {
			Name   string
			Digest map[string]string
		}
	}
	if err := json.Unmarshal([]byte(stdout), &statement); err != nil || code != exitNotVerified {
		t.Fatalf("exit %d, %v, %s", code, err, stderr)
	}
	if s := statement.Subject[0]; s.Name != "host-vxlan.ndjson" || s.Digest["sha256"] != hex.EncodeToString(sum[:]) {
		t.Errorf("%+v", s)
	}
	code, stdout, stderr = main(t, "verify", "-o", "in-toto")
	if code != exitUsage || stdout != "" || !strings.Contains(stderr, "hint: kubectl wg verify --record FILE -o in-toto") {
		t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}
