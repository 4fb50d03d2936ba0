package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const cgroupRoot = "/sys/fs/cgroup"

// makeCgroup makes the node's cgroup in every hierarchy: kubelet wants its root to exist, and `lab down` knows it by
// name.
func makeCgroup(name string) error {
	hierarchies, err := filepath.Glob(filepath.Join(cgroupRoot, "*", "cgroup.procs"))
	if err != nil {
		return fmt.Errorf("listing cgroup hierarchies: %w", err)
	}
	if exists(filepath.Join(cgroupRoot, "cgroup.controllers")) { // version 2: one hierarchy, and the others are its groups
		hierarchies = []string{filepath.Join(cgroupRoot, "cgroup.procs")}
	}
	for _, procs := range hierarchies {
		dir := filepath.Dir(procs)
		for element := range strings.SplitSeq(name, "/") {
			parent := dir
			dir = filepath.Join(dir, element)
			if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("creating cgroup %s: %w", dir, err)
			}
			if err := inherit(parent, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// inherit gives a new cgroup what it does not get by itself: in version 1 the processors and memory nodes of its parent,
// in version 2 the controllers.
func inherit(parent, dir string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(parent, file))
		if err != nil || exists(filepath.Join(parent, "cgroup.controllers")) {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, file), value, 0o644); err != nil {
			return fmt.Errorf("inheriting %s: %w", file, err)
		}
	}
	controllers, err := os.ReadFile(filepath.Join(parent, "cgroup.controllers"))
	if err != nil {
		return nil // version 1
	}
	for controller := range strings.FieldsSeq(string(controllers)) {
		// One that cannot be enabled, for a real-time process somewhere, is one that kubelet does without.
		_ = os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
	}
	return nil
}
