package run

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// A new pod is made while every link is watched and sends from its first moment
// on. Where agents on the nodes learn of pods one by one, a pod is reachable
// before they know it, and what does not know it may send in clear: a leak of a
// few milliseconds that no older pod shows.

// newPodTargets bounds to how many other nodes one new pod sends.
const newPodTargets = 8

// newPodSecrets are what a new pod gets by the run's Secret.
var newPodSecrets = []string{evidence.EnvMark, evidence.EnvKey}

// newPodTime bounds the wait for the new pods, beyond what the slowest test pod
// took, which started in the same places.
const newPodTime = 30 * time.Second

// newPodPoll is how often it is looked whether new pods have ended.
const newPodPoll = 50 * time.Millisecond

// newPodNodes returns on which of n nodes new pods are placed: at most so many,
// evenly spread.
func newPodNodes(n, most int) []int {
	var chosen []int
	if count := min(n, most); n > 1 {
		for i := range count {
			chosen = append(chosen, i*n/count)
		}
	}
	return chosen
}

func newPodPlacing(node *evidence.Node, arguments []string) manifests.Placing {
	return manifests.Placing{
		Role: manifests.Newcomer, Index: node.Index, Node: node.Name, Arguments: arguments, Secrets: newPodSecrets,
	}
}

// newPods are the new pods of a run, on their way.
type newPods struct {
	placement *cluster.Placement
	placings  []manifests.Placing
	placed    chan error // whether they could be placed, once
}

// placeNewPods begins to place new pods while the rest goes on. The listeners must
// be open.
func placeNewPods(ctx context.Context, p *cluster.Placement, identity wire.Run, placings []manifests.Placing) *newPods {
	n := &newPods{p, placings, make(chan error, 1)}
	if len(placings) > 0 {
		go func() { n.placed <- n.place(ctx, identity.First()) }()
	}
	return n
}

// place gives the new pods what to mark their packets with, in a Secret: what
// stands in a pod's command can be read by all who may view pods.
func (n *newPods) place(ctx context.Context, first wire.Run) error {
	mark, key := first.Hex()
	err := n.placement.Provide(ctx, map[string]string{evidence.EnvMark: mark, evidence.EnvKey: key})
	if err != nil {
		return err
	}
	return n.placement.Add(ctx, n.placings)
}

// await waits until the new pods have begun to send, or have ended, longer than the
// slowest test pod took, and records what became of them. That one could not be made
// is a problem like that it did not start: the run goes on.
func (n *newPods) await(ctx context.Context, slowest time.Duration, end bool, record *record, progress Progress) {
	if len(n.placings) == 0 {
		return
	}
	if err := <-n.placed; err != nil {
		for _, placing := range n.placings {
			record.problem(evidence.Problem{
				Class: evidence.ProblemLost, What: "place " +
					"" + placing.Role, On: placing.Node, Text: cluster.Line(err.Error()),
			})
		}
		return
	}
	limit := newPodTime + slowest
	waiting, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("a new pod takes more than %s", limit))
	defer cancel()
	n.placement.Await(waiting, func(state cluster.Waiting) {
		progress.Detail("new pods send their first packets, " + state.String())
	}, func(evidence.Pod) {})
	if end {
		n.awaitEnd(waiting)
	}
	for _, pod := range n.pods() {
		record.add(evidence.Message{Pod: &pod})
	}
	for _, p := range n.placement.Problems() {
		if p.What == "place "+manifests.Newcomer {
			p.Hint = "it can be left out with --new-pods 0"
			record.problem(named(p))
		}
	}
}

// awaitEnd waits until those that began to send have ended.
func (n *newPods) awaitEnd(ctx context.Context) {
	running := func(pod evidence.Pod) bool { return pod.Ready && !pod.Ended }
	for ctx.Err() == nil && slices.ContainsFunc(n.pods(), running) {
		wait(ctx, newPodPoll)
	}
}

// pods are the new pods as far as they are known.
func (n *newPods) pods() []evidence.Pod {
	return slices.DeleteFunc(n.placement.Pods(), func(pod evidence.Pod) bool { return pod.Role != manifests.Newcomer })
}
