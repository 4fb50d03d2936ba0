package run

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// idle is how long a pod waits for its session. One is opened as soon as the
// pod is Ready, or when those before it in the queue are.
const idle = time.Minute

// objects says what a run of these options creates on so many nodes, 0 while
// that is not known. Every pod ends by itself if the plugin does not end it: at
// once when its session breaks, after idle if none came, and at its deadline in
// any case. The run's quotas admit as many pods as it makes.
func (o Options) objects(nodes int) manifests.Run {
	objects := o.Objects
	objects.Lifetime = (o.Timeout + o.Lasts + time.Minute).Round(time.Second)
	objects.Idle = idle
	objects.Nodes = nodes
	objects.NewPods = o.NewPods
	objects.Services = o.tests(evidence.ScopeServices)
	objects.Trials = slices.Contains(o.roles(), RoleTrial)
	objects.ToNodes = len(o.Scope) > 0
	if nodes > 0 {
		objects.NewPods = len(newPodNodes(nodes, o.NewPods))
	}
	return objects
}

// Objects returns what a run of these options would create, in order. It asks
// the cluster only which nodes there are, and only if they are not named.
func Objects(ctx context.Context, o Options) ([]any, error) {
	nodes, err := nodesFor(ctx, o)
	if err != nil {
		return nil, err
	}
	run := o.objects(len(nodes.list))
	objects, err := around(run)
	if err != nil {
		return nil, err
	}
	placings := nodes.placings(o.roles())
	for _, i := range newPodNodes(len(nodes.list), o.NewPods) {
		placings = append(placings, newPodPlacing(&nodes.list[i], nil))
	}
	for _, placing := range placings {
		job, err := run.JobObject(placing)
		if err != nil {
			return nil, err
		}
		objects = append(objects, job)
	}
	return withServices(run, nodes, objects)
}

// nodesFor returns the nodes that a run of these options would test.
func nodesFor(ctx context.Context, o Options) (nodes nodes, err error) {
	names := o.Selection.Names
	if len(names) == 0 {
		survey, err := o.Cluster.Survey(ctx, o.Selection)
		if err != nil {
			return nodes, err
		}
		for _, n := range survey.Nodes {
			if n.Index >= 0 {
				names = append(names, n.Name)
			}
		}
	}
	for i, name := range names {
		nodes.list = append(nodes.list, evidence.Node{Index: i, Name: name})
	}
	return nodes, nil
}

// around returns what is created besides the Jobs.
func around(run manifests.Run) (objects []any, err error) {
	if run.Own() {
		if objects, err = guards(run); err != nil {
			return nil, err
		}
	}
	if run.NewPods == 0 {
		return objects, nil
	}
	const made = "made by the run"
	secret, err := run.SecretObject(map[string]string{evidence.EnvMark: made, evidence.EnvKey: made}, nil)
	return append(objects, secret), err
}

// guards returns the run's own namespaces and what guards them.
func guards(run manifests.Run) (objects []any, err error) {
	namespaces, err := run.NamespaceObjects()
	if err != nil {
		return nil, err
	}
	quotas, err := run.QuotaObjects()
	if err != nil {
		return nil, err
	}
	for _, namespace := range namespaces {
		objects = append(objects, namespace)
	}
	for _, quota := range quotas {
		objects = append(objects, quota)
	}
	policy, err := run.PolicyObject()
	return append(objects, policy), err
}

// NewID returns a random name for a run, made of letters and digits that no
// one confuses and that spell no word.
func NewID() string {
	const letters = "bcdfghjkmnpqrstvwxz23456789"
	id := make([]byte, 6)
	rand.Read(id) // never fails
	for i := range id {
		id[i] = letters[int(id[i])%len(letters)]
	}
	return string(id)
}
