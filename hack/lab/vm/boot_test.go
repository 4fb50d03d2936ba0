package vm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestBoot boots a real machine, has it do what the lab needs of it, and reads what it reports.
//
//	┌ namespace of this test ───────┐      ┌ VM ──────────────────────────────┐
//	│ lab0 (bridge) 192.0.2.1/24 ── │ tap ─│ eth0 192.0.2.2/24, wg0 (kernel)  │
//	└───────────────────────────────┘      └──────────────────────────────────┘
func TestBoot(t *testing.T) {
	if os.Getenv("LAB_VM") == "" {
		t.Skip("needs root and time to boot a VM: set LAB_VM=1; LAB_VM_CACHE keeps the kernel between runs")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	dir, cache := t.TempDir(), os.Getenv("LAB_VM_CACHE")
	if cache == "" {
		cache = t.TempDir()
	}
	if ok, why, accel := Available(ctx); !ok {
		t.Fatal(why)
	} else {
		t.Log(accel, why)
	}
	start := time.Now()
	m, err := Start(ctx, Config{
		Name: "boot", Dir: dir, CacheDir: cache, NetNS: switchNamespace(t), Bridge: "lab0",
		Env: []string{"WORD=it's one word"}, Tmpfs: []string{"/var/lib/boot-test", filepath.Join(dir, "state")},
		Modules:  []string{"br_netfilter", "vxlan", "veth", "nf_tables"},
		Command:  []string{"/bin/sh", "-eux", "-c", bootScript, "boot", dir},
		Progress: func(what string) { t.Logf("%5.1fs %s", time.Since(start).Seconds(), what) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("%5.1fs ready: kernel %s, %s", time.Since(start).Seconds(), m.Release, m.Accel)

	if again, err := Open(dir); err != nil || !again.Running() {
		t.Fatalf("the running machine was not found again: %v", err)
	}
	if _, err := Start(ctx, Config{Name: "boot", Dir: dir, CacheDir: cache, Command: []string{"true"}}); err == nil {
		t.Error("a second machine was started in the same folder")
	}
	status, err := m.Wait(ctx)
	log, _ := os.ReadFile(filepath.Join(dir, mainFile))
	t.Logf("%5.1fs off\n%s", time.Since(start).Seconds(), log)
	if err != nil {
		t.Fatal(err)
	}
	if status != 7 {
		t.Errorf("exit status %d, want the command's own 7", status)
	}
	for _, want := range []string{"kernel " + m.Release, "wg0 is wireguard", "1 packets received", "word <it's one word>", "upper tmpfs"} {
		if !strings.Contains(string(log), want) {
			t.Errorf("the command's output lacks %q", want)
		}
	}
	if written, err := os.ReadFile(filepath.Join(dir, "written")); err != nil || string(written) != "from the machine\n" {
		t.Errorf("the machine's file holds %q, %v", written, err)
	}
	var seconds int64
	if clock, err := os.ReadFile(filepath.Join(dir, "clock")); err != nil {
		t.Error(err)
	} else if _, err := fmt.Sscan(string(clock), &seconds); err != nil || time.Since(time.Unix(seconds, 0)).Abs() > time.Minute {
		t.Errorf("the machine's clock said %d, %v", seconds, err)
	}
}

const bootScript = `
box=/run/vm/busybox
echo "kernel $(uname -r)"
echo "word <$WORD>"
ip addr add 192.0.2.2/24 dev eth0
ip link set eth0 up
$box ping -c 1 -w 5 192.0.2.1
ip link add wg0 type wireguard
ip -d link show wg0 | grep -q wireguard && echo "wg0 is wireguard"
ip link add vx0 type vxlan id 1 dstport 8472 dev eth0
ip link add br0 type bridge
ip link add va type veth peer name vb
mkdir /sys/fs/cgroup/boot-test
cat /sys/fs/cgroup/cgroup.controllers
cat /sys/devices/system/clocksource/clocksource0/current_clocksource
stat -f -c 'upper %T' /var/lib/boot-test
touch /var/lib/boot-test/x "$1/state/x" /etc/only-in-the-machine /dev/shm/x
echo "from the machine" >"$1/written"
date +%s >"$1/clock"
exit 7
`

// switchNamespace makes a network namespace with a bridge that goes when the test process ends.
func switchNamespace(t *testing.T) string {
	t.Helper()
	made := make(chan error, 1)
	var namespace *os.File
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		made <- func() (err error) {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return err
			}
			if namespace, err = os.Open("/proc/thread-self/ns/net"); err != nil {
				return err
			}
			bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "lab0"}}
			if err := netlink.LinkAdd(bridge); err != nil {
				return err
			}
			address, err := netlink.ParseAddr("192.0.2.1/24")
			if err != nil {
				return err
			}
			if err := netlink.AddrAdd(bridge, address); err != nil {
				return err
			}
			return netlink.LinkSetUp(bridge)
		}()
	}()
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = namespace.Close() })
	return fmt.Sprintf("/proc/self/fd/%d", namespace.Fd())
}
