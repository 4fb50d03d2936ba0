package run

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// verification is one run.
type verification struct {
	Options
	about     *evidence.Run // grows until the account is closed
	account   *account
	recording *recording.Recording
	key       []byte // authenticates canaries; never recorded
	mark      []byte
	nodes     []evidence.Node // under test, by index
	asked     graph.Pairs     // pairs of them
	placement *cluster.Placement
	probes    []*agent // by node, as pods
	pods      []*agent
	greeted   []*agent // all, those of the first look included
	opening   sync.WaitGroup
	openers   chan struct{} // tokens, see openers
	senders   chan struct{} // tokens, see senders
	overlaid  map[int][]netip.Addr
}

// Verify proves, or refuses to prove, that traffic between the nodes is
// encrypted. It returns an error only if there is no verdict; what it made is
// removed in any case.
func Verify(ctx context.Context, o Options) error {
	v := newVerification(o)
	began := time.Now()

	failed := v.gather(ctx)
	v.about.Ended = time.Now().UnixNano()

	// The evidence is kept first, so that neither a failure nor a second
	// interrupt loses it.
	for _, m := range runMessages(v.about) {
		v.account.add(m)
	}
	v.account.bye()
	if o.Record != nil {
		failed = errors.Join(failed, o.Record(v.recording))
	}

	// Whatever happened, what was made is removed; a time limit or an interrupt
	// must not stop that. It comes before judging: evidence from a node is not to
	// be trusted, and must not keep anything alive in the cluster.
	v.hangUp()
	left := v.remove(context.WithoutCancel(ctx))
	if failed != nil {
		return errors.Join(failed, left)
	}
	return errors.Join(v.judge(ctx, began), left)
}

// judgeTime is how long judging may take at least, whatever the run took.
const judgeTime = 15 * time.Second

// judge judges the evidence, within the time that is left, and reports.
func (v *verification) judge(ctx context.Context, began time.Time) error {
	if ctx.Err() != nil { // interrupted while the pods were removed: all evidence is there
		ctx = context.WithoutCancel(ctx)
	}
	limit := max(v.Timeout-time.Since(began), judgeTime)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, ErrTime)
	defer cancel()
	v.Progress.Phase("judging")
	judging := time.Now()
	judgement, err := check.JudgeWithin(ctx, taken{v.recording})
	v.Log.Debug("phase", "name", "judging", "took", time.Since(judging), "error", err)
	if err != nil {
		return &Failure{"judging", err}
	}
	return v.Report(judgement)
}

// taken is a recording that is read for the last time: what is laid out of it
// need not be in memory twice.
type taken struct{ *recording.Recording }

func (t taken) Messages(stream string) []*evidence.Message { return t.Take(stream) }

func newVerification(o Options) *verification {
	v := &verification{Options: o, recording: recording.New(), openers: make(chan struct{}, openers), senders: make(chan struct{}, senders)}
	v.account = newAccount(o.Version, v.recording)
	v.mark, v.key = make([]byte, 16), make([]byte, 32)
	rand.Read(v.mark) // never fails, see crypto/rand
	rand.Read(v.key)
	v.setLifetime()
	v.Objects.NewPods = o.NewPods
	v.about = &evidence.Run{
		ID: o.Objects.ID, Version: o.Version, Started: time.Now().UnixNano(), Mark: hex.EncodeToString(v.mark),
		Families: o.Families, Sizes: canarySizes(), Rungs: rungs(), Pairs: cmp.Or(o.Pairs, "all"), Minor: evidence.Minor,
	}
	return v
}

// idle is how long a pod waits for its session. One is opened as soon as the
// pod is Ready, or when those before it in the queue are.
const idle = time.Minute

// setLifetime makes every pod end by itself if the plugin does not end it: at
// once when its session breaks, after idle if none came, and at its deadline
// in any case.
func (v *verification) setLifetime() {
	v.Objects.Lifetime = (v.Timeout + time.Minute).Round(time.Second)
	v.Objects.Idle = idle
}

