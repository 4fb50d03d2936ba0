package rename

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"run kubectl wg verify again":               "run kubectl wg-verify verify again",
		`"kubectl wg"`:                              `"kubectl wg-verify"`,
		"kubectl_complete-wg":                       "kubectl_complete-wg_verify",
		`ln -s "$(command -v kubectl-wg)" x`:        `ln -s "$(command -v kubectl-wg_verify)" x`,
		"kubectl wget":                              "kubectl wget",
		"namespace kubectl-wg-x7k2p":                "namespace kubectl-wg-x7k2p",
		"ghcr.io/kubectl-wg/wg-probe":               "ghcr.io/kubectl-wg/wg-probe",
		"github.com/kubectl-wg/kubectl-wg/manifest": "github.com/kubectl-wg/kubectl-wg/manifest",
	} {
		if got := Text(text, "wg-verify"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if got := Text(text, Default); got != text {
			t.Errorf("%q under its own name: %q", text, got)
		}
	}
}

func TestValid(t *testing.T) {
	for name, want := range map[string]bool{
		"wg": true, "wg-verify": true, "": false, "Wg": false, "wg_verify": false, "-wg": false, "wg-": false, "wg $(x)": false,
	} {
		if Valid(name) != want {
			t.Errorf("%q: valid %v", name, !want)
		}
	}
}

// The changed sources are still Go, and none of them has the old name.
func TestOverlay(t *testing.T) {
	folder := t.TempDir()
	path, err := Overlay("../..", folder, "wg-verify")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var overlay struct{ Replace map[string]string }
	if err := json.Unmarshal(content, &overlay); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../../plugin/command/root.go")
	if err != nil {
		t.Fatal(err)
	}
	if overlay.Replace[root] == "" {
		t.Fatalf("plugin/command/root.go is not replaced: %s", content)
	}
	for original, changed := range overlay.Replace {
		source, err := os.ReadFile(changed)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "kubectl wg ") {
			t.Errorf("%s: the old name is still in it", original)
		}
		if strings.HasSuffix(original, ".go") {
			if _, err := parser.ParseFile(token.NewFileSet(), original, source, 0); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestOverlayRefusesNames(t *testing.T) {
	if _, err := Overlay("../..", t.TempDir(), "wg verify"); err == nil {
		t.Error("a name with a blank was accepted")
	}
}
