package topology

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// netnsDir is where iproute2 keeps named network namespaces, so that `ip netns` shows those of the lab too.
const netnsDir = "/run/netns"

// NetnsPath is the file that stands for a named network namespace.
func NetnsPath(name string) string { return filepath.Join(netnsDir, name) }

// NetnsInode identifies the named network namespace: no two living ones share the number.
func NetnsInode(name string) (uint64, error) {
	var stat unix.Stat_t
	if err := unix.Stat(NetnsPath(name), &stat); err != nil {
		return 0, &fs.PathError{Op: "stat", Path: NetnsPath(name), Err: err}
	}
	return stat.Ino, nil
}

// CreateNetns makes the named network namespace with its loopback up. It fails if the name is taken.
func CreateNetns(name string) (inode uint64, err error) {
	path := NetnsPath(name)
	if err := shareNetnsDir(); err != nil {
		return 0, fmt.Errorf("creating the directory of network namespaces: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDONLY, 0o444)
	if err != nil {
		return 0, fmt.Errorf("creating network namespace %s: %w", name, err)
	}
	file.Close()
	if err := onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unsharing: %w", err)
		}
		self := fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid())
		if err := unix.Mount(self, path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("binding it to its name: %w", err)
		}
		return loopbackUp()
	}); err != nil {
		return 0, errors.Join(fmt.Errorf("creating network namespace %s: %w", name, err), DeleteNetns(name))
	}
	return NetnsInode(name)
}

// shareNetnsDir makes the directory as iproute2 does, a shared mount of itself. Without it the first `ip netns add` of
// anybody would do so, with a second mount of each namespace that is there, and its name could not be removed any more.
func shareNetnsDir() error {
	if err := os.MkdirAll(netnsDir, 0o755); err != nil {
		return err
	}
	err := unix.Mount("", netnsDir, "none", unix.MS_SHARED|unix.MS_REC, "")
	if !errors.Is(err, unix.EINVAL) {
		return err
	}
	if err := unix.Mount(netnsDir, netnsDir, "none", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return unix.Mount("", netnsDir, "none", unix.MS_SHARED|unix.MS_REC, "")
}

// DeleteNetns removes the name; the kernel frees the namespace when its last process has gone. A name that does not
// exist is not an error.
func DeleteNetns(name string) error {
	path := NetnsPath(name)
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmounting network namespace %s: %w", name, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing network namespace %s: %w", name, err)
	}
	return nil
}

// In runs f in the named network namespace. What f does on other goroutines runs where it always did; sockets that f
// opens and processes that f starts itself belong to the namespace. The empty name is the caller's own namespace.
func In(name string, f func() error) error {
	if name == "" {
		return f()
	}
	return onOwnThread(func() error {
		target, err := os.Open(NetnsPath(name))
		if err != nil {
			return fmt.Errorf("entering network namespace %s: %w", name, err)
		}
		defer target.Close()
		if err := unix.Setns(int(target.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("entering network namespace %s: %w", name, err)
		}
		return f()
	})
}

// onOwnThread runs f on a thread that ends with it, so that no other goroutine ever meets a changed namespace. The
// process's first thread never ends, and /proc/self shows its namespace: while it is held here, f gets another.
func onOwnThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			defer runtime.UnlockOSThread()
			done <- onOwnThread(f)
			return
		}
		done <- f()
	}()
	return <-done
}
