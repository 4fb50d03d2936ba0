package capture

import (
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// namespace is a network namespace of its own thread. It is gone when the
// thread is.
type namespace struct {
	thread int
	work   chan func()
}

// newNamespace skips the test where namespaces cannot be made.
func newNamespace(t *testing.T) *namespace {
	t.Helper()
	n := &namespace{work: make(chan func())}
	ready, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		n.thread = unix.Gettid()
		ready <- err
		if err != nil {
			return
		}
		for f := range n.work {
			f()
		}
	}()
	if err := <-ready; err != nil {
		t.Skipf("needs root to make network namespaces: %v", err)
	}
	t.Cleanup(func() { close(n.work); <-ended })
	n.ip(t, "link set lo up")
	return n
}

// do runs f within the namespace.
func (n *namespace) do(f func()) {
	done := make(chan struct{})
	n.work <- func() { defer close(done); f() }
	<-done
}

// ip runs iproute2 within the namespace.
func (n *namespace) ip(t *testing.T, command string) {
	t.Helper()
	n.run(t, "ip", strings.Fields(command)...)
}

func (n *namespace) run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := n.try(name, args...); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

func (n *namespace) try(name string, args ...string) (out []byte, err error) {
	n.do(func() { out, err = exec.Command(name, args...).CombinedOutput() })
	return out, err
}

// link describes a link as host's collector would.
func (n *namespace) link(t *testing.T, name string, role evidence.LinkRole) evidence.Link {
	t.Helper()
	var found *net.Interface
	var err error
	n.do(func() { found, err = net.InterfaceByName(name) })
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	link := evidence.Link{Index: found.Index, Name: name, MTU: found.MTU, Up: true, Role: role}
	if len(found.HardwareAddr) == 6 && found.Flags&net.FlagLoopback == 0 {
		link.Ether = found.HardwareAddr.String()
	}
	return link
}

// pair makes two namespaces joined by a veth pair, 192.0.2.10 and .11.
func pair(t *testing.T) (a, b *namespace) {
	t.Helper()
	a, b = newNamespace(t), newNamespace(t)
	a.ip(t, fmt.Sprintf("link add eth0 type veth peer name eth0 netns %d", b.thread))
	for i, n := range []*namespace{a, b} {
		n.ip(t, fmt.Sprintf("addr add 192.0.2.1%d/24 dev eth0", i))
		n.ip(t, "link set eth0 up")
	}
	for _, n := range []*namespace{a, b} {
		n.awaitCarrier(t, "eth0")
	}
	return a, b
}

// awaitCarrier waits until frames can leave: the kernel reports it a little later
// than it brings a link up.
func (n *namespace) awaitCarrier(t *testing.T, name string) {
	t.Helper()
	var found *net.Interface
	for range 300 {
		n.do(func() { found, _ = net.InterfaceByName(name) })
		if found != nil && found.Flags&net.FlagRunning != 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s has no carrier", name)
}

// dial opens a UDP socket within the namespace.
func (n *namespace) dial(t *testing.T, local, remote string) *net.UDPConn {
	t.Helper()
	from, err := net.ResolveUDPAddr("udp4", local)
	if err != nil {
		t.Fatal(err)
	}
	to, err := net.ResolveUDPAddr("udp4", remote)
	if err != nil {
		t.Fatal(err)
	}
	var c *net.UDPConn
	n.do(func() { c, err = net.DialUDP("udp4", from, to) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// transmit puts a frame of the test's own making on a link.
func (n *namespace) transmit(t *testing.T, link int, frame []byte) {
	t.Helper()
	var err error
	n.do(func() {
		var fd int
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0); err == nil {
			err = unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: link})
			unix.Close(fd)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// start begins a capture within the namespace.
func (n *namespace) start(t *testing.T, config Config) *Session {
	t.Helper()
	var s *Session
	var err error
	n.do(func() { s, err = Start(t.Context(), config) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(t.Context()) })
	return s
}

// noLeftovers fails the test if goroutines outlive it.
func noLeftovers(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		deadline := time.Now().Add(3 * time.Second)
		for runtime.NumGoroutine() > before {
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<16)
				t.Fatalf("%d goroutines more than before:\n%s", runtime.NumGoroutine()-before,
					stacks[:runtime.Stack(stacks, true)])
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
}
