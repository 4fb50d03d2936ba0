package run

import (
	"context"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// collect speaks with all agents. Every step is made by all nodes at the same
// time and is over on all of them before the next begins: so every capture is
// ready before the first canary, and every counter brackets them.
func (r *Run) collect(ctx context.Context) error {
	agents := r.agents
	plan := &plan{nodes: &r.nodes, about: &r.about, pods: testPodsOf(agents.pods), overlay: r.overlay}
	plan.classes.services = r.services

	// What does it look like on each node?
	agents.each(ctx, "reading the nodes", agents.probes, plan.read)
	if err := r.secondPass(ctx, plan); err != nil {
		return err
	}
	r.record.pods(r.placement)
	r.look(plan)
	r.findDNS(ctx)

	// From here on every frame is watched. New pods are placed at once, they
	// take longest.
	capture := plan.capture(r.options.Buffer)
	agents.each(ctx, "starting the captures", agents.all(), func(at place) evidence.Request {
		if at.role == "pod" {
			return plan.listen(at)
		}
		return capture
	})
	plan.pods = testPodsOf(agents.pods) // they listen
	r.answerClasses(ctx, plan)
	about, placings := plan.newPods(r.options.NewPods)
	r.about.Newcomers = about
	newPods := placeNewPods(ctx, r.placement, r.identity, placings)
	wait(ctx, settleTime)
	agents.each(ctx, "reading the counters", agents.probes, reading(evidence.ReadingReady))

	// The canaries, and cleartext on purpose at the same time.
	agents.each(ctx, "sending control packets", agents.probes, plan.control)
	agents.each(ctx, "sending test packets", agents.pods, plan.send)
	r.sendClasses(ctx, plan)
	r.awaitNewPods(ctx, newPods, plan)
	r.sendToEnded(ctx, newPods, plan)
	wait(ctx, drainTime+plan.pods.slowest()/8)
	agents.each(ctx, "reading the counters", agents.probes, reading(evidence.ReadingDrained))

	// What they counted. Pods end first: whatever they count as arrived was
	// watched.
	agents.each(ctx, "stopping captures", agents.pods, stop)
	agents.each(ctx, "stopping captures", agents.probes, stop)
	wait(ctx, settleTime)
	agents.each(ctx, "reading final counters", agents.probes, reading(evidence.ReadingAfter))
	agents.each(ctx, "stopping probes", agents.all(), end)
	return nil
}

// look gives the agents' streams their names, and plans what depends on what
// was said in them.
func (r *Run) look(plan *plan) {
	began := time.Now()
	probes := map[string]said{}
	for _, a := range r.agents.all() {
		stream := evidence.StreamName(a.role, a.node.Name)
		heard := a.name(stream)
		if a.role == "probe" {
			probes[stream] = heard
		}
	}
	if len(r.about.Families) == 0 {
		r.about.Families = plan.pods.families()
	}
	plan.known = newKnown(r.recording, &r.about, probes)
	r.about.Tries = plan.known.tries
	r.options.Log.Debug("step", "name", "planning", "took", time.Since(began), "tries", len(r.about.Tries))
}

// awaitNewPods waits until the new pods have begun to send, or have ended if others
// are to send to them then.
func (r *Run) awaitNewPods(ctx context.Context, newPods *newPods, plan *plan) {
	began := time.Now()
	newPods.await(ctx, plan.pods.slowest(), r.options.tests(evidence.ScopeEnded), r.record, r.options.Progress)
	r.options.Log.Debug("step", "name", "waiting for new pods", "took", time.Since(began))
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
