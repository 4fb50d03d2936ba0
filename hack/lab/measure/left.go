package measure

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/hollow"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/synthetic"
)

// patience is how long the cluster may take to remove what a run has made.
const patience = 5 * time.Minute

var ours = meta.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=kubectl-wg"}

// await waits until the namespace of the run is gone: the plugin does not.
func (c Cluster) await(ctx context.Context, client kubernetes.Interface) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not within %s", patience))
	defer cancel()
	for {
		list, err := client.CoreV1().Namespaces().List(ctx, ours)
		if err != nil && !apierrors.IsTooManyRequests(err) {
			return fmt.Errorf("waiting for the namespace to be gone: %w", err)
		}
		if err == nil && len(list.Items) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the namespace to be gone: %w", context.Cause(ctx))
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// census asks the process that stands for all nodes, by the API server's way to the first of them.
func (c Cluster) census(ctx context.Context, client kubernetes.Interface) (census hollow.Census, err error) {
	data, err := client.CoreV1().RESTClient().Get().Resource("nodes").Name(synthetic.Name(1)).SubResource("proxy").Suffix("census").DoRaw(ctx)
	if err == nil {
		err = json.Unmarshal(data, &census)
	}
	if err != nil {
		return census, fmt.Errorf("asking the nodes what runs on them: %w", err)
	}
	return census, nil
}

type leftovers struct {
	things []string
	census hollow.Census
}

// slack is by how many goroutines the nodes may differ from before: connections that are kept for a while.
const slack = 40

// left lists the objects of the run, the sessions, and the goroutines that were not there before.
func (c Cluster) left(ctx context.Context, client kubernetes.Interface, before hollow.Census) (left leftovers, err error) {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(500 * time.Millisecond) {
		if left.census, err = c.census(ctx, client); err != nil {
			return left, err
		}
		if left.census.Sessions == 0 && left.census.Goroutines <= before.Goroutines+slack || time.Now().After(end) {
			break
		}
	}
	pods, err := client.CoreV1().Pods(meta.NamespaceAll).List(ctx, ours)
	if err != nil {
		return left, fmt.Errorf("listing the pods that are left: %w", err)
	}
	jobs, err := client.BatchV1().Jobs(meta.NamespaceAll).List(ctx, ours)
	if err != nil {
		return left, fmt.Errorf("listing the Jobs that are left: %w", err)
	}
	for _, kind := range []struct {
		what  string
		count int
	}{
		{"pods", len(pods.Items)}, {"Jobs", len(jobs.Items)}, {"sessions", left.census.Sessions},
		{"goroutines of nodes", max(0, left.census.Goroutines-before.Goroutines-slack)},
	} {
		if kind.count > 0 {
			left.things = append(left.things, fmt.Sprintf("%d %s", kind.count, kind.what))
		}
	}
	return left, nil
}
