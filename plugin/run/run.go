package run

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// Run is one verification: what is open of it in the cluster, and what it has
// recorded. Its methods are called in this order:
//
//	Open → Collect → Evidence → Close → Judge
type Run struct {
	options   Options
	deadline  time.Time // of everything but the removal, see Judge
	identity  wire.Run
	about     evidence.Run // what was asked for and done; recorded at the end
	recording *recording.Recording
	record    *record
	nodes     nodes
	surveyed  []evidence.Node      // all, those included that take no part
	overlay   map[int][]netip.Addr // see overlay
	ends      map[int][]netip.Addr // see ends
	runsAs    string               // what runs the network plugin, see profile.Profile
	ports     []uint16             // to read filters for, besides those of the nodes' devices
	services  []cluster.Service    // of the test pods, see serve
	placement *cluster.Placement   // nil until something was made
	agents    *agents              // nil until they are waited for
}

func newRun(o Options) *Run {
	r := &Run{options: o, deadline: time.Now().Add(o.Timeout), identity: newIdentity(), recording: recording.New()}
	r.record = newRecord(o.Version, r.recording)
	mark, _ := r.identity.Hex()
	r.about = evidence.Run{
		ID: o.Objects.ID, Version: o.Version, Revision: o.Revision, Started: time.Now().UnixNano(), Mark: mark,
		Families: o.Families, Sizes: canarySizes(), Rungs: searchSizes(),
		Pairs: cmp.Or(o.Part, o.Pairs, "all"), Minor: evidence.Minor, Scope: o.Scope,
	}
	return r
}

// newIdentity draws the mark and the key of a run.
func newIdentity() wire.Run {
	run := wire.Run{Key: make([]byte, wire.KeySize)}
	rand.Read(run.Mark[:]) // never fails, see crypto/rand
	rand.Read(run.Key)
	return run
}

// Open surveys the cluster and places the pods. The run is to be closed even if
// there is an error, which is a *Failure.
func Open(ctx context.Context, o Options) (*Run, error) {
	r := newRun(o)
	for _, phase := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"reading cluster state", r.survey},
		{"checking permissions", r.preflight},
		{"starting probe pods", r.place},
	} {
		if err := r.phase(ctx, phase.name, phase.do); err != nil {
			return r, err
		}
	}
	return r, nil
}

// Collect has the pods send and watch, and records what they say. Its error is
// a *Failure; that agents were lost, or the time was over, is evidence and no
// error.
func (r *Run) Collect(ctx context.Context) error {
	return r.phase(ctx, "testing", r.collect)
}

// phase does one step of a run within the time that is left.
func (r *Run) phase(ctx context.Context, name string, do func(context.Context) error) error {
	within, cancel := context.WithDeadlineCause(ctx, r.deadline, TimedOut(r.options.Timeout))
	defer cancel()
	r.options.Progress.Phase(name)
	began := time.Now()
	err := do(within)
	r.about.Phases = append(r.about.Phases, evidence.Phase{
		Name: name, Began: began.Sub(time.Unix(0, r.about.Started)).Milliseconds(), Took: time.Since(began).Milliseconds(),
	})
	r.options.Log.Debug("phase", "name", name, "took", time.Since(began), "error", err)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return &Failure{name, err}
	}
	return nil
}

// preflight checks that everything which the run needs is permitted.
func (r *Run) preflight(ctx context.Context) error {
	var words string
	var trying sync.WaitGroup
	trying.Go(func() { words = r.options.Cluster.Policy(ctx, r.objects()) })
	err := r.options.Cluster.Preflight(ctx, r.objects(), r.nodes.placings(r.options.roles()))
	trying.Wait()
	if err == nil && words != "" {
		r.options.Progress.Note("a policy may reject the probes: " + words)
	}
	return err
}

// objects says what the run creates on its nodes.
func (r *Run) objects() manifests.Run { return r.options.objects(len(r.nodes.list)) }

// place creates the pods and waits for them.
func (r *Run) place(ctx context.Context) (err error) {
	r.about.Nodes = len(r.nodes.list)
	if r.placement, err = r.options.Cluster.Open(ctx, r.objects()); err != nil {
		return err
	}
	if err := r.placement.Add(ctx, r.nodes.placings(r.options.roles())); err != nil {
		return err
	}
	if err := r.serve(ctx); err != nil {
		return err
	}
	r.agents = newAgents(ctx, r)
	r.agents.probes, r.agents.pods = r.agents.await(ctx)
	if err := r.placeLogsAgain(ctx); err != nil {
		return err
	}
	if len(r.agents.in(r.options.roles()[0])) == 0 {
		return &NotPlaced{r.placement.Problems()}
	}
	return nil
}

// Created reports whether the run has created something in the cluster.
func (r *Run) Created() bool { return r.placement != nil }

// Evidence ends the record of the run and returns all that was recorded: after
// an error of Open or Collect, what there was until then. It is called once,
// and before Close, so that the evidence can be kept whatever happens then.
func (r *Run) Evidence() *recording.Recording {
	if r.agents != nil {
		r.agents.stop()
	}
	r.about.Ended = time.Now().UnixNano()
	r.record.end(&r.about)
	return r.recording
}

// removal bounds how long the removal is tried, beyond a server's absence.
const removal = 75 * time.Second

// podsGone is how long to wait for the pods to be gone from a namespace that is
// not the run's own, whose quota they use until then. They have ended before.
const podsGone = 20 * time.Second

// Close closes all sessions and removes what the run made, unless it is to be
// kept. The end of ctx does not stop it: a time limit or an interrupt must not.
func (r *Run) Close(ctx context.Context) error {
	if r.agents != nil {
		r.agents.close()
	}
	switch {
	case r.placement == nil:
		return nil
	case r.options.Keep:
		r.placement.Leave()
		objects := r.options.Objects
		kept := strings.Join(objects.Namespaces(), " and ")
		r.options.Progress.Note("kept: what is in " + kept + "; remove it with: " + cluster.CleanupCommand(objects))
		return nil
	}
	r.options.Progress.Phase("cleaning up")
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removal)
	defer cancel()
	err := r.placement.Remove(ctx)
	if objects := r.options.Objects; err == nil && !objects.Own() && !r.placement.AwaitPodsGone(ctx, podsGone) {
		r.options.Progress.Note("the pods of this run are still terminating in namespace " + objects.Namespace)
	}
	r.options.Log.Debug("phase", "name", "cleaning up", "took", time.Since(began), "error", err)
	return err
}

// judgeTime is how long judging may take at least, whatever the run took.
const judgeTime = 15 * time.Second

// Judge judges the evidence within the time that is left. Its error is a
// *Failure.
func (r *Run) Judge(ctx context.Context, recorded *recording.Recording) (*check.Judgement, error) {
	if ctx.Err() != nil { // interrupted while the pods were removed: all evidence is there
		ctx = context.WithoutCancel(ctx)
	}
	limit := max(time.Until(r.deadline), judgeTime)
	late := fmt.Errorf("%w: it takes more than %s", ErrTime, limit.Round(time.Second))
	ctx, cancel := context.WithTimeoutCause(ctx, limit, late)
	defer cancel()
	r.options.Progress.Phase("judging")
	began := time.Now()
	judgement, err := check.JudgeWithin(ctx, recorded)
	r.options.Log.Debug("phase", "name", "judging", "took", time.Since(began), "error", err)
	if err != nil {
		return nil, &Failure{"judging", err}
	}
	return judgement, nil
}
