package run

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// asked keeps what agents were asked for, by "role/node".
type asked struct {
	mu       sync.Mutex
	requests map[string][]*evidence.Request
}

// agent is an honest one that says which network namespace it is in, a probe that of
// its node, that it could make a link, and that its link has an MTU.
func (a *asked) agent(_ context.Context, role, node string, stdin io.Reader, stdout io.Writer) error {
	out := evidence.NewWriter(stdout)
	netns := map[string]uint64{"probe/a": 1, "trial/a": 11, "probe/b": 2, "trial/b": 12}[role+"/"+node]
	return evidence.ReadRequests(stdin, func(r *evidence.Request) error {
		a.mu.Lock()
		a.requests[role+"/"+node] = append(a.requests[role+"/"+node], r)
		a.mu.Unlock()
		var answers []evidence.Message
		switch {
		case r.Start != nil:
			return out.Write(evidence.Message{Hello: &evidence.Hello{Schema: evidence.Schema, Role: role, Node: node, NetNS: netns}})
		case r.End != nil:
			return out.Bye()
		case r.Read != nil:
			answers = append(answers, evidence.Message{Link: &evidence.Link{
				Index: 2, Name: "eth0", MTU: 9001, Up: true, Role: evidence.RoleOutside,
			}})
		case r.Trial != nil:
			answers = append(answers, evidence.Message{Trial: &evidence.Trial{Made: true}})
		}
		for _, m := range append(answers, evidence.Message{Ready: &evidence.Ready{Request: r.ID}}) {
			if err := out.Write(m); err != nil {
				return err
			}
		}
		return nil
	})
}

// one returns the only request of an agent that is of a kind.
func (a *asked) one(t *testing.T, agent string, is func(*evidence.Request) bool) *evidence.Request {
	t.Helper()
	var found []*evidence.Request
	for _, r := range a.requests[agent] {
		if is(r) {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s got %d of these requests, want one", agent, len(found))
	}
	return found[0]
}

func TestPreflight(t *testing.T) {
	w := newWorld(t, "a", "b")
	asked := &asked{requests: map[string][]*evidence.Request{}}
	w.agent = asked.agent
	before := runtime.NumGoroutine()
	observation, err := Observe(context.Background(), Options{
		Cluster: w.client, Objects: manifests.Run{ID: "test22", Image: "probe:test"}, Timeout: 20 * time.Second,
		Roles: []string{RoleProbe, RoleTrial}, Progress: &quiet{}, Log: slog.New(slog.DiscardHandler),
		Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := observation.Preflight(context.Background(), nil); err != nil {
		t.Error(err)
	}
	recorded := graph.New(observation.Evidence())
	if err := observation.Close(context.Background()); err != nil {
		t.Error(err)
	}
	w.nothingLeft(t, before)

	// The trial is given the namespace of its own node, and no probe is asked for one.
	trial := asked.one(t, "trial/b", func(r *evidence.Request) bool { return r.Trial != nil })
	if trial.Trial.HostNetNS != 2 {
		t.Errorf("the trial on b was given %d as its host's network namespace, want 2", trial.Trial.HostNetNS)
	}
	if slices.ContainsFunc(asked.requests["probe/a"], func(r *evidence.Request) bool { return r.Trial != nil }) {
		t.Error("a probe, which is in the host's network, was asked to make a link")
	}
	if n := recorded.Node("a"); n.Trial == nil || !n.Trial.Made {
		t.Error("what came of the trial on a was not recorded")
	}
	// Filters are read for the ports, which no device has yet.
	if read := asked.one(t, "probe/a", func(r *evidence.Request) bool { return r.Read != nil }); !slices.Equal(read.Read.Ports, []uint16{51820, 51821}) {
		t.Errorf("read for the ports %v", read.Read.Ports)
	}
	// All others in one request, at the ports of the families that they have.
	send := asked.one(t, "probe/a", func(r *evidence.Request) bool { return r.PortSend != nil }).PortSend
	want := evidence.PortTarget{Index: 1, Addr: netip.MustParseAddrPort("192.0.2.2:51820")}
	if !slices.Equal(send.Targets, []evidence.PortTarget{want}) {
		t.Errorf("sent to %+v, want %+v", send.Targets, want)
	}
	for _, size := range []int{smallestPacket, leastMTU, mostMTU, 9001, 9001 - stepMTU} {
		if !slices.Contains(send.Sizes, size) {
			t.Errorf("the sizes %v lack %d", send.Sizes, size)
		}
	}
}
