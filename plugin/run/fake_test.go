package run

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// world is a cluster without machines: the API is client-go's fake, a Job's
// pod appears at once, and its agent runs in this process.
//
//	plugin ──fake API──▶ Jobs ─▶ pods 10.42.N.2
//	   └───────pipes──▶ agents, one goroutine each
type world struct {
	api    *fake.Clientset
	client *cluster.Client

	mu        sync.Mutex
	agent     func(ctx context.Context, role, node string, stdin io.Reader, stdout io.Writer) error
	pod       func(job *batchv1.Job, pod *corev1.Pod) // changes a pod before it appears
	sessions  int
	lastWords string            // of every agent, on stderr
	secret    map[string]string // of new pods
}

func newWorld(t *testing.T, nodes ...string) *world {
	t.Helper()
	var objects []runtime.Object
	for i, name := range nodes {
		objects = append(objects, &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       corev1.NodeSpec{PodCIDRs: []string{fmt.Sprintf("10.42.%d.0/24", i)}},
			Status: corev1.NodeStatus{
				NodeInfo:   corev1.NodeSystemInfo{OperatingSystem: "linux", KubeletVersion: "v1.36.3+k3s1"},
				Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
				Addresses:  []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("192.0.2.%d", i+1)}},
			},
		})
	}
	w := &world{api: fake.NewSimpleClientset(objects...), pod: func(*batchv1.Job, *corev1.Pod) {}, agent: honest}
	w.api.PrependReactor("create", "selfsubjectaccessreviews", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, &authorizationv1.SelfSubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{Allowed: true}}, nil
	})
	w.api.PrependReactor("create", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		create := action.(clienttesting.CreateActionImpl)
		if len(create.CreateOptions.DryRun) > 0 {
			return true, create.Object, nil
		}
		switch object := create.Object.(type) {
		case *batchv1.Job:
			w.start(t, object)
		case *corev1.Secret:
			w.secret = object.StringData
		case *corev1.ResourceQuota: // as the controller that counts them
			object.Status.Hard = object.Spec.Hard
		}
		return false, nil, nil
	})
	objectsOf := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		{Group: "crd.projectcalico.org", Version: "v1", Resource: "felixconfigurations"}: "FelixConfigurationList",
		{Group: "crd.projectcalico.org", Version: "v1", Resource: "ippools"}:             "IPPoolList",
		{Group: "crd.projectcalico.org", Version: "v1", Resource: "blockaffinities"}:     "BlockAffinityList",
		{Group: "cilium.io", Version: "v2", Resource: "ciliumnodes"}:                     "CiliumNodeList",
	})
	w.client = cluster.New(w.api, objectsOf, w, slog.New(slog.DiscardHandler))
	return w
}

// start makes the pod of a Job, as the Job controller, the scheduler and the
// kubelet would.
func (w *world) start(t *testing.T, job *batchv1.Job) {
	index, _ := strconv.Atoi(strings.Split(job.Name, "-")[3]) // wg-RUN-ROLE-INDEX
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: job.Name + "-abcde", Namespace: job.Namespace, Labels: job.Spec.Template.Labels, ResourceVersion: "1",
		},
		Spec: corev1.PodSpec{NodeName: job.Annotations[manifests.AnnotationNode]},
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			PodIPs:     []corev1.PodIP{{IP: fmt.Sprintf("10.42.%d.2", index)}},
		},
	}
	w.pod(job, pod)
	// Reactors hold the fake's lock, so they speak to the tracker beneath it.
	if err := w.api.Tracker().Create(corev1.SchemeGroupVersion.WithResource("pods"), pod, job.Namespace); err != nil {
		t.Error(err)
	}
}

// Exec runs an agent in this process.
func (w *world) Exec(ctx context.Context, namespace, pod string, _ []string, stdin io.Reader, stdout, stderr io.Writer) error {
	io.WriteString(stderr, w.lastWords)
	w.mu.Lock()
	w.sessions++
	w.mu.Unlock()
	found, err := w.api.CoreV1().Pods(namespace).Get(ctx, pod, metav1.GetOptions{})
	if err != nil {
		return err
	}
	return w.agent(ctx, found.Labels["app.kubernetes.io/component"], found.Spec.NodeName, stdin, stdout)
}

// honest is an agent that answers everything and has seen nothing.
func honest(_ context.Context, role, node string, stdin io.Reader, stdout io.Writer) error {
	out := evidence.NewWriter(stdout)
	return evidence.ReadRequests(stdin, func(r *evidence.Request) error {
		switch {
		case r.Start != nil:
			return out.Write(evidence.Message{Hello: &evidence.Hello{Schema: evidence.Schema, Role: role, Node: node}})
		case r.End != nil:
			return out.Bye()
		case r.Listen != nil:
			return out.Write(evidence.Message{Ready: &evidence.Ready{Request: r.ID, What: "listen", Ports: map[string]uint16{"udp4": 4000, "tcp4": 4001}}})
		}
		return out.Write(evidence.Message{Ready: &evidence.Ready{Request: r.ID}})
	})
}

// quiet shows nothing and keeps what was shown.
type quiet struct {
	mu     sync.Mutex
	phases []string
	notes  []string
	on     func(phase, detail string)
}

func (q *quiet) Phase(name string) { q.say(name, "") }
func (q *quiet) Detail(text string) {
	q.mu.Lock()
	phase := ""
	if len(q.phases) > 0 {
		phase = q.phases[len(q.phases)-1]
	}
	q.mu.Unlock()
	if q.on != nil {
		q.on(phase, text)
	}
}
func (q *quiet) Note(text string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.notes = append(q.notes, text)
}
func (q *quiet) say(phase, detail string) {
	q.mu.Lock()
	q.phases = append(q.phases, phase)
	q.mu.Unlock()
	if q.on != nil {
		q.on(phase, detail)
	}
}
