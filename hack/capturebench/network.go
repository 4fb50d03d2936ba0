//go:build linux

package main

import (
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	addressA = "192.0.2.10"
	addressB = "192.0.2.11"
	wgPort   = 51820
)

// network is two namespaces joined by a veth pair.
type network struct{ a, b *namespace }

// namespace is a network namespace of its own thread. It is gone when the
// thread is.
type namespace struct {
	thread int
	work   chan func()
}

func newNamespace() (*namespace, error) {
	n := &namespace{work: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		n.thread = unix.Gettid()
		err := unix.Unshare(unix.CLONE_NEWNET)
		ready <- err
		if err != nil {
			return
		}
		for f := range n.work {
			f()
		}
	}()
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("making a network namespace, which needs root: %w", err)
	}
	return n, nil
}

// do runs f on the namespace's thread: what f opens or starts belongs to it.
func (n *namespace) do(f func() error) (err error) {
	done := make(chan struct{})
	n.work <- func() { defer close(done); err = f() }
	<-done
	return err
}

func (n *namespace) ip(command string) error { return n.run("ip", command) }

// run runs one of iproute2's programs within the namespace.
func (n *namespace) run(program, command string) error {
	return n.do(func() error {
		if out, err := exec.Command(program, strings.Fields(command)...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s %s: %w: %s", program, command, err, out)
		}
		return nil
	})
}

func newNetwork() (*network, error) {
	a, err := newNamespace()
	if err != nil {
		return nil, err
	}
	b, err := newNamespace()
	if err != nil {
		close(a.work)
		return nil, err
	}
	n := &network{a: a, b: b}
	if err := n.join(); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

func (n *network) join() error {
	if err := n.a.ip(fmt.Sprintf("link add eth0 type veth peer name eth0 netns %d", n.b.thread)); err != nil {
		return err
	}
	for space, address := range map[*namespace]string{n.a: addressA, n.b: addressB} {
		for _, command := range []string{"link set lo up", "addr add " + address + "/24 dev eth0", "link set eth0 up"} {
			if err := space.ip(command); err != nil {
				return err
			}
		}
	}
	time.Sleep(500 * time.Millisecond) // the carrier comes, IPv6 settles
	return nil
}

// limit bounds what goes from a to b to so many Mbit/s of frames; 0 takes the
// bound away.
func (n *network) limit(rate int) error {
	if rate == 0 {
		return n.a.run("tc", "qdisc replace dev eth0 root noqueue")
	}
	return n.a.run("tc", fmt.Sprintf("qdisc replace dev eth0 root tbf rate %dmbit burst 256kb latency 50ms", rate))
}

func (n *network) close() {
	close(n.a.work)
	close(n.b.work)
}

// link is the index of a link.
func (n *namespace) link(name string) (index int, err error) {
	err = n.do(func() error {
		found, err := net.InterfaceByName(name)
		if err == nil {
			index = found.Index
		}
		return err
	})
	return index, err
}
