package words

import (
	"bytes"
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/command"
)

const root = "../.."

// Each word of the list is found where it stands, and not inside another.
func TestFind(t *testing.T) {
	for text, want := range map[string]int{
		"a canary of 64 bytes": 1, "Canaries": 1, "canaryIndex": 0, "test packets": 0, "made anew": 1, "renewed": 0,
		"amend": 0, "to mend": 1, "it is no format": 1, "there is no node": 0, "wg.canary-x": 0, "two canaries, made anew": 2,
	} {
		if got := Find(text); len(got) != want {
			t.Errorf("%q: %q, want %d", text, got, want)
		}
	}
}

// No text that a user can read has a word of the list.
func TestWords(t *testing.T) {
	look := func(file, text string) {
		if found := Find(text); len(found) > 0 {
			t.Errorf("%s: %q", file, slices.Compact(found))
		}
	}
	literals(t, look)
	documents(t, look)
	outputs(t, look)
}

// literals looks at the string literals of the plugin that are sentences: those
// with a blank in them.
func literals(t *testing.T, look func(file, text string)) {
	walk(t, "plugin", func(path, name string) {
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			if text, err := strconv.Unquote(literal.Value); err == nil && strings.Contains(text, " ") {
				look(name, text)
			}
			return true
		})
	})
}

// documents looks at golden reports and at what a user is given to read.
func documents(t *testing.T, look func(file, text string)) {
	for _, folder := range []string{"plugin/report/testdata", "docs"} {
		walk(t, folder, func(path, name string) {
			if slices.Contains(internal, name) || strings.HasPrefix(name, "docs/screens/before/") {
				return
			}
			lookAt(t, path, name, look)
		})
	}
	lookAt(t, filepath.Join(root, "README.md"), "README.md", look)
}

// internal are documents for those who work on the product.
var internal = []string{"docs/architecture.md", "docs/mutants.md", "docs/performance.md", "docs/recording.md"}

func lookAt(t *testing.T, path, name string, look func(file, text string)) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		look(name, line)
	}
}

// outputs looks at the help of every command and at the explanation of every check.
func outputs(t *testing.T, look func(file, text string)) {
	for _, args := range helps(command.Tree(), nil) {
		look("help", output(t, args...))
	}
	for _, c := range check.Documented() {
		look("explain", output(t, "explain", c.Code))
	}
}

// helps are the arguments by which each command that help shows prints its own.
func helps(of *cobra.Command, path []string) [][]string {
	all := [][]string{append(slices.Clone(path), "--help")}
	for _, below := range of.Commands() {
		if below.IsAvailableCommand() {
			all = append(all, helps(below, append(slices.Clone(path), below.Name()))...)
		}
	}
	return all
}

func output(t *testing.T, args ...string) string {
	var out, errs bytes.Buffer
	streams := command.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}
	code := command.Main(context.Background(), append([]string{"kubectl-wg"}, args...), streams, &command.Interrupts{})
	if code != 0 {
		t.Fatalf("%q: exit %d: %s", args, code, errs.String())
	}
	return out.String()
}

func walk(t *testing.T, folder string, do func(path, name string)) {
	err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.Contains(path, "check/testdata") {
			return err
		}
		name, err := filepath.Rel(root, path)
		do(path, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
