package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const cgroupRoot = "/sys/fs/cgroup"

// shares is what a cgroup weighs by default in version 1; in version 2 that is weight.
const (
	shares = 1024
	weight = 100
)

// makeCgroup makes the node's cgroup in every hierarchy: kubelet wants its root to exist, and `lab down` knows it by
// name.
func makeCgroup(name string) error {
	hierarchies, err := hierarchies()
	if err != nil {
		return err
	}
	for _, dir := range hierarchies {
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

// hierarchies are the directories of all of them.
func hierarchies() ([]string, error) {
	if exists(filepath.Join(cgroupRoot, "cgroup.controllers")) { // version 2: one hierarchy, and the others are its groups
		return []string{cgroupRoot}, nil
	}
	procs, err := filepath.Glob(filepath.Join(cgroupRoot, "*", "cgroup.procs"))
	if err != nil {
		return nil, fmt.Errorf("listing cgroup hierarchies: %w", err)
	}
	dirs := make([]string, 0, len(procs))
	for _, file := range procs {
		dirs = append(dirs, filepath.Dir(file))
	}
	return dirs, nil
}

// joinSystem moves this process, and what it starts, into the node's group of daemons, beside that of the pods, as
// systemd has them on a machine. In the machine's own group each of their threads would weigh as much as the pods of all
// nodes together, which then wait seconds for a processor. The lab weighs as much as its nodes.
func joinSystem(lab, node string, nodes int) error {
	group := filepath.Join(lab, node, "system")
	if err := makeCgroup(group); err != nil {
		return err
	}
	hierarchies, err := hierarchies()
	if err != nil {
		return err
	}
	for _, dir := range hierarchies {
		file, each := "cpu.shares", shares
		if dir == cgroupRoot {
			file, each = "cpu.weight", weight
		}
		heavy := filepath.Join(dir, lab, file)
		if !exists(heavy) {
			continue // not the hierarchy of the processors
		}
		if err := os.WriteFile(heavy, []byte(strconv.Itoa(nodes*each)), 0o644); err != nil {
			return fmt.Errorf("giving the lab its weight: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, group, "cgroup.procs"), []byte("0"), 0o644); err != nil { // 0 is the writer
			return fmt.Errorf("entering the cgroup of %s: %w", node, err)
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
