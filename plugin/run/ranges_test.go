package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"reflect"
	"sync"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// TestEveryPodIsWatched: each probe is given the pod ranges of all nodes, and a
// test pod's own address where no range has it; and the record says that it was.
func TestEveryPodIsWatched(t *testing.T) {
	w := newWorld(t, "a", "b")
	var mu sync.Mutex
	var asked [][]evidence.PodRange
	w.agent = func(ctx context.Context, role, node string, stdin io.Reader, stdout io.Writer) error {
		var heard bytes.Buffer
		err := honest(ctx, role, node, io.TeeReader(stdin, &heard), stdout)
		mu.Lock()
		defer mu.Unlock()
		return errors.Join(err, evidence.ReadRequests(&heard, func(r *evidence.Request) error {
			if r.Capture != nil {
				asked = append(asked, r.Capture.Ranges)
			}
			return nil
		}))
	}
	out := w.verify(t.Context(), nil)
	if out.err != nil {
		t.Fatal(out.err)
	}
	var want []evidence.PodRange
	for i := range 2 {
		want = append(want, evidence.PodRange{Index: i, Prefixes: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.42.%d.0/24", i))}})
	}
	mu.Lock()
	defer mu.Unlock()
	if len(asked) != 2 || !reflect.DeepEqual(asked[0], want) || !reflect.DeepEqual(asked[1], want) {
		t.Errorf("asked to watch %v, want %v", asked, want)
	}
	if minor := out.judgement.Graph.Run.Minor; minor != evidence.Minor {
		t.Errorf("the run asked for minor version %d", minor)
	}
}

// TestPodRanges: a pod outside of its node's ranges is watched by its own address.
func TestPodRanges(t *testing.T) {
	under := nodes{list: []evidence.Node{{Index: 0, PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.42.0.0/24")}}, {Index: 1}}}
	var pods testPods
	for i, ip := range []string{"10.42.0.7", "10.99.0.7"} {
		pods = append(pods, testPod{node: &under.list[i], ips: []netip.Addr{netip.MustParseAddr(ip)}})
	}
	want := []evidence.PodRange{
		{Index: 0, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.42.0.0/24")}},
		{Index: 1, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.99.0.7/32")}},
	}
	if got := under.podRanges(pods); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
