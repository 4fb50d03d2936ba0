package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
)

// ours is how the product promises to mark all that it makes.
var ours = meta.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=kubectl-wg"}

// left lists all that runs of the command have left, in the API and on the nodes.
func (t *Trial) left(ctx context.Context) ([]string, error) {
	namespaces, err := t.api.CoreV1().Namespaces().List(ctx, ours)
	if err != nil {
		return nil, fmt.Errorf("looking for namespaces that are left: %w", err)
	}
	var left []string
	for _, n := range namespaces.Items {
		left = append(left, "namespace "+n.Name)
	}
	for _, list := range []func(context.Context) ([]string, error){t.jobs, t.probes} {
		more, err := list(ctx)
		if err != nil {
			return nil, err
		}
		left = append(left, more...)
	}
	return left, nil
}

// jobs lists the Jobs and pods of all runs.
func (t *Trial) jobs(ctx context.Context) ([]string, error) {
	jobs, err := t.api.BatchV1().Jobs(meta.NamespaceAll).List(ctx, ours)
	if err != nil {
		return nil, fmt.Errorf("looking for Jobs that are left: %w", err)
	}
	pods, err := t.api.CoreV1().Pods(meta.NamespaceAll).List(ctx, ours)
	if err != nil {
		return nil, fmt.Errorf("looking for pods that are left: %w", err)
	}
	var left []string
	for _, j := range jobs.Items {
		left = append(left, "Job "+j.Name)
	}
	for _, p := range pods.Items {
		left = append(left, "pod "+p.Name)
	}
	return left, nil
}

// probes lists the processes of the probe on all nodes.
func (t *Trial) probes(ctx context.Context) ([]string, error) {
	var left []string
	for _, node := range t.lab.Nodes {
		found, err := t.shell(ctx, node, "pgrep -af '^/wg-probe ' || [ $? = 1 ]")
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(found) {
			left = append(left, "process "+strings.TrimSpace(line)+" on "+node)
		}
	}
	return left, nil
}

// unfinished lists Jobs that have not ended, as far as the cluster knows.
func (t *Trial) unfinished(ctx context.Context) ([]string, error) {
	jobs, err := t.api.BatchV1().Jobs(meta.NamespaceAll).List(ctx, ours)
	if err != nil {
		return nil, fmt.Errorf("looking for Jobs that run: %w", err)
	}
	var running []string
	for _, j := range jobs.Items {
		if j.Status.Succeeded+j.Status.Failed == 0 {
			running = append(running, "unfinished Job "+j.Name)
		}
	}
	return running, nil
}

// notReady lists the nodes that the cluster does not take for Ready, as it does for a while after its API server died.
func (t *Trial) notReady(ctx context.Context) ([]string, error) {
	nodes, err := t.api.CoreV1().Nodes().List(ctx, meta.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("looking for nodes that are not Ready: %w", err)
	}
	var waiting []string
	for _, n := range nodes.Items {
		ready := slices.ContainsFunc(n.Status.Conditions, func(c core.NodeCondition) bool {
			return c.Type == core.NodeReady && c.Status == core.ConditionTrue
		})
		if !ready || len(n.Spec.Taints) > 0 {
			waiting = append(waiting, n.Name+" is not Ready")
		}
	}
	return waiting, nil
}

// sweep removes what a run should not have left, so that the next scenario is not judged for it.
func (t *Trial) sweep(ctx context.Context) error {
	namespaces, err := t.api.CoreV1().Namespaces().List(ctx, ours)
	if err != nil {
		return fmt.Errorf("sweeping: %w", err)
	}
	for _, n := range namespaces.Items {
		if err := t.api.CoreV1().Namespaces().Delete(ctx, n.Name, meta.DeleteOptions{}); err != nil {
			return fmt.Errorf("sweeping: %w", err)
		}
	}
	return until(ctx, patience, t.left)
}

func connect(lab *state.Lab) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", lab.Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.QPS, config.Burst = 200, 400
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return client, nil
}
