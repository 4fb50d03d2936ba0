package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
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
	r.surveyed = survey.Nodes
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
	if r.nodes.pairs, err = graph.NewPairs(r.about.Pairs, r.about.ID, count); err != nil {
		return err
	}
	if err := partFits(o, r.nodes.pairs.Each(), count); err != nil {
		return err
	}
	if err := o.scopeFits(count); err != nil {
		return err
	}
	o.Progress.Detail(fmt.Sprintf("%d of %d nodes take part", count, len(survey.Nodes)))
	if count == 0 {
		return errors.New("no node can take part:\n  " + strings.Join(reasons(survey.Nodes), "\n  "))
	}
	surveyed := graph.New(r.recording)
	decided := profile.Decide(surveyed)
	elsewhere := func(n *graph.Node) bool { return n.IPAM != "" || !decided.Assigned(n) }
	if err := missingFamily(o.Families, r.nodes.list, !slices.ContainsFunc(surveyed.Nodes, elsewhere)); err != nil {
		return err
	}
	r.overlay = overlay(decided, surveyed)
	r.ends = ends(decided, surveyed)
	r.runsAs = decided.RunsAs
	return nil
}

// NoFamily is the error for address families that no two nodes have pods of.
type NoFamily struct {
	Family int      // one that was asked for
	On     []string // the nodes that have it, at most one
	Have   []int    // the families of the others
}

func (e *NoFamily) Error() string {
	if len(e.On) > 0 {
		return fmt.Sprintf("--family %d: only %s has an IPv%[1]d pod range", e.Family, e.On[0])
	}
	return fmt.Sprintf("--family %d: no node has an IPv%[1]d pod range", e.Family)
}

// Hint names the families that could be tested.
func (e *NoFamily) Hint() string {
	if len(e.Have) == 1 {
		return fmt.Sprintf("omit --family: the pods have IPv%d only", e.Have[0])
	}
	return "omit --family"
}

// ExitCode is that of a usage error.
func (e *NoFamily) ExitCode() int { return 2 }

// missingFamily returns NoFamily if none of the families can be tested. That is
// known before any pod is there where pods get their addresses from the nodes'
// ranges, as with Flannel; others have ranges of their own.
func missingFamily(families []int, nodes []evidence.Node, fromNodes bool) error {
	on := map[int][]string{}
	for _, n := range nodes {
		fromNodes = fromNodes && len(n.PodCIDRs) > 0
		for _, family := range []int{4, 6} {
			if slices.ContainsFunc(n.PodCIDRs, func(p netip.Prefix) bool { return p.Addr().Is4() == (family == 4) }) {
				on[family] = append(on[family], n.Name)
			}
		}
	}
	tested := func(family int) bool { return len(on[family]) > 1 }
	if !fromNodes || len(nodes) < 2 || len(families) == 0 || slices.ContainsFunc(families, tested) {
		return nil
	}
	missing := &NoFamily{Family: families[0], On: on[families[0]]}
	for _, family := range []int{4, 6} {
		if tested(family) {
			missing.Have = append(missing.Have, family)
		}
	}
	return missing
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

// reasons says why nodes take no part, and which, those aside that were not
// selected.
func reasons(nodes []evidence.Node) []string {
	excluded := map[string][]string{}
	for _, n := range nodes {
		if !n.Chosen {
			excluded[n.Excluded] = append(excluded[n.Excluded], n.Name)
		}
	}
	var lines []string
	for _, reason := range slices.Sorted(maps.Keys(excluded)) {
		lines = append(lines, some(excluded[reason])+": "+reason)
	}
	return lines
}

// Survey records what the API says of the cluster, as a run does first. It creates
// nothing. Its error is a *Failure.
func Survey(ctx context.Context, o Options) (*recording.Recording, error) {
	r := newRun(o)
	if err := r.phase(ctx, "reading cluster state", r.survey); err != nil {
		return nil, err
	}
	return r.Evidence(), nil
}
