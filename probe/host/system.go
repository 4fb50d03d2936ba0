//go:build linux

package host

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strings"

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
	return hello
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
