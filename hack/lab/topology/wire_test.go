package topology

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

// Two nodes and the control plane on one switch, each in a namespace of its own:
//
//	control 192.0.2.1      node-1 192.0.2.11     node-2 192.0.2.12
//	2001:db8::1            2001:db8::11          2001:db8::12
//	   eth0                   eth0                  eth0
//	    |                      |                     |
//	----+---------- br0 -------+---------------------+----
//	          192.0.2.2, 2001:db8::2
func TestSwitchJoinsAll(t *testing.T) {
	needRoot(t)
	name := func(role string) string { return fmt.Sprintf("kwgtest%d-%s", os.Getpid(), role) }
	members := map[string]Address{"control": Control(), "node-1": Node(1), "node-2": Node(2)}
	create(t, name("switch"))
	for member := range members {
		create(t, name(member))
	}
	if err := In(name("switch"), func() error {
		if err := EnsureBridge(HostBridge()); err != nil {
			return err
		}
		for member, address := range members {
			if err := Attach(member, name(member), address); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for from := range members {
		for to, address := range members {
			for _, ip := range []netip.Addr{address.IPv4.Addr(), address.IPv6.Addr()} {
				if err := exchange(t, name(from), name(to), ip); err != nil {
					t.Errorf("%s to %s at %s: %v", from, to, ip, err)
				}
			}
		}
	}
	if err := In(name("node-1"), func() error {
		routes, err := netlink.RouteGet(net.IPv4(198, 51, 100, 1))
		if err == nil && (len(routes) != 1 || !routes[0].Gw.Equal(Control().IPv4.Addr().AsSlice())) {
			err = fmt.Errorf("routes %v, want the default route via the control plane", routes)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// The caller's own thread must never be left in a namespace of the lab.
func TestInLeavesTheCallerWhereItWas(t *testing.T) {
	needRoot(t)
	name := fmt.Sprintf("kwgtest%d-in", os.Getpid())
	inode := create(t, name)
	inside := func() (where string) {
		where, err := os.Readlink("/proc/thread-self/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		return where
	}
	before, there := inside(), ""
	if err := In(name, func() error { there = inside(); return nil }); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("net:[%d]", inode); there != want {
		t.Errorf("in the namespace: %s, want %s", there, want)
	}
	if after := inside(); after != before {
		t.Errorf("afterwards: %s, want %s", after, before)
	}
}

func TestCreateNetnsRefusesATakenName(t *testing.T) {
	needRoot(t)
	name := fmt.Sprintf("kwgtest%d-taken", os.Getpid())
	inode := create(t, name)
	if _, err := CreateNetns(name); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want %v", err, fs.ErrExist)
	}
	if now, err := NetnsInode(name); err != nil || now != inode {
		t.Errorf("the first one is gone: inode %d, want %d (%v)", now, inode, err)
	}
}

func TestDeleteNetnsTwice(t *testing.T) {
	needRoot(t)
	name := fmt.Sprintf("kwgtest%d-twice", os.Getpid())
	create(t, name)
	for range 2 {
		if err := DeleteNetns(name); err != nil {
			t.Fatal(err)
		}
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to make network namespaces")
	}
}

func create(t *testing.T, name string) uint64 {
	t.Helper()
	inode, err := CreateNetns(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := DeleteNetns(name); err != nil {
			t.Error(err)
		}
	})
	return inode
}

// exchange sends a word over TCP from one namespace to an address in another.
func exchange(t *testing.T, from, to string, ip netip.Addr) error {
	t.Helper()
	listener, err := Listen(to, "tcp", netip.AddrPortFrom(ip, 0).String())
	if err != nil {
		return err
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			fmt.Fprint(conn, "hello")
			conn.Close()
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	conn, err := Dial(ctx, from, "tcp", listener.Addr().String())
	if err != nil {
		return err
	}
	defer conn.Close()
	word, err := io.ReadAll(conn)
	if err == nil && string(word) != "hello" {
		err = fmt.Errorf("received %q", word)
	}
	return err
}
