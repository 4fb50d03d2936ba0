//go:build linux

package kernel

import (
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// All that was sent before a listener is closed is heard, and what did not fit in
// the queue is a gap.
func TestListen(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to make a network namespace")
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skip("needs to make a network namespace, which is refused here: ", err)
	}
	const links = 200
	add := func() {
		script := "for i in $(seq 200); do echo link add d$i type dummy; done | ip -batch - && for i in $(seq 200); " +
			"do echo link del d$i; done | ip -batch -"
		if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
			t.Skipf("needs iproute2 and dummy links: %v: %s", err, out)
		}
	}
	added, gone := 0, 0
	l, err := Listen(unix.NETLINK_ROUTE, []int{unix.RTNLGRP_LINK}, 8<<20, func(kind uint16, message []byte) {
		switch {
		case len(message) < unix.SizeofIfInfomsg:
		case kind == unix.RTM_NEWLINK:
			added++
		case kind == unix.RTM_DELLINK:
			gone++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	add()
	if why := l.Close(); why != "" || added < links || gone != links {
		t.Errorf("%d added, %d gone, %q", added, gone, why)
	}
	held := make(chan struct{})
	l, err = Listen(unix.NETLINK_ROUTE, []int{unix.RTNLGRP_LINK}, 4096, func(uint16, []byte) { <-held })
	if err != nil {
		t.Fatal(err)
	}
	add()
	close(held)
	if l.Close() == "" {
		t.Error("a queue of 4 KiB held it all")
	}
}
