package cluster

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// networkPods are how the pods are recognised that make a network's WireGuard
// devices, by the labels of each project's own manifests, and which of their
// containers speak of it.
var networkPods = []struct {
	selector   string
	containers []string
}{
	{"k8s-app in (flannel,canal,calico-node,cilium)", []string{"kube-flannel", "calico-node", "cilium-agent"}},
	{"app in (flannel,antrea,submariner-gateway)", []string{"kube-flannel", "antrea-agent", "submariner-gateway"}},
	{"app.kubernetes.io/name=kilo", []string{"kilo"}},
}

// LogSource is a container whose log may be about WireGuard.
type LogSource struct {
	Namespace, Pod, Container string
	Node                      string
	// Previous is the instance of the container before the one that runs now.
	Previous bool
}

// LogSources returns the containers of the network's pods, in one namespace or in
// all, that of an instance that ended included. Without names it returns those of
// all nodes.
func (c *Client) LogSources(ctx context.Context, namespace string, nodes []string) (sources []LogSource, err error) {
	for _, kind := range networkPods {
		options := metav1.ListOptions{LabelSelector: kind.selector}
		page := func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return c.api.CoreV1().Pods(namespace).List(ctx, options)
		}
		_, err := c.list(ctx, "pods", options, page, func(object runtime.Object) {
			pod, ok := object.(*corev1.Pod)
			if !ok || len(nodes) > 0 && !slices.Contains(nodes, pod.Spec.NodeName) {
				return
			}
			for _, source := range logSourcesOf(pod, kind.containers) {
				if !slices.Contains(sources, source) {
					sources = append(sources, source)
				}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(sources, func(a, b LogSource) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod),
			cmp.Compare(a.Container, b.Container))
	})
	return sources, nil
}

// logSourcesOf returns those of a pod's containers that have begun.
func logSourcesOf(pod *corev1.Pod, names []string) (sources []LogSource) {
	for _, status := range pod.Status.ContainerStatuses {
		if !slices.Contains(names, status.Name) {
			continue
		}
		source := LogSource{Namespace: pod.Namespace, Pod: pod.Name, Container: status.Name, Node: pod.Spec.NodeName}
		if status.RestartCount > 0 {
			previous := source
			previous.Previous = true
			sources = append(sources, previous)
		}
		if status.State.Running != nil || status.State.Terminated != nil {
			sources = append(sources, source)
		}
	}
	return sources
}

// maxLog is how much of one container's log is read that is not followed, in bytes.
const maxLog = 32 << 20

// maxLogLine is how much is read of one line; the rest of it is left out.
const maxLogLine = 16 << 10

// Log passes the lines of a container's log from some time on to each, with the
// time at which the kubelet read them before them. If it follows the log, it ends
// with the container or with ctx.
func (c *Client) Log(
	ctx context.Context, source LogSource, since time.Time, follow bool, each func(line string),
) error {
	from := metav1.NewTime(since)
	options := &corev1.PodLogOptions{
		Container: source.Container, Previous: source.Previous, Follow: follow, Timestamps: true, SinceTime: &from,
	}
	if !follow {
		limit := int64(maxLog)
		options.LimitBytes = &limit
	}
	stream, err := c.api.CoreV1().Pods(source.Namespace).GetLogs(source.Pod, options).Stream(ctx)
	switch {
	case apierrors.IsForbidden(err):
		return &NoLogAccess{err}
	case err != nil:
		return fmt.Errorf("reading the log of %s: %w", source.Pod, err)
	}
	defer stream.Close()
	return eachLine(stream, each)
}

// eachLine passes each line to a function, cut to maxLogLine.
func eachLine(from io.Reader, each func(string)) error {
	lines := bufio.NewReaderSize(from, maxLogLine)
	for cut := false; ; {
		line, prefix, err := lines.ReadLine()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading a log: %w", err)
		}
		if !cut {
			each(string(line))
		}
		cut = prefix
	}
}

// LogGone reports whether there is no such container any more, so that there is
// nothing to follow.
func LogGone(err error) bool { return apierrors.IsNotFound(err) }

// NoLogAccess is the error for an operator who may not read logs of pods.
type NoLogAccess struct{ err error }

func (e *NoLogAccess) Error() string {
	return fmt.Sprintf("your user is not allowed to: get pods/log (%v)", e.err)
}

func (e *NoLogAccess) Unwrap() error { return e.err }

// Hint is the commands by which an administrator gives the permission.
func (e *NoLogAccess) Hint() string {
	return "ask a cluster admin to run: " +
		"kubectl create clusterrole kubectl-wg-logs --verb=get,list --resource=pods,pods/log && " +
		"kubectl create clusterrolebinding kubectl-wg-logs --clusterrole=kubectl-wg-logs --user=NAME"
}
