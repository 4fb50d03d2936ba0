package node

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// own are the directories of a node outside of its root, on a file system that can carry containerd's overlays,
// and start empty whatever the machine has there.
var own = map[string]string{
	"containerd": "/var/lib/containerd",
	"kubelet":    "/var/lib/kubelet",
	"cni":        "/var/lib/cni",
	"cni-conf":   cniDir,
	"pods":       "/var/log/pods",
	"containers": "/var/log/containers",
	"rancher":    "/var/lib/rancher",
}

// borrowed are settings of the whole kernel that kubelet and Cilium want to change: they change copies.
var borrowed = []string{
	"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
	"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
	"kernel/unprivileged_bpf_disabled", "kernel/timer_migration",
}

// enterRoot gives the calling process, the first in new mount and process namespaces, the node's file system: the
// machine's files under an overlay of the node's own, so that nothing a node writes is seen by the machine or by
// another node. All of it goes with the last process of the node.
func enterRoot(config HostConfig, node Node) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("leaving the machine's mounts: %w", err)
	}
	scratch := filepath.Join(config.Scratch, node.Name)
	root := filepath.Join(scratch, "root")
	for _, name := range []string{"root", "upper", "work"} {
		if err := os.MkdirAll(filepath.Join(scratch, name), 0o755); err != nil {
			return fmt.Errorf("creating the node's directories: %w", err)
		}
	}
	options := fmt.Sprintf("lowerdir=/,upperdir=%s,workdir=%s", filepath.Join(scratch, "upper"), filepath.Join(scratch, "work"))
	if err := unix.Mount("overlay", root, "overlay", 0, options); err != nil {
		return fmt.Errorf("mounting the node's root: %w", err)
	}
	if err := mountKernel(root); err != nil {
		return err
	}
	for name, target := range own {
		source := filepath.Join(scratch, name)
		if err := os.MkdirAll(source, 0o755); err != nil {
			return fmt.Errorf("creating the node's directories: %w", err)
		}
		if err := bind(source, filepath.Join(root, target)); err != nil {
			return err
		}
	}
	shown := map[string]string{
		filepath.Join(config.Dist, "bin"):    binDir,
		filepath.Join(config.Dist, "images"): imagesDir,
		filepath.Join(config.Dist, "cni"):    cniBinDir,
		config.Executable:                    selfPath,
	}
	if config.Cilium() {
		shown[filepath.Join(config.Dist, "cilium")] = ciliumDir
	}
	for source, target := range shown {
		if err := bind(source, filepath.Join(root, target)); err != nil {
			return err
		}
	}
	if err := writeFiles(root, node); err != nil {
		return err
	}
	return pivot(root)
}

// mountKernel mounts the kernel's own file systems. A fresh /sys shows the links of the node's network namespace; the
// cgroups have to be carried over into it, or kubelet finds none.
func mountKernel(root string) error {
	at := func(path string) string { return filepath.Join(root, path) }
	mounts := []struct {
		source, target, kind string
		flags                uintptr
		data                 string
	}{
		{"proc", "/proc", "proc", 0, ""},
		{"sysfs", "/sys", "sysfs", 0, ""},
		{"/sys/fs/cgroup", "/sys/fs/cgroup", "", unix.MS_BIND | unix.MS_REC, ""},
		{"/dev", "/dev", "", unix.MS_BIND | unix.MS_REC, ""},
		{"tmpfs", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=755"},
		{"tmpfs", "/tmp", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
	}
	for _, m := range mounts {
		if err := unix.Mount(m.source, at(m.target), m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mounting %s: %w", m.target, err)
		}
	}
	// Kernel modules may be a mount of their own, which an overlay does not see through.
	if modules, err := filepath.EvalSymlinks("/lib/modules"); err == nil {
		if err := unix.Mount(modules, at(modules), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("mounting the kernel's modules: %w", err)
		}
	}
	// Programs of a CNI are pinned per node; a kernel without BPF has no such file system.
	_ = unix.Mount("bpf", at("/sys/fs/bpf"), "bpf", 0, "")

	for _, name := range borrowed {
		value, err := os.ReadFile(filepath.Join("/proc/sys", name))
		if err != nil {
			continue // this kernel does not have the setting
		}
		copied := at(filepath.Join("/run/lab", strings.ReplaceAll(name, "/", "-")))
		if err := os.MkdirAll(filepath.Dir(copied), 0o755); err != nil {
			return fmt.Errorf("copying kernel settings: %w", err)
		}
		if err := os.WriteFile(copied, value, 0o644); err != nil {
			return fmt.Errorf("copying kernel settings: %w", err)
		}
		if err := unix.Mount(copied, at(filepath.Join("/proc/sys", name)), "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("copying kernel setting %s: %w", name, err)
		}
	}
	return nil
}

// bind shows a directory or a file of the machine at a place in the node.
func bind(source, target string) error {
	info, err := os.Stat(source)
	if err != nil {
		return fmt.Errorf("binding into the node: %w", err)
	}
	if info.IsDir() {
		err = os.MkdirAll(target, 0o755)
	} else if err = os.MkdirAll(filepath.Dir(target), 0o755); err == nil {
		err = os.WriteFile(target, nil, 0o755)
	}
	if err != nil {
		return fmt.Errorf("binding into the node: %w", err)
	}
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("binding %s into the node: %w", source, err)
	}
	return nil
}

// writeFiles gives the node its identity and its credentials.
func writeFiles(root string, node Node) error {
	machine := sha256.Sum256([]byte(node.Netns))
	files := map[string]string{
		"/etc/hostname":    node.Name + "\n",
		"/etc/hosts":       fmt.Sprintf("127.0.0.1 localhost\n::1 localhost\n%s %s\n", node.Address.IPv4.Addr(), node.Name),
		"/etc/machine-id":  hex.EncodeToString(machine[:16]) + "\n",
		"/etc/resolv.conf": "", // nothing answers in the lab, and nothing may be asked outside of it
	}
	for path, content := range node.Files {
		files[path] = content
	}
	for path, content := range files {
		target := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
		// The machine's file may be a link to a place that is not the node's.
		if err := os.Remove(target); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("replacing %s: %w", path, err)
		}
		if err := os.WriteFile(target, []byte(content), 0o644); err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
	}
	return nil
}

// pivot makes root the file system of the process and leaves the machine's. Containers may ask for mounts to be
// propagated, so the node's own are shared among themselves.
func pivot(root string) error {
	if err := unix.Chdir(root); err != nil {
		return fmt.Errorf("entering the node's root: %w", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("making the node's root the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leaving the machine's root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("entering the node's root: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing the node's mounts: %w", err)
	}
	return nil
}