// gather makes the evidence: survey, preflight, place, collect.
func (v *verification) gather(parent context.Context) error {
	ctx, cancel := context.WithTimeoutCause(parent, v.Timeout, ErrTime)
	defer cancel()
	for _, phase := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"surveying the cluster", v.survey},
		{"asking for permission", v.preflight},
		{"placing the pods", v.place},
		{"collecting evidence", v.collect},
	} {
		v.Progress.Phase(phase.name)
		began := time.Now()
		err := phase.do(ctx)
		v.Log.Debug("phase", "name", phase.name, "took", time.Since(began), "error", err)
		if parent.Err() != nil {
			return &Failure{phase.name, context.Cause(parent)}
		}
		if err != nil {
			return &Failure{phase.name, err}
		}
	}
	return nil
}

func (v *verification) placings() []manifests.Placing {
	var placings []manifests.Placing
	for _, n := range v.nodes {
		for _, role := range []string{"probe", "pod"} {
			placings = append(placings, manifests.Placing{Role: role, Index: n.Index, Node: n.Name})
		}
	}
	return placings
}

func (v *verification) preflight(ctx context.Context) error {
	v.countPods()
	return v.Cluster.Preflight(ctx, v.Objects, v.placings())
}

// countPods says how many pods the run makes, which its quotas admit.
func (v *verification) countPods() {
	v.Objects.Nodes = len(v.nodes)
	v.Objects.NewPods = len(newcomerNodes(len(v.nodes), v.NewPods))
}

// place creates the pods and waits for them, for at most three quarters of the
// whole time, so that those which did start can still be heard.
func (v *verification) place(ctx context.Context) (err error) {
	v.about.Nodes = len(v.nodes)
	if v.placement, err = v.Cluster.Open(ctx, v.Objects); err != nil {
		return err
	}
	if err := v.placement.Add(ctx, v.placings()); err != nil {
		return err
	}
	v.await(ctx, func(pod evidence.Pod) {
		if a := v.greet(ctx, pod); pod.Role == "probe" {
			v.probes = append(v.probes, a)
		} else {
			v.pods = append(v.pods, a)
		}
	})
	for _, agents := range [][]*agent{v.probes, v.pods} {
		slices.SortFunc(agents, func(a, b *agent) int { return a.node.Index - b.node.Index })
	}
	if len(v.probes) == 0 {
		return &NotPlaced{v.placement.Problems()}
	}
	return nil
}

// await waits for all pods and speaks to each as soon as it is Ready: the first
// sessions open while the last pods start.
func (v *verification) await(ctx context.Context, greet func(evidence.Pod)) {
	waiting, cancel := context.WithTimeoutCause(ctx, v.Timeout*3/4, ErrTime)
	defer cancel()
	v.placement.Await(waiting, func(ready, all int) {
		v.Progress.Detail(fmt.Sprintf("%d of %d Ready", ready, all))
	}, greet)
	v.opening.Wait()
}

// podOn returns the test pod on a node, nil if there is none.
func (v *verification) podOn(index int) *agent {
	at, found := slices.BinarySearchFunc(v.pods, index, func(a *agent, index int) int { return a.node.Index - index })
	if !found {
		return nil
	}
	return v.pods[at]
}

func (v *verification) node(name string) *evidence.Node {
	for i := range v.nodes {
		if v.nodes[i].Name == name {
			return &v.nodes[i]
		}
	}
	return nil
}

// removal bounds how long the removal is tried, beyond a server's absence.
const removal = 75 * time.Second

func (v *verification) remove(ctx context.Context) (err error) {
	if v.placement == nil {
		return nil
	}
	if v.Keep {
		v.placement.Leave()
		kept := strings.Join(v.Objects.Namespaces(), " and ")
		v.Progress.Note("kept: what is in " + kept + "; remove it with: " + cluster.CleanupCommand(v.Objects))
		return nil
	}
	v.Progress.Phase("removing the pods")
	began := time.Now()
	defer func() { v.Log.Debug("phase", "name", "removing the pods", "took", time.Since(began), "error", err) }()
	ctx, cancel := context.WithTimeout(ctx, removal)
	defer cancel()
	if err = v.placement.Remove(ctx); err == nil && v.Removed != nil {
		v.Removed()
	}
	return err
}

// NewID returns a random name for a run, made of letters and digits that no
// one confuses and that spell no word.
func NewID() string {
	const letters = "bcdfghjkmnpqrstvwxz23456789"
	id := make([]byte, 6)
	rand.Read(id) // never fails
	for i := range id {
		id[i] = letters[int(id[i])%len(letters)]
	}
	return string(id)
}

func (v *verification) agents() []*agent { return slices.Concat(v.probes, v.pods) }
