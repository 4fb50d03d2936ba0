package report

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

//go:generate sh -c "go run ../../hack/checks > ../../docs/checks.md"

func TestDocumentIsUpToDate(t *testing.T) {
	var want bytes.Buffer
	if err := Document(&want, check.Documented()); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join("..", "..", "docs", "checks.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("docs/checks.md is not what the table says: make generate")
	}
}

// Every code has an explanation and a remedy.
func TestEveryCodeIsExplainedAndMended(t *testing.T) {
	for _, c := range check.Documented() {
		var b bytes.Buffer
		if err := Explain(&b, c); err != nil || !strings.Contains(strings.Join(strings.Fields(b.String()), " "), c.Why) {
			t.Errorf("%s: %v", c.Code, err)
		}
		if len(remedy.Of(c.Code)) == 0 {
			t.Errorf("%s has no remedy", c.Code)
		}
	}
}

// An explanation fits a terminal, but for commands, and shows no placeholder of the
// table.
func TestExplain(t *testing.T) {
	for _, c := range check.Documented() {
		var b bytes.Buffer
		if err := Explain(&b, c); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			line = strings.TrimSuffix(line, "\n")
			prompt := strings.Contains(line, " #  ") || strings.Contains(line, "$  ")
			if rows(line, defaultWidth) > 1 && !prompt && strings.HasPrefix(line, "  ") {
				t.Errorf("%s: %q", c.Code, line)
			}
		}
		means := "  Failed    "
		if c.Advice {
			means = "  Advice    information only"
		}
		for _, want := range []string{c.Code + "  " + c.Title + "\n", means, "  Reads     "} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: %q is not in\n%s", c.Code, want, b.String())
			}
		}
		if c.Proof != "" && !strings.Contains(b.String(), "  Proof     "+string(c.Proof)+", ") {
			t.Errorf("%s: its step is not named", c.Code)
		}
		if placeholder.MatchString(b.String()) {
			t.Errorf("%s: %s", c.Code, placeholder.FindString(b.String()))
		}
	}
}

// A check of which nothing is known but its title is explained all the same.
func TestExplainLittle(t *testing.T) {
	var b bytes.Buffer
	if err := Explain(&b, verdict.Check{Code: "WG9999", Title: "it is so", Why: "It matters.", Reads: "nothing"}); err != nil {
		t.Fatal(err)
	}
	want := "WG9999  it is so\n\nIt matters.\n\n  Failed    not true: it is so (misconfigured)\n  Reads     nothing.\n"
	if b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
	if got := stepOf("P9"); got != "P9" {
		t.Error(got)
	}
}
