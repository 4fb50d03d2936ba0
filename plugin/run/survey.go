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

// survey records what the API says and decides who takes part.
func (v *verification) survey(ctx context.Context) error {
	var looking sync.WaitGroup
	defer looking.Wait()
	looking.Go(func() { v.remind(ctx) })
	survey, err := v.Cluster.Survey(ctx, v.Selection)
	if apierrors.IsForbidden(err) {
		// One permission lacks: say at once which others do.
		return errors.Join(v.Cluster.Permitted(ctx, v.Objects), err)
	}
	if err != nil {
		return err
	}
	v.account.add(evidence.Message{Cluster: &survey.Cluster})
	for _, n := range survey.Nodes {
		v.account.add(evidence.Message{Node: &n})
		if n.Index >= 0 {
			v.nodes = append(v.nodes, n)
		}
	}
	for _, p := range survey.Problems {
		v.account.problem(p)
	}
	if v.asked, err = graph.NewPairs(v.Pairs, v.about.ID, len(v.nodes)); err != nil {
		return err
	}
	v.Progress.Detail(fmt.Sprintf("%d of %d nodes take part", len(v.nodes), len(survey.Nodes)))
	if len(v.nodes) == 0 {
		return errors.New("no node can take part:\n  " + strings.Join(reasons(survey.Nodes), "\n  "))
	}
	v.overlaid = overlaid(graph.New(v.recording))
	return nil
}

// remind says what a killed run has left: no one else will.
func (v *verification) remind(ctx context.Context) {
	leftovers, err := v.Cluster.Leftovers(ctx, v.Objects.Namespace)
	if err != nil {
		v.Log.Debug("looking for leftovers", "error", err)
	}
	for _, l := range leftovers {
		if l.Running == 0 && !l.Unknown && !l.Removing && time.Since(l.Created) > v.Timeout {
			v.Progress.Note("an interrupted run left the " + l.What() + "; remove it with: kubectl wg cleanup " + l.Run)
		}
	}
}

func reasons(nodes []evidence.Node) []string {
	var lines []string
	for _, n := range nodes {
		lines = append(lines, n.Name+": "+n.Excluded)
	}
	return lines
}
