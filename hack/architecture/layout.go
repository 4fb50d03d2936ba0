package architecture

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

var (
	folders = []string{"cmd", "docs", "hack", "krew", "manifests", "plugin", "probe"}
	outputs = []string{"bin", "dist"} // of the Makefile, in .gitignore
	files   = []string{
		"CHANGELOG.md", "CONTRIBUTING.md", "Dockerfile", "LICENSE", "Makefile", "README.md", "SECURITY.md", "go.mod", "go.sum",
	}
)

// Layout returns what does not belong at the top of the tree. Hidden files are
// the tools' own.
func Layout(root string) ([]string, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("reading the tree: %w", err)
	}
	var found, seen []string
	for _, entry := range entries {
		name := entry.Name()
		known := files
		if entry.IsDir() {
			known = folders
			seen = append(seen, name)
		}
		if strings.HasPrefix(name, ".") || slices.Contains(known, name) || slices.Contains(outputs, name) {
			continue
		}
		found = append(found, fmt.Sprintf("%s: the top of the tree holds %s and the usual files only", name, strings.Join(folders, ", ")))
	}
	for _, name := range folders {
		if !slices.Contains(seen, name) {
			found = append(found, name+": missing")
		}
	}
	return found, nil
}
