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
	v.countPods()
	objects, err := v.around()
	if err != nil {
		return nil, err
	}
	placings := v.placings()
	for _, i := range newcomerNodes(len(v.nodes), o.NewPods) {
		placings = append(placings, manifests.Placing{
			Role: manifests.Newcomer, Index: i, Node: v.nodes[i].Name, Secrets: newcomerSecrets,
		})
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

// around returns what is created beside the Jobs.
func (v *verification) around() (objects []any, err error) {
	if v.Options.Objects.Own() {
		if objects, err = v.guards(); err != nil {
			return nil, err
		}
	}
	if v.Options.Objects.NewPods == 0 {
		return objects, nil
	}
	const made = "made by the run"
	secret, err := v.Options.Objects.SecretObject(map[string]string{evidence.EnvMark: made, evidence.EnvKey: made}, nil)
	return append(objects, secret), err
}

// guards returns the run's own namespaces and what guards them.
func (v *verification) guards() (objects []any, err error) {
	namespaces, err := v.Options.Objects.NamespaceObjects()
	if err != nil {
		return nil, err
	}
	quotas, err := v.Options.Objects.QuotaObjects()
	if err != nil {
		return nil, err
	}
	for _, namespace := range namespaces {
		objects = append(objects, namespace)
	}
	for _, quota := range quotas {
		objects = append(objects, quota)
	}
	policy, err := v.Options.Objects.PolicyObject()
	return append(objects, policy), err
}
