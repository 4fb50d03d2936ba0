package run

import (
	"context"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Objects returns what a run of these options would create, in order. It asks
// the cluster only which nodes there are, and only if they are not named.
func Objects(ctx context.Context, o Options) ([]any, error) {
	v := &verification{Options: o}
	v.setLifetime()
	names := o.Selection.Names
	if len(names) == 0 {
		survey, err := o.Cluster.Survey(ctx, o.Selection)
		if err != nil {
			return nil, err
		}
		for _, n := range survey.Nodes {
			if n.Index >= 0 {
				names = append(names, n.Name)
			}
		}
	}
	for i, name := range names {
		v.nodes = append(v.nodes, evidence.Node{Index: i, Name: name})
	}
	var objects []any
	if o.Objects.Namespace == "" {
		namespace, err := v.Options.Objects.NamespaceObject()
		if err != nil {
			return nil, err
		}
		objects = append(objects, namespace)
	}
	placings := v.placings()
	for _, i := range newcomerNodes(len(v.nodes), o.NewPods) {
		placings = append(placings, manifests.Placing{Role: manifests.Newcomer, Index: i, Node: v.nodes[i].Name})
	}
	for _, placing := range placings {
		job, err := v.Options.Objects.JobObject(placing)
		if err != nil {
			return nil, err
		}
		objects = append(objects, job)
	}
	return objects, nil
}
