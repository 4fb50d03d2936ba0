//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func TestProblemHasItsClass(t *testing.T) {
	for _, test := range []struct {
		err   error
		class evidence.ProblemClass
		text  string
	}{
		{syscall.EPERM, evidence.ProblemPermission, "operation not permitted"},
		{fs.ErrNotExist, evidence.ProblemMissing, "file does not exist"},
		{netlink.ErrDumpInterrupted, evidence.ProblemDamaged, "it changed while it was read"},
		{syscall.EOPNOTSUPP, evidence.ProblemUnsupported, "operation not supported"},
		{syscall.EPROTONOSUPPORT, evidence.ProblemUnsupported, "protocol not supported"},
		{syscall.EAFNOSUPPORT, evidence.ProblemUnsupported, "address family not supported by protocol"},
		{syscall.EAGAIN, evidence.ProblemTimeout, "resource temporarily unavailable"},
		{errors.New("something else"), evidence.ProblemInternal, "something else"},
	} {
		got := Problem("route", "eth0", fmt.Errorf("%w", test.err))
		want := evidence.Problem{Class: test.class, What: "route", On: "eth0", Text: test.text}
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// What is there is read below the root, and nothing else.
func TestRoot(t *testing.T) {
	folder := t.TempDir()
	root := Root(folder)
	if root.Modular() || root.Speaks(unix.NETLINK_XFRM) {
		t.Error("an empty root has modules or sockets")
	}
	if err := os.MkdirAll(filepath.Join(folder, "proc/thread-self/net"), 0o700); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(root.Path("proc/modules"), nil, 0o600)
	// Eth 6 is NETLINK_XFRM; the kernel's own socket has Pid 0.
	os.WriteFile(root.Path("proc/thread-self/net/netlink"), []byte("sk Eth Pid Groups\n0 6 0 0\n0 16 77 0\n"), 0o600)
	if !root.Modular() || !root.Speaks(unix.NETLINK_XFRM) {
		t.Error("modules or a socket are not found")
	}
	if root.Speaks(unix.NETLINK_GENERIC) {
		t.Error("a program's socket counts for the kernel's")
	}
	if got := Root("").Path("proc", "modules"); got != "/proc/modules" {
		t.Error(got)
	}
}

func TestNames(t *testing.T) {
	if TypeName(unix.RTN_LOCAL) != "local" || TypeName(99) != "type 99" {
		t.Error(TypeName(unix.RTN_LOCAL), TypeName(99))
	}
	if Everything(4).String() != "0.0.0.0/0" || Everything(6).String() != "::/0" {
		t.Error(Everything(4), Everything(6))
	}
	if Release() == "" {
		t.Error("no release")
	}
}
