package measure

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/hollow"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/synthetic"
)

// ours selects what runs make.
var ours = meta.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=kubectl-wg"}

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
