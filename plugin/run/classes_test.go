package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// asking is an honest agent that shows its requests by role and node. Probes answer
// packets of classes at a port of their own.
func asking(show func(from string, r *evidence.Request)) func(context.Context, string, string, io.Reader, io.Writer) error {
	return func(_ context.Context, role, node string, stdin io.Reader, stdout io.Writer) error {
		out := evidence.NewWriter(stdout)
		return evidence.ReadRequests(stdin, func(r *evidence.Request) error {
			show(role+" "+node, r)
			ready := &evidence.Ready{Request: r.ID}
			switch {
			case r.Start != nil:
				return out.Write(evidence.Message{Hello: &evidence.Hello{Schema: evidence.Schema, Role: role, Node: node}})
			case r.End != nil:
				return out.Bye()
			case r.Listen != nil:
				ready.Ports = map[string]uint16{"udp4": 4000, "tcp4": 4001}
			case r.Answer != nil && role == "probe":
				ready.Ports = map[string]uint16{"udp4": map[string]uint16{"a": 5000, "b": 5001}[node]}
			}
			return out.Write(evidence.Message{Ready: ready})
		})
	}
}

// addresses gives Services the addresses that an API server would.
func (w *world) addresses(t *testing.T, services *[]*corev1.Service, refuse bool) {
	t.Helper()
	var mu sync.Mutex
	w.api.PrependReactor("create", "services", func(action clienttesting.Action) (bool, runtime.Object, error) {
		mu.Lock()
		defer mu.Unlock()
		service := action.(clienttesting.CreateAction).GetObject().(*corev1.Service)
		if refuse {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "services"}, service.Name, errors.New("no node ports"))
		}
		last := service.Name[len(service.Name)-1:]
		service.Spec.ClusterIPs = []string{"10.43.0.1" + last}
		service.Spec.Ports[0].NodePort = 30000 + int32(last[0]-'0')
		*services = append(*services, service)
		return true, service, nil
	})
}

// Pods send to the Services of the others' pods and to other nodes, probes to pods and
// nodes, each where it is to be reached.
func TestScopeIsAskedFor(t *testing.T) {
	w := newWorld(t, "a", "b")
	var services []*corev1.Service
	w.addresses(t, &services, false)
	var mu sync.Mutex
	sent := map[string][]string{}
	answered := 0
	w.agent = asking(func(from string, r *evidence.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Answer != nil {
			answered++
		}
		if r.Reach != nil {
			for _, target := range r.Reach.Targets {
				sent[from] = append(sent[from], fmt.Sprintf("%s %d %s", target.Class, target.Index, target.Addr))
			}
		}
	})
	scope := []string{evidence.ScopeServices, evidence.ScopeHosts}
	out := w.verify(t.Context(), func(o *Options) { o.Scope = scope })
	if out.err != nil {
		t.Fatal(out.err)
	}
	want := map[string][]string{
		"pod a": {
			"pod-cluster-ip 1 10.43.0.11:9477", "pod-node-port 1 192.0.2.1:30001", "pod-node-port-far 1 192.0.2.2:30001",
			"pod-node 1 192.0.2.2:5001",
		},
		"probe a": {"node-pod 1 10.42.1.2:9477", "node-node 1 192.0.2.2:5001"},
		"probe b": {"node-pod 0 10.42.0.2:9477", "node-node 0 192.0.2.1:5000"},
	}
	for from, targets := range want {
		if !slices.Equal(sent[from], targets) {
			t.Errorf("%s sent to %q, want %q", from, sent[from], targets)
		}
	}
	if answered != 4 || len(sent) != 4 || !slices.Equal(out.judgement.Graph.Run.Scope, scope) {
		t.Errorf("%d answer, %d send; %v", answered, len(sent), out.judgement.Graph.Run.Scope)
	}
	for _, s := range services {
		job := "wg-test22-pod-" + s.Name[len(s.Name)-1:]
		if s.Namespace != "kubectl-wg-test22-pods" || s.Spec.Selector["job-name"] != job || len(s.OwnerReferences) != 0 {
			t.Errorf("%+v", s)
		}
	}
}

// Questions go to the pods of the DNS on other nodes, and to no others.
func TestScopeDNS(t *testing.T) {
	w := newWorld(t, "a", "b")
	server := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "dns", Namespace: metav1.NamespaceSystem, Labels: map[string]string{"k8s-app": "kube-dns"},
		},
		Spec: corev1.PodSpec{NodeName: "b"},
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			PodIPs:     []corev1.PodIP{{IP: "10.42.1.9"}},
		},
	}
	if err := w.api.Tracker().Add(server); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var sent []string
	w.agent = asking(func(from string, r *evidence.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Reach != nil {
			for _, target := range r.Reach.Targets {
				sent = append(sent, fmt.Sprintf("%s: %s %d %s", from, target.Class, target.Index, target.Addr))
			}
		}
	})
	out := w.verify(t.Context(), func(o *Options) { o.Scope = []string{evidence.ScopeDNS} })
	if out.err != nil || !slices.Equal(sent, []string{"pod a: pod-dns 1 10.42.1.9:53"}) {
		t.Errorf("%q, %v", sent, out.err)
	}
	g := out.judgement.Graph
	there, back := g.Edge(g.Nodes[0], g.Nodes[1], 4), g.Edge(g.Nodes[1], g.Nodes[0], 4)
	if len(g.Run.DNS) != 1 || len(out.judgement.ClassesOf(there)) != 1 || len(out.judgement.ClassesOf(back)) != 0 {
		t.Errorf("%+v: %+v, %+v", g.Run.DNS, out.judgement.ClassesOf(there), out.judgement.ClassesOf(back))
	}
}

