package run

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"time"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A newcomer is a pod that is made while every link is watched and that sends
// from its first moment on. Where agents on the nodes learn of pods one by one,
// a pod is reachable before they know it, and what does not know it may send in
// clear: a leak of a few milliseconds that no older pod shows.

// newcomerTargets bounds to how many other nodes one newcomer sends.
const newcomerTargets = 8

// newcomerSecrets are what a newcomer gets by the run's Secret.
var newcomerSecrets = []string{evidence.EnvMark, evidence.EnvKey}

// newcomerTime bounds the wait for the newcomers, beyond what the slowest test
// pod took, which started in the same places.
const newcomerTime = 30 * time.Second

// slowestPod is how long the slowest test pod took to become Ready.
func (v *verification) slowestPod() (slowest time.Duration) {
	for _, a := range v.pods {
		slowest = max(slowest, time.Duration(a.pod.Wait)*time.Millisecond)
	}
	return slowest
}

// newcomerNodes returns on which of n nodes newcomers are placed: most of them,
// evenly spread.
func newcomerNodes(n, most int) []int {
	var chosen []int
	if count := min(n, most); n > 1 {
		for i := range count {
			chosen = append(chosen, i*n/count)
		}
	}
	return chosen
}

// newcomers returns where they go and notes who they are. The listeners must
// be open.
func (v *verification) newcomers() (placings []manifests.Placing) {
	for _, i := range newcomerNodes(len(v.pods), v.NewPods) {
		from := v.pods[i]
		about := evidence.Newcomer{Node: from.node.Index}
		arguments := []string{"--index", fmt.Sprint(from.node.Index)}
		for _, index := range v.asked.Targets(from.node.Index) {
			to := v.podOn(index)
			if to == nil || len(about.Targets) == newcomerTargets {
				continue
			}
			for _, target := range v.targetsAt(from, to) {
				arguments = append(arguments, "--to", fmt.Sprintf("%d@%s", target.Index, netip.AddrPortFrom(target.Addr, target.UDP)))
			}
			about.Targets = append(about.Targets, to.node.Index)
		}
		v.about.Newcomers = append(v.about.Newcomers, about)
		placings = append(placings, manifests.Placing{
			Role: manifests.Newcomer, Index: from.node.Index, Node: from.node.Name,
			Arguments: arguments, Secrets: newcomerSecrets,
		})
	}
	return placings
}

// addNewcomers gives the newcomers what to mark their packets with, in a Secret:
// what stands in a pod's command can be read by all who may view pods.
func (v *verification) addNewcomers(ctx context.Context, placings []manifests.Placing) error {
	err := v.placement.Provide(ctx, map[string]string{
		evidence.EnvMark: hex.EncodeToString(v.mark), evidence.EnvKey: hex.EncodeToString(evidence.FirstKey(v.key)),
	})
	if err != nil {
		return err
	}
	return v.placement.Add(ctx, placings)
}

// bringNewcomers places the newcomers beside what else goes on. The returned
// function waits until they have begun to send and accounts for them. That one
// could not be made is a problem like that it did not start: the run goes on.
func (v *verification) bringNewcomers(ctx context.Context) (settle func()) {
	placings := v.newcomers()
	if len(placings) == 0 {
		return func() {}
	}
	placed := make(chan error, 1)
	go func() { placed <- v.addNewcomers(ctx, placings) }()
	return func() {
		began := time.Now()
		defer func() { v.Log.Debug("step", "name", "waiting for new pods", "took", time.Since(began)) }()
		if err := <-placed; err != nil {
			for _, placing := range placings {
				v.account.problem(evidence.Problem{Class: evidence.ProblemLost, What: "place " + placing.Role, On: placing.Node, Text: cluster.Line(err.Error())})
			}
			return
		}
		limit := newcomerTime + v.slowestPod()
		waiting, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("a new pod takes more than %s", limit))
		defer cancel()
		v.placement.Await(waiting, func(ready, all int) {
			v.Progress.Detail(fmt.Sprintf("new pods send their first packets, %d of %d pods Ready", ready, all))
		}, func(evidence.Pod) {})
		for _, pod := range v.placement.Pods() {
			if pod.Role == manifests.Newcomer {
				v.account.add(evidence.Message{Pod: &pod})
			}
		}
		for _, p := range v.placement.Problems() {
			if p.What == "place "+manifests.Newcomer {
				p.Hint = "it can be left out with --new-pods 0"
				v.account.problem(p)
			}
		}
	}
}
