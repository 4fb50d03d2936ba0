package architecture

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func tree(t *testing.T) (root string, packages []Package) {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	packages, err = Load(root, "linux")
	if err != nil {
		t.Fatal(err)
	}
	return root, packages
}

func TestImports(t *testing.T) {
	_, packages := tree(t)
	for _, line := range Imports(packages) {
		t.Error(line)
	}
}

func TestSource(t *testing.T) {
	root, packages := tree(t)
	files := 0
	for _, p := range packages {
		if !p.Own() {
			continue
		}
		for _, name := range p.Files {
			path := filepath.Join(p.Dir, name)
			lines, err := Source(path, p.Short(), nil)
			if err != nil {
				t.Error(err)
			}
			for _, line := range lines {
				if short, err := filepath.Rel(root, line); err == nil {
					line = short
				}
				t.Error(line)
			}
			files++
		}
	}
	if files == 0 {
		t.Error("no file was checked")
	}
}

func TestLayout(t *testing.T) {
	root, _ := tree(t)
	lines, err := Layout(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		t.Error(line)
	}
}

// The desktop's plugin must not need what only Linux has.
func TestDesktops(t *testing.T) {
	root, _ := tree(t)
	for _, system := range []string{"darwin", "windows"} {
		packages, err := Load(root, system)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range packages {
			if (within(p.Short(), "plugin") || within(p.Short(), "cmd/kubectl-wg") || within(p.Short(), "manifests")) && len(p.Files) == 0 {
				t.Errorf("%s: no file of this package is built for %s", p.Short(), system)
			}
		}
	}
}

// Each package of the product has its line in the document that explains them.
func TestPackagesAreDocumented(t *testing.T) {
	root, _ := tree(t)
	text, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range Layers {
		if !strings.HasPrefix(layer.Path, "cmd/") && !strings.Contains(string(text), "| `"+layer.Path+"` |") {
			t.Errorf("%s has no line in docs/architecture.md", layer.Path)
		}
	}
}
