package run

import (
	"context"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// placeLogsAgain places a second pod that reads logs on each host that has no
// manifests.RunLog, as those without systemd.
func (r *Run) placeLogsAgain(ctx context.Context) error {
	var placings []manifests.Placing
	for _, p := range r.placement.Problems() {
		missing := p.Class == evidence.ProblemMissing && strings.Contains(p.Text, manifests.RunLog)
		if node := r.nodes.named(p.On); missing && node != nil && p.What == "place "+RoleLogs {
			placings = append(placings, manifests.Placing{
				Role: RoleLogs, Index: node.Index, Node: node.Name, WithoutRunLog: true,
			})
		}
	}
	if len(placings) == 0 {
		return nil
	}
	r.options.Progress.Detail("starting a second pod where there is no " + manifests.RunLog)
	if err := r.placement.Add(ctx, placings); err != nil {
		return err
	}
	r.agents.await(ctx)
	return nil
}

// HostLogs makes a request for logs of every agent of RoleLogs, and passes what they
// say to hear.
func (o *Observation) HostLogs(
	ctx context.Context, request evidence.HostLogsRequest, hear func(Agent, *evidence.Message) bool,
) error {
	return o.run.phase(ctx, "reading the hosts' logs", func(ctx context.Context) error {
		o.Ask(ctx, "reading the hosts' logs", RoleLogs, func(Agent) evidence.Request {
			return evidence.Request{HostLogs: &request}
		}, hear)
		return nil
	})
}