// Pods send to the new pods of others that have ended, where they were, and nobody is
// asked to answer. One that did not start is nowhere.
func TestScopeEnded(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.pod = func(job *batchv1.Job, pod *corev1.Pod) {
		switch {
		case job.Labels[manifests.LabelRole] != manifests.Newcomer:
		case job.Annotations[manifests.AnnotationNode] == "c":
			pod.Status = corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted"}
		default:
			pod.Status.Phase = corev1.PodSucceeded
			pod.Status.Conditions = nil
		}
	}
	var mu sync.Mutex
	sent := map[string][]string{}
	w.agent = asking(func(from string, r *evidence.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Answer != nil {
			t.Errorf("%s is to answer", from)
		}
		if r.Reach != nil {
			sent[from] = []string{}
			for _, target := range r.Reach.Targets {
				sent[from] = append(sent[from], fmt.Sprintf("%s %d %s", target.Class, target.Index, target.Addr))
			}
		}
	})
	out := w.verify(t.Context(), func(o *Options) { o.Scope, o.NewPods = []string{evidence.ScopeEnded}, 8 })
	if out.err != nil {
		t.Fatal(out.err)
	}
	ended := map[string]string{}
	for _, m := range out.recording.Messages(evidence.PluginStream) {
		if m.Pod != nil && m.Pod.Role == manifests.Newcomer {
			ended[m.Pod.Node] = fmt.Sprint(m.Pod.Ended, m.Pod.IPs)
		}
	}
	toA, toB := "pod-ended 0 10.42.0.2:9477", "pod-ended 1 10.42.1.2:9477"
	want := map[string][]string{"pod a": {toB}, "pod b": {toA}, "pod c": {toA, toB}}
	if !maps.EqualFunc(sent, want, slices.Equal) || !strings.HasPrefix(ended["a"], "true") ||
		!strings.HasPrefix(ended["c"], "false") {
		t.Errorf("%q, new pods %q", sent, ended)
	}
}

// A run for pods alone makes no Service and asks no agent for anything more.
func TestPodsAlone(t *testing.T) {
	w := newWorld(t, "a", "b")
	var services []*corev1.Service
	w.addresses(t, &services, false)
	w.agent = asking(func(from string, r *evidence.Request) {
		if r.Answer != nil || r.Reach != nil {
			t.Errorf("%s is asked for %+v", from, r)
		}
	})
	out := w.verify(t.Context(), nil)
	if out.err != nil || len(services) != 0 || len(out.judgement.ClassesOf(out.judgement.Graph.Edge(
		out.judgement.Graph.Nodes[0], out.judgement.Graph.Nodes[1], 4))) != 0 {
		t.Errorf("%v, %d Services", out.err, len(services))
	}
}

// A Service that is not admitted fails no run: its classes are not proven, with the
// reason, and its node did start.
func TestServicesAreRefused(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.addresses(t, nil, true)
	out := w.verify(t.Context(), func(o *Options) { o.Scope = []string{evidence.ScopeServices} })
	if out.err != nil {
		t.Fatal(out.err)
	}
	g := out.judgement.Graph
	for _, cell := range out.judgement.ClassesOf(g.Edge(g.Nodes[0], g.Nodes[1], 4)) {
		if cell.Cell != "notProven" {
			t.Errorf("%+v", cell)
		}
	}
	if len(g.Problems) != 2 || g.Problems[0].What != "service" || !strings.Contains(g.Problems[0].Text, "no node ports") ||
		g.Problems[0].On != "" {
		t.Errorf("%+v", g.Problems)
	}
}

// Among more nodes than that nothing is created.
func TestScopeFits(t *testing.T) {
	var names []string
	for i := range maxScopeNodes + 1 {
		names = append(names, fmt.Sprintf("n%02d", i))
	}
	w := newWorld(t, names...)
	out := w.verify(t.Context(), func(o *Options) { o.Scope = []string{evidence.ScopeHosts} })
	var large *ScopeTooLarge
	jobs, err := w.api.BatchV1().Jobs("").List(t.Context(), metav1.ListOptions{})
	if !errors.As(out.err, &large) || large.Hint() == "" || err != nil || len(jobs.Items) != 0 {
		t.Errorf("%v, %d Jobs, %v", out.err, len(jobs.Items), err)
	}
}

// What would be created is shown, Services only where they are asked for.
func TestObjectsOfAScope(t *testing.T) {
	w := newWorld(t, "a", "b")
	for scope, want := range map[string]int{evidence.ScopeServices: 2, evidence.ScopeHosts: 0} {
		o := Options{Cluster: w.client, Scope: []string{scope}}
		o.Objects.ID = "test22"
		objects, err := Objects(t.Context(), o)
		services, jobs := 0, 0
		for _, object := range objects {
			switch object.(type) {
			case *corev1.Service:
				services++
			case *batchv1.Job:
				jobs++
			}
		}
		if err != nil || services != want || jobs != 4 {
			t.Errorf("%s: %d Services, %d Jobs, %v", scope, services, jobs, err)
		}
	}
}
