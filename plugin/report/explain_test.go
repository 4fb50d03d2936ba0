package report

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
)

//go:generate sh -c "go run ../../hack/checks > ../../docs/checks.md"

func TestDocumentIsUpToDate(t *testing.T) {
	var want bytes.Buffer
	if err := Document(&want, check.Checks()); err != nil {
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

// Every code has an explanation and, unless it only adds to what others say, a remedy.
func TestEveryCodeIsExplainedAndMended(t *testing.T) {
	follows := map[string]string{
		"WG0607": "a wrong mac1 comes of a wrong key, which WG0301 to WG0303 fix",
		"WG0608": "what leaks is mended as WG0601",
		"WG0605": "what bypasses the tunnel is mended as WG0401 and WG0601",
		"WG0603": "what bypasses the tunnel is mended as WG0401 and WG0601",
	}
	for _, c := range check.Checks() {
		var b bytes.Buffer
		if err := Explain(&b, c); err != nil || !strings.Contains(strings.Join(strings.Fields(b.String()), " "), c.Why) {
			t.Errorf("%s: %v", c.Code, err)
		}
		if len(remedy.Of(c.Code)) == 0 && follows[c.Code] == "" {
			t.Errorf("%s has no remedy", c.Code)
		}
	}
}
