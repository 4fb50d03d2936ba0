package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// The machine's own package system is the only source. QEMU and kmod are installed; kernel and busybox are only
// unpacked into the cache, because installing a kernel would run boot loader hooks and an initramfs build on the host.
const (
	qemuProgram    = "qemu-system-x86_64"
	qemuPackage    = "qemu-system-x86"
	depmodProgram  = "depmod"
	kmodPackage    = "kmod"
	xzProgram      = "xz" // what Debian compresses its kernel with
	xzPackage      = "xz-utils"
	busyboxPackage = "busybox-static"
	kernelPackage  = "linux-image-amd64" // not the cloud kernel: that one has no 9p
)

var kernelImage = regexp.MustCompile(`(?m)^\s*Depends: (linux-image-[0-9][^\s]*-amd64)$`)

// ground is what the machine offers to every VM: programs, kernel and busybox. All paths are absolute.
type ground struct {
	qemu    string
	busybox string
	kernel  kernel
}

// prepare makes the ground ready in the cache folder: from nothing about 15 s, afterwards milliseconds and no network.
// Two processes may call it at once on the same folder.
func prepare(ctx context.Context, cache string, progress func(string)) (ground, error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return ground{}, fmt.Errorf("making the VM's cache: %w", err)
	}
	unlock, err := lockFile(filepath.Join(cache, "lock"))
	if err != nil {
		return ground{}, err
	}
	defer unlock()

	if err := install(ctx, progress); err != nil {
		return ground{}, err
	}
	g := ground{}
	if g.qemu, err = exec.LookPath(qemuProgram); err != nil {
		return g, fmt.Errorf("package %s brought no %s: %w", qemuPackage, qemuProgram, err)
	}
	box, err := unpacked(cache, "busybox", progress, func(dir string) error {
		return fetch(ctx, dir, busyboxPackage)
	})
	if err != nil {
		return g, err
	}
	g.busybox = filepath.Join(box, "bin", "busybox")
	image, err := unpacked(cache, "kernel", progress, func(dir string) error {
		return fetchKernel(ctx, dir)
	})
	if err != nil {
		return g, err
	}
	g.kernel, err = findKernel(image)
	return g, err
}

// install brings the programs that must be on the host. kmod is one of them: depmod is needed here, and the VM, which
// sees the host's files, needs modprobe.
func install(ctx context.Context, progress func(string)) error {
	var missing []string
	for _, need := range []struct{ program, debian string }{
		{qemuProgram, qemuPackage}, {depmodProgram, kmodPackage}, {xzProgram, xzPackage},
	} {
		if _, err := exec.LookPath(need.program); err != nil {
			missing = append(missing, need.debian)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	progress("installing " + strings.Join(missing, ", "))
	return apt(ctx, "", append([]string{"install", "-y", "--no-install-recommends"}, missing...)...)
}

// unpacked returns cache/name, filled by fill if it is not there. The folder appears only when it is complete.
func unpacked(cache, name string, progress func(string), fill func(dir string) error) (string, error) {
	final := filepath.Join(cache, name)
	if _, err := os.Stat(final); err == nil {
		return final, nil
	}
	progress("unpacking the VM's " + name)
	partial := final + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return "", fmt.Errorf("clearing an interrupted unpacking: %w", err)
	}
	if err := os.MkdirAll(partial, 0o755); err != nil {
		return "", fmt.Errorf("making the VM's cache: %w", err)
	}
	if err := fill(partial); err != nil {
		return "", errors.Join(fmt.Errorf("unpacking the VM's %s: %w", name, err), os.RemoveAll(partial))
	}
	return final, os.Rename(partial, final)
}

// fetchKernel finds the image that Debian's kernel package stands for today and unpacks it into dir.
func fetchKernel(ctx context.Context, dir string) error {
	name, err := kernelDependency(ctx)
	if err != nil { // a machine without package lists knows no package; apt refreshes them once
		if err := apt(ctx, "", "update"); err != nil {
			return err
		}
		if name, err = kernelDependency(ctx); err != nil {
			return err
		}
	}
	if err := fetch(ctx, dir, name); err != nil {
		return err
	}
	k, err := findKernel(dir)
	if err != nil {
		return err
	}
	if err := k.unpackImage(); err != nil {
		return err
	}
	return run(ctx, "", depmodProgram, "-b", dir, k.release)
}

func kernelDependency(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-cache", "depends", kernelPackage).Output()
	if err != nil {
		return "", fmt.Errorf("asking for the image of %s: %w", kernelPackage, err)
	}
	match := kernelImage.FindSubmatch(out)
	if match == nil {
		return "", fmt.Errorf("package %s names no kernel image", kernelPackage)
	}
	return string(match[1]), nil
}

// fetch downloads one Debian package and unpacks it into dir without installing it.
func fetch(ctx context.Context, dir, name string) error {
	temporary, err := os.MkdirTemp(dir, "deb")
	if err != nil {
		return fmt.Errorf("making a download folder: %w", err)
	}
	defer os.RemoveAll(temporary)
	// The sandbox user of apt may not enter the folder; without this it warns and goes on.
	if err := apt(ctx, temporary, "download", "-o", "APT::Sandbox::User=root", name); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(temporary, "*.deb"))
	if err != nil || len(files) != 1 {
		return fmt.Errorf("downloading %s brought %d files", name, len(files))
	}
	return run(ctx, "", "dpkg", "-x", files[0], dir)
}

// apt runs apt-get and, if that fails, once more with fresh package lists: on a cold machine they are missing, on an
// old one they name files that are gone.
func apt(ctx context.Context, dir string, args ...string) error {
	args = append([]string{"-q", "-o", "DPkg::Lock::Timeout=300"}, args...)
	first := run(ctx, dir, "apt-get", args...)
	if first == nil {
		return nil
	}
	if err := run(ctx, "", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", "update"); err != nil {
		return errors.Join(first, err)
	}
	return run(ctx, dir, "apt-get", args...)
}

// run runs a program and returns the end of its output with the error.
func run(ctx context.Context, dir, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, lastLines(string(out), 15))
	}
	return nil
}

// lockFile holds an exclusive lock on a file until the returned function is called, or the process ends.
func lockFile(name string) (unlock func(), err error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking the VM's cache: %w", err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", name, err), file.Close())
	}
	return func() { _ = file.Close() }, nil
}
