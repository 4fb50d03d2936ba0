package state

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// Supervisor is the role of the process that owns all others of a lab.
const Supervisor = "supervisor"

// Remove ends a lab and removes all that it made: after a crash, in the middle of a start, or twice. What bears a
// name of the lab's and yet was not made by it is left alone and named in the error.
func Remove(lab *Lab) error {
	boot, err := bootID()
	if err != nil {
		return err
	}
	if boot != lab.BootID { // the machine was restarted: numbers of processes and namespaces mean nothing now
		return removeDir(lab)
	}
	// The supervisor comes first, or it would restart what is killed.
	if supervisor, ok := lab.Process(Supervisor); ok {
		if err := stop(supervisor, 10*time.Second); err != nil {
			return err
		}
		if lab, err = Load(lab.Name); err != nil {
			return err
		}
	}
	for _, process := range lab.Processes {
		if err := stop(process, 0); err != nil {
			return err
		}
	}
	var problems []error
	for _, namespace := range lab.Namespaces {
		if err := removeNamespace(namespace); err != nil {
			problems = append(problems, err)
		}
	}
	if err := removeCgroups(lab.Cgroup); err != nil {
		problems = append(problems, err)
	}
	if len(problems) > 0 {
		return fmt.Errorf("removing lab %s: %w", lab.Name, errors.Join(problems...))
	}
	return removeDir(lab)
}

func stop(process Process, patience time.Duration) error {
	if patience > 0 {
		if err := process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		if process.WaitGone(patience) {
			return nil
		}
	}
	if err := process.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	if !process.WaitGone(10 * time.Second) {
		return fmt.Errorf("%s (%d) does not end", process.Role, process.PID)
	}
	return nil
}

// removeNamespace kills what lives in the namespace (nodes, their pods' runtimes, commands of `lab exec`, captures that
// someone left running there) and deletes its name.
func removeNamespace(namespace Namespace) error {
	inode, err := topology.NetnsInode(namespace.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if namespace.Inode != 0 && namespace.Inode != inode {
		return fmt.Errorf("network namespace %s is not the one that this lab made: leaving it alone", namespace.Name)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		inhabitants, err := inhabitants(inode)
		if err != nil {
			return err
		}
		if len(inhabitants) == 0 {
			return topology.DeleteNetns(namespace.Name)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v in network namespace %s do not end", inhabitants, namespace.Name)
		}
		for _, process := range inhabitants {
			if err := process.Signal(syscall.SIGKILL); err != nil {
				return err
			}
		}
	}
}

func inhabitants(inode uint64) ([]Process, error) {
	var own unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &own); err != nil {
		return nil, fmt.Errorf("identifying the own network namespace: %w", err)
	}
	if own.Ino == inode {
		return nil, errors.New("refusing to remove the network namespace that this command runs in")
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	var found []Process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		var stat unix.Stat_t
		if unix.Stat(filepath.Join("/proc", entry.Name(), "ns", "net"), &stat) != nil || stat.Ino != inode {
			continue
		}
		if process, err := Identify("inhabitant", pid); err == nil {
			found = append(found, process)
		}
	}
	return found, nil
}

// removeCgroups removes the lab's cgroup in every hierarchy, deepest first. The kernel needs a moment after the last
// process has gone.
func removeCgroups(name string) error {
	if name == "" || strings.Contains(name, "/") {
		return fmt.Errorf("refusing to remove the cgroup %q", name)
	}
	roots, err := filepath.Glob("/sys/fs/cgroup/*/" + name)
	if err != nil {
		return fmt.Errorf("listing cgroups: %w", err)
	}
	for _, root := range append(roots, filepath.Join("/sys/fs/cgroup", name)) {
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			err := removeTree(root)
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("removing cgroup %s: %w", root, err)
			}
		}
	}
	return nil
}

func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeTree(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	return nil
}

// removeDir refuses to delete through a mount: what is behind it need not be the lab's.
func removeDir(lab *Lab) error {
	dir := Dir(lab.Name)
	mounts, err := mountsBelow(dir)
	if err != nil {
		return err
	}
	if len(mounts) > 0 {
		return fmt.Errorf("refusing to remove %s: %s is mounted there", dir, strings.Join(mounts, ", "))
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing %s: %w", dir, err)
	}
	// The last lab takes the directory of all with it.
	if err := os.Remove(root); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTEMPTY) {
		return fmt.Errorf("removing %s: %w", root, err)
	}
	return nil
}

func mountsBelow(dir string) ([]string, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("listing mounts: %w", err)
	}
	defer file.Close()
	var found []string
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		fields := strings.Fields(scanner.Text())
		if len(fields) > 4 && (fields[4] == dir || strings.HasPrefix(fields[4], dir+"/")) {
			found = append(found, fields[4])
		}
	}
	return found, nil
}
