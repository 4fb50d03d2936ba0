//go:build linux

package host

import (
	"bufio"
	"bytes"
	"os"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// System returns what Hello says of the host.
func (r Reader) System() evidence.Hello {
	hello := evidence.Hello{Arch: runtime.GOARCH}
	if id, err := os.ReadFile(r.path("proc/sys/kernel/random/boot_id")); err == nil {
		hello.BootID = strings.TrimSpace(string(id))
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		hello.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	if info, err := os.Stat(r.path("proc/thread-self/ns/net")); err == nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			hello.NetNS = stat.Ino
		}
	}
	// The os-release at its own place would be the image's. Only one that was
	// shared on purpose is the host's.
	if release, err := os.ReadFile(r.path("host/etc/os-release")); err == nil {
		hello.OS, hello.OSVersion = parseRelease(release)
	}
	return hello
}

// parseRelease reads ID and VERSION_ID, see os-release(5).
func parseRelease(release []byte) (id, version string) {
	for lines := bufio.NewScanner(bytes.NewReader(release)); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), "=")
		value = strings.Trim(value, `"'`)
		switch key {
		case "ID":
			id = value
		case "VERSION_ID":
			version = value
		}
	}
	return id, version
}

// Module says whether the kernel has WireGuard in it now. A WireGuard that is
// built in has this folder as well, since it has a version.
func (r Reader) Module() evidence.Module {
	module := evidence.Module{Name: "wireguard"}
	switch _, err := os.Stat(r.path("sys/module/wireguard")); {
	case err == nil:
		module.Loaded = true
	case !os.IsNotExist(err):
		module.Note = err.Error()
	case !r.modular():
		module.Note = "this kernel loads no modules"
	}
	return module
}

// modular tells whether the kernel can load modules at all.
func (r Reader) modular() bool {
	_, err := os.Stat(r.path("proc/modules"))
	return err == nil
}

// filters reports whether the kernel has nf_tables in it now. Asking nf_tables
// itself can load it, and would then leave a trace. One that is built in has no
// folder of its own, and shows by the names in the kernel's table of symbols.
func (r Reader) filters() (bool, error) {
	if _, err := os.Stat(r.path("sys/module/nf_tables")); err == nil || !r.modular() {
		return true, nil
	}
	symbols, err := os.Open(r.path("proc/kallsyms"))
	if err != nil {
		return false, err
	}
	defer symbols.Close()
	lines := bufio.NewScanner(symbols)
	for lines.Scan() {
		if fields := bytes.Fields(lines.Bytes()); len(fields) > 2 && string(fields[2]) == "nft_do_chain" {
			return true, nil
		}
	}
	return false, lines.Err()
}
