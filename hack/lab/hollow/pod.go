package hollow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/synthetic"
)

// pods are those of all nodes.
type pods struct {
	client kubernetes.Interface
	world  *synthetic.World
	work   chan func(context.Context)

	mu    sync.Mutex
	known map[types.UID]*pod
	names map[string]*pod // by namespace/name
	given map[int]int     // pod addresses, by node
	// open sessions, and the most there ever were.
	open, most int
}

// pod is one pod. Its fields but the first are guarded by pods.
type pod struct {
	namespace, name string
	uid             types.UID
	node            string
	started, ended  bool
	sessions        map[*session]bool
}

func newPods(client kubernetes.Interface, world *synthetic.World) *pods {
	return &pods{
		client: client, world: world, work: make(chan func(context.Context), 1<<14),
		known: map[types.UID]*pod{}, names: map[string]*pod{}, given: map[int]int{},
	}
}

// follow runs the pods until ctx ends.
func (p *pods) follow(ctx context.Context) error {
	for range parallel {
		go func() {
			for {
				select {
				case do := <-p.work:
					do(ctx)
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	for ctx.Err() == nil {
		watching, err := p.client.CoreV1().Pods(meta.NamespaceAll).Watch(ctx, meta.ListOptions{FieldSelector: "spec.nodeName!="})
		if err != nil {
			slog.Warn("watching the pods", "error", err)
			time.Sleep(time.Second)
			continue
		}
		for event := range watching.ResultChan() {
			if object, ok := event.Object.(*core.Pod); ok {
				p.see(object, event.Type == watch.Deleted)
			}
		}
	}
	return context.Cause(ctx)
}

// see does what kubelet does when it sees a pod: start it, or end it.
func (p *pods) see(object *core.Pod, gone bool) {
	node := p.world.Number(object.Spec.NodeName)
	if node == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.known[object.UID]
	switch {
	case gone:
		if one != nil {
			p.end(one)
			delete(p.known, object.UID)
			delete(p.names, object.Namespace+"/"+object.Name)
		}
		return
	case one == nil:
		one = &pod{namespace: object.Namespace, name: object.Name, uid: object.UID, node: object.Spec.NodeName, sessions: map[*session]bool{}}
		one.started = object.Status.Phase == core.PodRunning // by an earlier process
		p.known[object.UID], p.names[object.Namespace+"/"+object.Name] = one, one
	}
	switch {
	case object.DeletionTimestamp != nil:
		p.end(one)
		p.work <- func(ctx context.Context) { p.delete(ctx, one) }
	case !one.started && object.Status.Phase == core.PodPending:
		one.started = true
		status := running(object, p.address(node, object.Spec.HostNetwork), synthetic.Address(node))
		p.work <- func(ctx context.Context) {
			for _, container := range object.Spec.Containers {
				p.world.Bring(node, container.Command, p.mark(ctx, object.Namespace, container.Env))
			}
			p.say(ctx, one, status)
		}
	}
}

// mark reads the mark of a run from the Secret that a variable names, empty if there is none.
func (p *pods) mark(ctx context.Context, namespace string, variables []core.EnvVar) string {
	for _, variable := range variables {
		if variable.Name != "WG_PROBE_MARK" || variable.ValueFrom == nil || variable.ValueFrom.SecretKeyRef == nil {
			continue
		}
		from := variable.ValueFrom.SecretKeyRef
		secret, err := p.client.CoreV1().Secrets(namespace).Get(ctx, from.Name, meta.GetOptions{})
		if err != nil {
			slog.Warn("reading a new pod's secret", "error", err)
			return ""
		}
		return string(secret.Data[from.Key])
	}
	return ""
}

// address is the node's own, or the next of its pod range; the first belongs to the bridge.
func (p *pods) address(node int, hostNetwork bool) netip.Addr {
	if hostNetwork {
		return synthetic.Address(node)
	}
	raw := synthetic.PodRange(node).Addr().As4()
	raw[3] = byte(2 + p.given[node]%250)
	p.given[node]++
	return netip.AddrFrom4(raw)
}

// end ends the pod's sessions, as the death of its first process does.
func (p *pods) end(one *pod) {
	one.ended = true
	for s := range one.sessions {
		s.cancel(errors.New("the pod has ended"))
	}
}

// enter begins a session in a running pod.
func (p *pods) enter(name string, s *session) (node string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.names[name]
	if one == nil || !one.started || one.ended {
		return "", fmt.Errorf("pod %s does not run", name)
	}
	one.sessions[s] = true
	p.open++
	p.most = max(p.most, p.open)
	return one.node, nil
}

// leave ends a session. The container ends with its agent, and so does the pod.
func (p *pods) leave(name string, s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
	one := p.names[name]
	if one == nil || !one.sessions[s] {
		return
	}
	delete(one.sessions, s)
	if len(one.sessions) == 0 && !one.ended {
		one.ended = true
		p.work <- func(ctx context.Context) { p.say(ctx, one, succeeded) }
	}
}

// say patches the pod's status.
func (p *pods) say(ctx context.Context, one *pod, status core.PodStatus) {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": one.uid}, "status": status})
	if err == nil {
		_, err = p.client.CoreV1().Pods(one.namespace).Patch(ctx, one.name, types.StrategicMergePatchType, patch, meta.PatchOptions{}, "status")
	}
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) && ctx.Err() == nil {
		slog.Warn("saying how a pod is", "pod", one.name, "error", err)
	}
}

func (p *pods) delete(ctx context.Context, one *pod) {
	now := int64(0)
	err := p.client.CoreV1().Pods(one.namespace).Delete(ctx, one.name, meta.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: &meta.Preconditions{UID: &one.uid},
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) && ctx.Err() == nil {
		slog.Warn("removing a pod", "pod", one.name, "error", err)
	}
}

func running(object *core.Pod, address, host netip.Addr) core.PodStatus {
	now := meta.Now()
	status := core.PodStatus{
		Phase: core.PodRunning, StartTime: &now, HostIP: host.String(), HostIPs: []core.HostIP{{IP: host.String()}},
		PodIP: address.String(), PodIPs: []core.PodIP{{IP: address.String()}},
	}
	for _, kind := range []core.PodConditionType{core.PodInitialized, core.PodReady, core.ContainersReady} {
		status.Conditions = append(status.Conditions, core.PodCondition{Type: kind, Status: core.ConditionTrue, LastTransitionTime: now})
	}
	started := true
	for _, container := range object.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, core.ContainerStatus{
			Name: container.Name, Image: container.Image, Ready: true, Started: &started,
			State: core.ContainerState{Running: &core.ContainerStateRunning{StartedAt: now}},
		})
	}
	return status
}

// succeeded is what changes when a pod's process has ended in good order.
var succeeded = core.PodStatus{Phase: core.PodSucceeded, Conditions: []core.PodCondition{
	{Type: core.PodReady, Status: core.ConditionFalse, Reason: "PodCompleted"},
	{Type: core.ContainersReady, Status: core.ConditionFalse, Reason: "PodCompleted"},
}}
