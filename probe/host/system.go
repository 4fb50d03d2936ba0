//go:build linux

package host

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"syscall"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// System returns the part of Hello that describes the host.
func (r Reader) System() evidence.Hello {
	hello := evidence.Hello{Arch: runtime.GOARCH, Kernel: kernel.Release()}
	if id, err := os.ReadFile(r.Root.Path("proc/sys/kernel/random/boot_id")); err == nil {
		hello.BootID = strings.TrimSpace(string(id))
	}
	hello.FIPS = r.fips()
	hello.NetNS = r.namespace()
	return hello
}

// namespace is the inode of this thread's network namespace, 0 if it cannot be read.
func (r Reader) namespace() uint64 {
	info, err := os.Stat(r.Root.Path("proc/thread-self/ns/net"))
	if err != nil {
		return 0
	}
	stat, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return 0
	}
	return stat.Ino
}

// fips reports whether the kernel is in FIPS mode, nil if that cannot be read. A
// kernel that has no such mode has no such file.
func (r Reader) fips() *bool {
	text, err := os.ReadFile(r.Root.Path("proc/sys/crypto/fips_enabled"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	enabled := strings.TrimSpace(string(text)) == "1"
	return &enabled
}

// Module reports whether the kernel has WireGuard in it now. A WireGuard that is
// built in has this folder as well, since it has a version.
func (r Reader) Module() evidence.Module {
	_, err := os.Stat(r.Root.Path("sys/module/wireguard"))
	return evidence.Module{Name: "wireguard", Loaded: err == nil}
}
