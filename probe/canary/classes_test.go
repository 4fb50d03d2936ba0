//go:build linux

package canary

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// Packets of classes are answered at the port of a pod and at one that the kernel
// chooses, and each is counted once at both ends.
//
//	0 ── lo 127.0.0.1, ::1 ── 1
func TestClasses(t *testing.T) {
	loopback(t)
	a, pod, node := NewClasses(identity(0)), NewClasses(identity(1)), NewClasses(identity(1))
	both := evidence.AnswerRequest{Families: []int{4, 6, 7}}
	if ports, problems := pod.Answer(both, evidence.PodClassPort); ports["udp6"] != evidence.PodClassPort ||
		len(problems) > 0 {
		t.Fatal(ports, problems)
	}
	ports, problems := node.Answer(both, 0)
	if len(ports) != 2 || ports["udp4"] == 0 || len(problems) > 0 {
		t.Fatal(ports, problems)
	}
	if _, problems := node.Answer(evidence.AnswerRequest{Families: []int{4}},
		evidence.PodClassPort); len(problems) != 1 {
		t.Errorf("the port of another: %v", problems)
	}
	four, six := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")
	targets := []evidence.ReachTarget{
		{Class: evidence.ClassClusterIP, Index: 1, Addr: netip.AddrPortFrom(four, evidence.PodClassPort)},
		{Class: evidence.ClassNodePod, Index: 1, Addr: netip.AddrPortFrom(six, evidence.PodClassPort)},
		{Class: evidence.ClassNodeNode, Index: 1, Addr: netip.AddrPortFrom(four, ports["udp4"])},
		{Class: evidence.ClassPodNode, Index: 1, Addr: netip.AddrPortFrom(four, 9)}, // nobody listens
		{Class: evidence.ClassPodNode, Index: 2, Addr: netip.AddrPortFrom(four, ports["udp4"])},
		{Class: "no-class", Index: 1, Addr: netip.AddrPortFrom(four, ports["udp4"])},
	}
	for _, target := range targets[:5] { // on goroutines their sockets would be made in the first namespace
		a.reach(t.Context(), target, 2, 200*time.Millisecond)
	}
	a.Send(t.Context(), evidence.ReachRequest{Targets: targets[5:], Attempts: 1, Timeout: 100})
	sent, atPod, atNode := classedOf(a.Stop()), classedOf(pod.Stop()), classedOf(node.Stop())
	for class, at := range map[evidence.Class]map[evidence.Class]evidence.Classed{
		evidence.ClassClusterIP: atPod, evidence.ClassNodePod: atPod, evidence.ClassNodeNode: atNode,
	} {
		if s, r := sent[class], at[class]; s.Sent != 3 || s.Answered != 3 || s.Received != 0 || r.Received != 3 ||
			r.Sent != 0 ||
			s.Peer != 1 || r.Peer != 0 || !s.Addr.IsValid() || r.Addr.IsValid() {
			t.Errorf("%s: %+v, %+v", class, s, r)
		}
	}
	if s := sent[evidence.ClassPodNode]; s.Sent != 6 || s.Answered != 0 {
		t.Errorf("to nobody, and to another: %+v", s)
	}
	if len(sent) != 4 || len(atPod) != 2 || len(atNode) != 1 {
		t.Errorf("%v\n%v\n%v", sent, atPod, atNode)
	}
}

// classedOf are messages by class, of several the last.
func classedOf(messages []evidence.Message) map[evidence.Class]evidence.Classed {
	all := map[evidence.Class]evidence.Classed{}
	for _, m := range messages {
		all[m.Classed.Class] = *m.Classed
	}
	return all
}

