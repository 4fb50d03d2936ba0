package capture

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// TestLinkGone: a link that is removed ends its own capture and no other.
//
//	a: eth0 ──── eth0 :b
//	a: x0 ── x1, removed
func TestLinkGone(t *testing.T) {
	noLeftovers(t)
	a, _ := pair(t)
	a.ip(t, "link add x0 type veth peer name x1")
	a.ip(t, "link set x0 up")
	a.ip(t, "link set x1 up")
	s := a.start(t, config(a.link(t, "eth0", evidence.RoleOutside), a.link(t, "x0", evidence.RoleOutside)))
	a.ip(t, "link del x0")
	time.Sleep(100 * time.Millisecond)
	messages := s.Stop(t.Context())
	got := captures(messages)
	if c := got["x0"]; c.Alive || c.Error == "" {
		t.Errorf("removed: %+v", c)
	}
	if c := got["eth0"]; !c.Alive || !c.Started || c.Error != "" {
		t.Errorf("other: %+v", c)
	}
	problems := 0
	for _, m := range messages {
		if m.Problem != nil {
			problems++
			if m.Problem.On != "x0" || m.Problem.Class != evidence.ProblemMissing {
				t.Errorf("%+v", m.Problem)
			}
		}
	}
	if problems != 1 {
		t.Errorf("%d problems", problems)
	}
}

// TestRemovedLink: a link that is gone when its socket is to be opened is left
// out: it is listed, not captured, and the watch of links reports its end.
//
//	a: eth0 ──── eth0 :b
func TestRemovedLink(t *testing.T) {
	noLeftovers(t)
	a, _ := pair(t)
	s := a.start(t, config(evidence.Link{Index: 4711, Name: "ghost", Up: true, Role: evidence.RoleOutside},
		a.link(t, "eth0", evidence.RoleOutside)))
	messages := s.Stop(t.Context())
	got := captures(messages)
	if c, made := got["ghost"]; made {
		t.Errorf("ghost: %+v", c)
	}
	if slices.ContainsFunc(messages, func(m evidence.Message) bool { return m.Problem != nil }) {
		t.Error("a problem is reported")
	}
	if c := got["eth0"]; !c.Started || !c.Alive {
		t.Errorf("eth0: %+v", c)
	}
}

// TestOtherLinksUnheard: frames of other links do not appear, not even those
// that came before the socket was bound.
//
//	a: eth0 ◄── flood ── eth0 :b
//	a: q0 ── q1, silent and the only one captured
func TestOtherLinksUnheard(t *testing.T) {
	noLeftovers(t)
	a, b := pair(t)
	a.ip(t, "link add q0 type veth peer name q1")
	for _, name := range []string{"q0", "q1"} {
		a.run(t, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/"+name+"/disable_ipv6")
		a.ip(t, "link set "+name+" up")
	}
	c := b.dial(t, "192.0.2.11:0", "192.0.2.10:9")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = c.Write(make([]byte, 100))
			}
		}
	}()
	quiet := a.link(t, "q0", evidence.RoleOutside)
	for range 30 {
		s := a.start(t, config(quiet))
		if got := captures(s.Stop(t.Context()))["q0"]; got.Frames > 1 {
			t.Fatalf("%d frames on a silent link: %v", got.Frames, got.Classes)
		}
	}
	close(stop)
	<-stopped
}

// TestStopUnderFlood: a flood does not keep a capture from ending, with its
// whole result or, in no time at all, with an error.
//
//	a: eth0 ◄── flood ── eth0 :b
func TestStopUnderFlood(t *testing.T) {
	noLeftovers(t)
	a, b := pair(t)
	c := b.dial(t, "192.0.2.11:0", "192.0.2.10:9")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = c.Write(make([]byte, 1400))
			}
		}
	}()
	for _, hurried := range []bool{false, true} {
		s := a.start(t, config(a.link(t, "eth0", evidence.RoleOutside)))
		time.Sleep(100 * time.Millisecond)
		ctx, cancel := context.WithCancel(t.Context())
		if hurried {
			cancel()
		}
		begun := time.Now()
		got := captures(s.Stop(ctx))["eth0"]
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("stopping took %v", took)
		}
		if !hurried && (!got.Alive || got.Error != "") {
			t.Errorf("%+v", got)
		}
		if got.Alive == (got.Error != "") {
			t.Errorf("alive and %q", got.Error)
		}
		cancel()
	}
	close(stop)
	<-stopped
}

// TestTun: a link without Ethernet headers is read from the IP header on. Of
// what enters a WireGuard link the run's own packets alone are.
//
//	a: tun0, role wireguard: pods send canaries into it, and much else
func TestTun(t *testing.T) {
	noLeftovers(t)
	a, _ := newTun(t)
	a.ip(t, "addr add 10.42.0.7/16 dev tun0")
	a.ip(t, "link set tun0 up")
	s := a.start(t, config(a.link(t, "tun0", evidence.RoleWireGuard)))
	if err := s.Loop("tun0"); err == nil {
		t.Error("looped a frame where there is no Ethernet")
	}
	c := a.dial(t, "10.42.0.7:4000", "10.42.1.9:4000")
	for n := range 3 {
		send(t, c, marked(t, wire.KindCanary, 100+n)) // equal ones would be one
		for range 30 {
			send(t, c, make([]byte, 1300))
		}
	}
	time.Sleep(100 * time.Millisecond)
	messages := s.Stop(t.Context())
	got := captures(messages)["tun0"]
	if !got.Started || !got.Alive || got.Classes["udp"] != 3 || got.Bytes > 2000 || len(leaksIn(messages)) != 0 {
		t.Errorf("%+v", got)
	}
	seen := uint32(0)
	for _, m := range messages {
		if m.Witness != nil && m.Witness.Direction == evidence.DirectionTX {
			seen += m.Witness.Seen[0].UDP
		}
	}
	if seen != 3 {
		t.Errorf("%d of 3 canaries seen", seen)
	}
}

// openTun makes a tun device without packet information, linux/if_tun.h.
func openTun(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	request := struct {
		name  [unix.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{flags: unix.IFF_TUN | unix.IFF_NO_PI}
	copy(request.name[:], name)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TUNSETIFF,
		uintptr(unsafe.Pointer(&request))); errno != 0 {
		unix.Close(fd)
		return nil, errno
	}
	return os.NewFile(uintptr(fd), name), nil
}

func TestNonsenseRequests(t *testing.T) {
	noLeftovers(t)
	wrong := config()
	wrong.Request.Keys = []string{"no key"}
	if s, err := Start(t.Context(), wrong); err == nil {
		s.Stop(t.Context())
		t.Error("started")
	}
}
