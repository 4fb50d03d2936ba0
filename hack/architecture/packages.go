// Package architecture holds the rules of docs/architecture.md as data, and
// checks them: which package may import which, and what the probe must never
// do. Its tests are the enforcement; it is not a part of the product.
package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Module is the path of the product's module.
const Module = "github.com/kubectl-wg/kubectl-wg"

// Package is what `go list` knows of a package, as far as the rules need it.
type Package struct {
	Path     string   `json:"ImportPath"`
	Dir      string   `json:"Dir"`
	Standard bool     `json:"Standard"`
	Files    []string `json:"GoFiles"`
	Cgo      []string `json:"CgoFiles"`
	Imports  []string `json:"Imports"`
}

// Short is the path below the module, or the whole path of a foreign package.
func (p Package) Short() string { return short(p.Path) }

func short(path string) string { return strings.TrimPrefix(path, Module+"/") }

func within(path, tree string) bool { return path == tree || strings.HasPrefix(path, tree+"/") }

// Own reports whether the package is part of the product: below cmd, probe,
// plugin or manifests.
func (p Package) Own() bool {
	first, _, _ := strings.Cut(p.Short(), "/")
	return p.Path != p.Short() && first != "hack"
}

// Load returns the module's packages and all that they depend on, as built for
// an operating system. Files of tests are left out.
func Load(root, system string) ([]Package, error) {
	command := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Dir,Standard,GoFiles,CgoFiles,Imports", "./...")
	command.Dir = root
	command.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0", "GOWORK=off")
	var complaint bytes.Buffer
	command.Stderr = &complaint
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("listing packages: %w\n%s", err, complaint.String())
	}
	var packages []Package
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p Package
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading the list of packages: %w", err)
		}
		packages = append(packages, p)
	}
}

// Root finds the module's root above the working directory.
func Root() (string, error) {
	output, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("finding go.mod: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(output))), nil
}
