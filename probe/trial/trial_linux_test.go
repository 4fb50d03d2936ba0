//go:build linux

package trial

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// own is the inode of this thread's network namespace.
func own(t *testing.T) uint64 {
	t.Helper()
	var stat unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &stat); err != nil {
		t.Fatal(err)
	}
	return stat.Ino
}

func TestRunNeverInTheHostsNamespace(t *testing.T) {
	for _, namespaces := range [][2]uint64{{0, 0}, {0, 7}, {7, 0}, {7, 7}} {
		if _, err := (Reader{}).Run(namespaces[0], namespaces[1]); !errors.Is(err, ErrHost) {
			t.Errorf("own %d, the host's %d: %v", namespaces[0], namespaces[1], err)
		}
	}
}

// The test is in a network namespace of its own, as a pod is:
//
//	lo, and nothing else before and after
func TestRun(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to make a network namespace")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	host := own(t)
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("needs to make a network namespace, which is refused here: %v", err)
	}
	trial, err := Reader{}.Run(own(t), host)
	if err != nil {
		t.Fatal(err)
	}
	if trial.Made == trial.Missing || trial.Missing && trial.Error == "" {
		t.Errorf("%+v: either it was made, or the kernel does not know it", trial)
	}
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if link.Type() == kind || link.Attrs().Name == Link {
			t.Errorf("the trial left %s", link.Attrs().Name)
		}
	}
	t.Logf("%+v", trial)
}

func TestRead(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"sys/kernel/security/lockdown":     "none [integrity] confidentiality\n",
		"proc/sys/kernel/modules_disabled": "1\n",
		"sys/class/misc/tun/dev":           "10:200\n",
		"sys/module/wireguard/version":     "1.0.0\n",
		"sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c": "\x06\x00\x00\x00\x01",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := Reader{Root: kernel.Root(root)}.read()
	if got.Lockdown != "integrity" || !got.TUN || !got.Loaded || got.NoModules == nil || !*got.NoModules ||
		got.SecureBoot == nil || !*got.SecureBoot {
		t.Errorf("read %+v", got)
	}
	got = Reader{Root: kernel.Root(t.TempDir())}.read()
	if got.Lockdown != "" || got.TUN || got.Loaded || got.NoModules != nil || got.SecureBoot != nil {
		t.Errorf("of nothing %+v was read", got)
	}
}
