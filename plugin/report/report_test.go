package report

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
)

// judged returns the judgement of a recording of package check.
func judged(t *testing.T, name string) *check.Judgement {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "check", "testdata", "v1", name+".ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	said, err := recording.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return check.Judge(said)
}

// What a hostile node writes reaches no terminal as it is.
func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"plain → text":       "plain → text",
		"\x1b[31mred\x1b[0m": `\u001b[31mred\u001b[0m`,
		"two\nlines\r":       `two\u000alines\u000d`,
		"bell\a\x00\x7f":     `bell\u0007\u0000\u007f`,
		"\u202eright":        `\u202eright`,
		"broken \xff\xfe":    `broken \xff\xfe`,
		"replaced \ufffd":    "replaced \ufffd",
		"tag \U000e0041":     `tag \udb40\udc41`,
		"C1 \u009b31m":       `C1 \u009b31m`,
	} {
		if got := clean(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := Printable("two\n\tlines\x1b"); got != "two\n\tlines\\u001b" {
		t.Errorf("%q", got)
	}
}

func TestUnknownFormat(t *testing.T) {
	if err := Write(&bytes.Buffer{}, "word", nil, Options{}); err == nil || !strings.Contains(err.Error(), "text, short, json, yaml") {
		t.Errorf("%v", err)
	}
}
