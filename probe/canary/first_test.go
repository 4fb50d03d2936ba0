//go:build linux

package canary

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// A new pod's first packets are answered and counted apart from canaries; those of
// another run, or made with the run's own key, are not.
//
//	new pod 0 ── lo 127.0.0.1, ::1 ── pod 1
func TestNewcomerIsHeard(t *testing.T) {
	loopback(t)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pod := NewPod(identity(1))
	ports, problems := pod.Listen(ctx, evidence.ListenRequest{Families: []int{4, 6}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	id := identity(0)
	for index, key := range map[int][]byte{0: evidence.FirstKey(id.Key), 2: id.Key, 3: []byte("another run's key")} {
		n := FirstPackets{Index: index, Run: wire.Run{Mark: id.Mark, Key: key}}
		for family, addr := range map[string]string{"4": "127.0.0.1", "6": "::1"} {
			n.Targets = append(n.Targets, evidence.Target{Index: 1, Addr: netip.MustParseAddr(addr),
				UDP: ports["udp"+family]})
		}
		if err := n.Send(ctx); err != nil {
			t.Fatal(err)
		}
	}
	messages := pod.Stop()
	if len(messages) != 2 {
		t.Fatalf("%d messages, want one for each family", len(messages))
	}
	for _, m := range messages {
		// 50 a millisecond apart and 20 more, of which a busy machine leaves two.
		if m.Canary.Peer != 0 || m.Canary.First == 0 || len(m.Canary.Rows) != 0 {
			t.Errorf("%+v", m.Canary)
		}
	}
}

func TestParseTarget(t *testing.T) {
	got, err := ParseTarget("17@[fd42::9]:4000")
	if err != nil || got.Index != 17 || got.Addr.String() != "fd42::9" || got.UDP != 4000 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{"", "1", "1@", "@10.0.0.1:1", "-1@10.0.0.1:1", "1@10.0.0.1", "1@host:9",
		"4294967296@10.0.0.1:1"} {
		if got, err := ParseTarget(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}
