package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// A statement names the recording by its digest and says what the verdict says.
func TestInToto(t *testing.T) {
	results := map[string]string{
		"pass": "WARNED", "pass-100": "PASSED", "leak": "FAILED", "inconclusive": "FAILED", "no-pair": "FAILED",
	}
	for name, text := range rendered(t, inToto) {
		validate(t, "testdata/in-toto.schema.json", name, text)
		var s statement
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&s); err != nil {
			t.Fatal(err)
		}
		if s.Subject[0].Digest["sha256"] != testRecording.SHA256 || s.Subject[0].Name != testRecording.Name {
			t.Errorf("%s: subject %+v", name, s.Subject)
		}
		if want := results[name]; want != "" && s.Predicate.Result != want {
			t.Errorf("%s: %s, want %s", name, s.Predicate.Result, want)
		}
		if s.Predicate.Result != "FAILED" && len(s.Predicate.FailedTests) > 0 {
			t.Errorf("%s: %s with failed tests %q", name, s.Predicate.Result, s.Predicate.FailedTests)
		}
		if s.Predicate.Configuration[0].Digest["gitCommit"] != testRevision ||
			s.Predicate.Configuration[1].Digest["sha256"] != strings.TrimPrefix(testDigest, "sha256:") {
			t.Errorf("%s: configuration %+v", name, s.Predicate.Configuration)
		}
	}
}

// Without a recording there is nothing to state.
func TestInTotoNeedsRecording(t *testing.T) {
	var b bytes.Buffer
	var missing *NoRecording
	err := Write(&b, inToto, judged(t, "host-vxlan"), Options{})
	if !errors.As(err, &missing) || b.Len() > 0 || missing.ExitCode() != 2 || !strings.Contains(missing.Hint(), "--record FILE") {
		t.Errorf("%v, %q", err, &b)
	}
}

// What was changed after a commit is not that commit.
func TestGitCommit(t *testing.T) {
	if gitCommit("abc-dirty") != nil || gitCommit("abc")["gitCommit"] != "abc" {
		t.Error("a revision became another digest")
	}
}
