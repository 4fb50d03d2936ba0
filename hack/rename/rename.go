// Package rename builds the plugin under another name than wg, as wg-verify,
// without a second set of texts: the compiler reads the plugin's sources with the
// name replaced in all that a user sees.
//
// It is responsible for how users call the plugin. Names of the project stay: its
// images, objects, labels and the import path.
package rename

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Default is the plugin's name in the sources.
const Default = "wg"

// rules are the ways in which a text names the plugin. A rule keeps what its
// group matched.
var rules = []struct {
	pattern *regexp.Regexp
	file    bool // the name is part of a file's name
}{
	{regexp.MustCompile(`(kubectl )wg\b`), false}, // also behind the escape of a new line
	{regexp.MustCompile(`\b(kubectl_complete-)wg\b`), true},
	{regexp.MustCompile(`\b(command -v kubectl-|ln -s kubectl-)wg\b`), true},
}

// Text returns a text that names the plugin by another name.
func Text(text, name string) string {
	for _, rule := range rules {
		with := name
		if rule.file {
			with = File(name)
		}
		text = rule.pattern.ReplaceAllString(text, "${1}"+with)
	}
	return text
}

// File is the plugin's name in the names of its files: kubectl looks for a dash
// as an underscore
// (https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/#names-with-dashes-and-underscores).
func File(name string) string { return strings.ReplaceAll(name, "-", "_") }

var valid = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// Valid reports whether krew would take the name
// (https://krew.sigs.k8s.io/docs/developer-guide/develop/naming-guide/).
func Valid(name string) bool { return valid.MatchString(name) }

// trees are what is compiled into the plugin.
var trees = []string{"cmd/kubectl-wg", "plugin", "manifests"}

// Overlay writes the changed sources to folder and returns the path of the file
// for go build -overlay.
func Overlay(root, folder, name string) (string, error) {
	if !Valid(name) {
		return "", fmt.Errorf("%q is not a valid name of a plugin", name)
	}
	replaced := map[string]string{}
	for _, tree := range trees {
		err := filepath.WalkDir(filepath.Join(root, tree), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() && entry.Name() == "testdata" {
				return filepath.SkipDir
			}
			if !entry.Type().IsRegular() || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			return replace(path, folder, name, replaced)
		})
		if err != nil {
			return "", fmt.Errorf("reading the sources: %w", err)
		}
	}
	list, err := json.MarshalIndent(map[string]any{"Replace": replaced}, "", "  ")
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(overlay, list, 0o644); err != nil {
		return "", fmt.Errorf("writing the overlay: %w", err)
	}
	return overlay, nil
}

// replace writes a file that names the plugin, and notes it.
func replace(path, folder, name string, replaced map[string]string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	changed := []byte(Text(string(content), name))
	if bytes.Equal(changed, content) {
		return nil
	}
	original, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	target := filepath.Join(folder, fmt.Sprintf("%d-%s", len(replaced), filepath.Base(path)))
	replaced[original] = target
	return os.WriteFile(target, changed, 0o644)
}
