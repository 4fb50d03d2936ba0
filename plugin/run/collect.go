package run

import (
	"context"
	"net/netip"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// collect speaks with all agents. Every step is made by all nodes at the same
// time and is over on all of them before the next begins: so every capture is
// ready before the first canary, and every counter brackets them.
func (v *verification) collect(ctx context.Context) error {
	// What does it look like on each node?
	v.each(ctx, "reading the nodes", v.probes, v.readAll)
	if err := v.lookAgain(ctx); err != nil {
		return err
	}
	v.accountForPods()
	known, narrows := v.newKnown(), v.narrows()
	for _, a := range v.agents() {
		a.name(evidence.StreamName(a.role, a.node.Name))
	}
	v.about.Families = v.families()
	v.planTries(narrows)

	// From here on every frame is watched. New pods are placed at once, they
	// take longest.
	capture := captureRequest(known, v.podAddresses(), v.about, v.Buffer)
	capture.Ranges = v.podRanges()
	listen := &evidence.ListenRequest{Families: v.about.Families}
	v.each(ctx, "starting the captures", v.agents(), func(a *agent) evidence.Request {
		if a.role == "pod" {
			listening := *listen
			listening.Tries = v.triesFor(a.node.Index)
			return evidence.Request{Listen: &listening}
		}
		return evidence.Request{Capture: capture}
	})
	newcomersSent := v.bringNewcomers(ctx)
	wait(ctx, settleTime)
	v.each(ctx, "reading the counters", v.probes, reading(evidence.ReadingReady))

	// The canaries, and cleartext on purpose beside them.
	controls := controls{known, v.nodes, v.asked}
	v.each(ctx, "sending controls", v.probes, func(a *agent) evidence.Request {
		return evidence.Request{Control: &evidence.ControlRequest{Targets: controls.targets(a.node.Index)}}
	})
	patient := min(answerTime+time.Duration(len(v.pods))*answerTimePer+v.slowestPod()/4, maxAnswerTime)
	v.each(ctx, "sending canaries", v.pods, func(a *agent) evidence.Request {
		return evidence.Request{Send: &evidence.SendRequest{
			Targets: v.targets(a), Sizes: v.about.Sizes, Rungs: v.about.Rungs, Attempts: int(patient / attemptTime), Timeout: int(patient / time.Millisecond),
			Tries: v.triesOf(a.node.Index),
		}}
	})
	newcomersSent()
	wait(ctx, drainTime+v.slowestPod()/8)
	v.each(ctx, "reading the counters", v.probes, reading(evidence.ReadingDrained))

	// What they counted. Pods end first: whatever they count as arrived was
	// watched.
	stop := func(*agent) evidence.Request { return evidence.Request{Stop: &evidence.StopRequest{}} }
	v.each(ctx, "closing the books", v.pods, stop)
	v.each(ctx, "closing the books", v.probes, stop)
	wait(ctx, settleTime)
	v.each(ctx, "reading the counters", v.probes, reading(evidence.ReadingAfter))
	v.each(ctx, "saying goodbye", v.agents(), func(*agent) evidence.Request {
		return evidence.Request{End: &evidence.EndRequest{}}
	})
	return nil
}

// readAll asks a probe for the state of its host.
func (v *verification) readAll(a *agent) evidence.Request {
	read := &evidence.ReadRequest{Reading: evidence.ReadingBefore, PodRanges: a.node.PodCIDRs, Ranges: v.podRanges()}
	for _, p := range v.podAddresses() {
		if v.asked.Has(a.node.Index, p.Index) {
			read.Destinations = append(read.Destinations, p.IPs...)
			read.Destinations = append(read.Destinations, v.overlaid[p.Index]...)
		}
		if p.Index != a.node.Index {
			continue
		}
		for _, ip := range p.IPs {
			read.PodRanges = withAddress(read.PodRanges, ip)
		}
	}
	return evidence.Request{Read: read}
}

// overlaid returns where an overlay sends what is for each node, by its index.
// Only of a network that does not encrypt is it asked which way that goes: a
// WireGuard of the machines could be on it.
func overlaid(known *graph.Graph) map[int][]netip.Addr {
	decided, addresses := profile.Decide(known), map[int][]netip.Addr{}
	if decided.Encrypts {
		return nil
	}
	for _, n := range known.Nodes {
		for _, family := range []int{4, 6} {
			if addr := decided.Endpoint(n, family); addr.IsValid() {
				addresses[n.Index] = append(addresses[n.Index], addr)
			}
		}
	}
	return addresses
}

func reading(number int) func(*agent) evidence.Request {
	return func(*agent) evidence.Request {
		return evidence.Request{Read: &evidence.ReadRequest{Reading: number}}
	}
}

// accountForPods records what became of each pod, and why of those that did
// not start.
func (v *verification) accountForPods() {
	type place struct{ role, node string }
	final := map[place]evidence.Pod{}
	var order []place
	for _, pod := range v.placement.Pods() {
		at := place{pod.Role, pod.Node}
		before, known := final[at]
		if !known {
			order = append(order, at)
		}
		if !known || pod.Ready || !before.Ready {
			final[at] = pod
		}
	}
	for _, at := range order {
		pod := final[at]
		v.account.add(evidence.Message{Pod: &pod})
	}
	for _, p := range v.placement.Problems() {
		v.account.problem(p)
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