// To anything but a whole packet of a class for this very node an agent is silent.
func TestClassesAreSilent(t *testing.T) {
	loopback(t)
	c := NewClasses(identity(1))
	ports, _ := c.Answer(evidence.AnswerRequest{Families: []int{4}}, 0)
	defer c.Stop()
	conn, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(ports["udp4"])})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	genuine := wire.Marked{Kind: wire.KindClass, Family: 4, Transport: wire.TransportUDP, Class: 1,
		Source: 0, Target: 1}
	other := identity(0)
	other.Key = []byte("another key, of another run 3456")
	for name, change := range map[string]func(*wire.Marked, *Identity){
		"another run's":    func(_ *wire.Marked, id *Identity) { *id = other },
		"another's mark":   func(_ *wire.Marked, id *Identity) { id.Mark[0] ^= 1 },
		"a canary":         func(m *wire.Marked, _ *Identity) { m.Kind = wire.KindCanary },
		"an answer":        func(m *wire.Marked, _ *Identity) { m.Kind = wire.KindClassAnswer },
		"for another":      func(m *wire.Marked, _ *Identity) { m.Target = 2 },
		"of no class":      func(m *wire.Marked, _ *Identity) { m.Class = 99 },
		"another family's": func(m *wire.Marked, _ *Identity) { m.Family = 6 },
	} {
		m, id := genuine, identity(0)
		change(&m, &id)
		payload, err := m.Payload(wire.MarkedSize, id.Mark, id.Key)
		if err != nil {
			t.Fatal(err)
		}
		if answered(t, conn, payload) {
			t.Errorf("%s is answered", name)
		}
	}
	id := identity(0)
	payload, err := genuine.Payload(wire.MarkedSize, id.Mark, id.Key)
	if err != nil {
		t.Fatal(err)
	}
	if answered(t, conn, payload[:40]) || !answered(t, conn, payload) {
		t.Error("a part is answered, or the whole is not")
	}
}

// answered reports whether what is sent is answered soon.
func answered(t *testing.T, conn net.Conn, payload []byte) bool {
	t.Helper()
	if _, err := conn.Write(payload); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(150 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	n, _ := conn.Read(make([]byte, 1<<10))
	return n > 0
}

// A DNS server's answer is one only if it says that it is and repeats this node's question
// to that server.
func TestQuestions(t *testing.T) {
	for name, test := range map[string]struct {
		answer func(question []byte)
		want   uint32
	}{
		"refused":            {func(b []byte) { b[2], b[3] = b[2]|0x80, 5 }, 3},
		"sent back":          {func([]byte) {}, 0},
		"of another":         {func(b []byte) { b[2], b[13+20] = b[2]|0x80, 1 }, 0},
		"without a question": {func(b []byte) { b[2], b[12] = b[2]|0x80, 0 }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			loopback(t)
			server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			go func() {
				buffer := make([]byte, 512)
				for {
					n, from, err := server.ReadFromUDP(buffer)
					if err != nil {
						return
					}
					test.answer(buffer[:n])
					_, _ = server.WriteToUDP(buffer[:n], from)
				}
			}()
			c := NewClasses(identity(0))
			c.reach(t.Context(), evidence.ReachTarget{
				Class: evidence.ClassDNS, Index: 1, Addr: server.LocalAddr().(*net.UDPAddr).AddrPort(),
			}, 1, 200*time.Millisecond)
			if sent := classedOf(c.Stop())[evidence.ClassDNS]; sent.Sent != 3 || sent.Answered != test.want {
				t.Errorf("%+v, want %d answered", sent, test.want)
			}
		})
	}
}

// The domain is that behind "svc.", wherever it stands.
func TestClusterDomain(t *testing.T) {
	for text, want := range map[string]string{
		"search run.svc.k8s.example svc.k8s.example k8s.example corp.example\nnameserver 10.43.0.10\n": "k8s.example",
		"nameserver 10.43.0.10\nsearch run.svc.cluster.test. svc.cluster.test.\n":                      "cluster.test",
		"search corp.example\n": "cluster.local",
		"search svc.\n":         "cluster.local",
		"":                      "cluster.local",
	} {
		file := filepath.Join(t.TempDir(), "resolv.conf")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := clusterDomain(file); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := clusterDomain(filepath.Join(t.TempDir(), "none")); got != "cluster.local" {
		t.Errorf("without the file: %q", got)
	}
}
