// Package build makes everything that a lab runs: the Kubernetes programs, the container runtime, the CNI plugins, two
// small images; and installs what Debian has already built. Whatever can be compiled is compiled from the Go module
// proxy, pinned by the go.mod files next to this package, and kept in a cache outside of the tree under a hash of all
// that went in, so that a clean clone finds it again.
package build

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// CacheDir is where builds are kept: $LAB_CACHE, else kubectl-wg-lab in the user's cache directory.
func CacheDir() (string, error) {
	if dir := os.Getenv("LAB_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache directory (set LAB_CACHE): %w", err)
	}
	return filepath.Join(dir, "kubectl-wg-lab"), nil
}

// sourceDir finds this module's directory: $LAB_SOURCE, else the one that the binary was compiled from, else one at or
// above the working directory or the binary.
func sourceDir() (string, error) {
	if dir := os.Getenv("LAB_SOURCE"); dir != "" {
		return filepath.Abs(dir)
	}
	if _, file, _, ok := runtime.Caller(0); ok && isSource(filepath.Dir(filepath.Dir(file))) {
		return filepath.Dir(filepath.Dir(file)), nil
	}
	var starts []string
	if dir, err := os.Getwd(); err == nil {
		starts = append(starts, dir)
	}
	if path, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(path))
	}
	for _, dir := range starts {
		for ; ; dir = filepath.Dir(dir) {
			for _, candidate := range []string{dir, filepath.Join(dir, "hack", "lab")} {
				if isSource(candidate) {
					return candidate, nil
				}
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return "", errors.New("cannot find the source of hack/lab: run lab inside the repository, or set LAB_SOURCE")
}

func isSource(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "kube", "go.mod"))
	return err == nil && filepath.IsAbs(dir)
}
