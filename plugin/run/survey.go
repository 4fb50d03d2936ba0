package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// survey records what the API says and decides which nodes take part.
func (r *Run) survey(ctx context.Context) error {
	o := r.options
	var reminding sync.WaitGroup
	defer reminding.Wait()
	reminding.Go(func() { remind(ctx, o) })
	survey, err := o.Cluster.Survey(ctx, o.Selection)
	if apierrors.IsForbidden(err) {
		// One permission lacks: say at once which others do.
		return errors.Join(o.Cluster.Permitted(ctx, r.objects()), err)
	}
	if err != nil {
		return err
	}
	survey.Cluster.Context, survey.Cluster.Server = o.Context, o.Server
	r.record.add(evidence.Message{Cluster: &survey.Cluster})
	for _, n := range survey.Nodes {
		r.record.add(evidence.Message{Node: &n})
		if n.Index >= 0 {
			r.nodes.list = append(r.nodes.list, n)
		}
	}
	for _, p := range survey.Problems {
		r.record.problem(p)
	}
	count := len(r.nodes.list)
	if r.nodes.pairs, err = graph.NewPairs(o.Pairs, r.about.ID, count); err != nil {
		return err
	}
	o.Progress.Detail(fmt.Sprintf("%d of %d nodes take part", count, len(survey.Nodes)))
	if count == 0 {
		return errors.New("no node can take part:\n  " + strings.Join(reasons(survey.Nodes), "\n  "))
	}
	r.overlay = overlay(graph.New(r.recording))
	return nil
}

// remind notes what a killed run has left: no one else will.
func remind(ctx context.Context, o Options) {
	leftovers, err := o.Cluster.Leftovers(ctx, o.Objects.Namespace)
	if err != nil {
		o.Log.Debug("looking for leftovers", "error", err)
	}
	for _, l := range leftovers {
		if l.Running == 0 && !l.Unknown && !l.Removing && time.Since(l.Created) > o.Timeout {
			o.Progress.Note("an interrupted run left the " + l.What() + "; remove it with: kubectl wg cleanup " + l.Run)
		}
	}
}

// reasons says of each node why it takes no part.
func reasons(nodes []evidence.Node) []string {
	var lines []string
	for _, n := range nodes {
		lines = append(lines, n.Name+": "+n.Excluded)
	}
	return lines
}
