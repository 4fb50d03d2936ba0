package hollow

import (
	"context"
	"errors"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/synthetic"
)

// A pod of node 7 from its creation to its removal, as the API shows it:
//
//	Pending ─▶ Running, Ready, 10.128.7.2 ─▶ session ─▶ Succeeded ─▶ deleted ─▶ gone
func TestPodLivesAsLongAsItsAgent(t *testing.T) {
	world, err := synthetic.NewWorld(10)
	if err != nil {
		t.Fatal(err)
	}
	object := &core.Pod{
		ObjectMeta: meta.ObjectMeta{Name: "pod-6", Namespace: "run", UID: "u"},
		Spec:       core.PodSpec{NodeName: synthetic.Name(7), Containers: []core.Container{{Name: "agent", Image: "probe"}}},
		Status:     core.PodStatus{Phase: core.PodPending},
	}
	client := fake.NewClientset(object)
	p := newPods(client, world)
	// The work is done here, one by one.
	work := func() *core.Pod {
		t.Helper()
		select {
		case do := <-p.work:
			do(t.Context())
		default:
			t.Fatal("there is nothing to do")
		}
		got, err := client.CoreV1().Pods("run").Get(t.Context(), "pod-6", meta.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
		if err != nil {
			return nil
		}
		return got
	}

	s := &session{cancel: func(error) {}}
	if _, err := p.enter("run/pod-6", s); err == nil {
		t.Error("a pod that was not seen takes a session")
	}
	p.see(object, false)
	running := work()
	if running.Status.Phase != core.PodRunning || running.Status.PodIP != "10.128.7.2" || running.Status.HostIP != "198.18.0.7" || len(running.Status.ContainerStatuses) != 1 {
		t.Errorf("started: %+v", running.Status)
	}
	p.see(running, false)
	if len(p.work) != 0 {
		t.Error("it is started twice")
	}
	if node, err := p.enter("run/pod-6", s); node != synthetic.Name(7) || err != nil {
		t.Errorf("session on %q, %v", node, err)
	}
	p.leave("run/pod-6", s)
	if ended := work(); ended.Status.Phase != core.PodSucceeded {
		t.Errorf("its agent has ended, and it is %s", ended.Status.Phase)
	}
	if _, err := p.enter("run/pod-6", s); err == nil {
		t.Error("a pod that has ended takes a session")
	}
	running.DeletionTimestamp = &meta.Time{Time: time.Now()}
	p.see(running, false)
	if work() != nil {
		t.Error("the deleted pod is there")
	}
	p.see(running, true)
	if len(p.known)+len(p.names)+p.open != 0 || p.most != 1 {
		t.Errorf("left: %v %v, %d sessions, %d at most", p.known, p.names, p.open, p.most)
	}
}

// Deleting a pod ends what runs in it.
func TestDeletionEndsTheSession(t *testing.T) {
	world, err := synthetic.NewWorld(2)
	if err != nil {
		t.Fatal(err)
	}
	p := newPods(fake.NewClientset(), world)
	object := &core.Pod{ObjectMeta: meta.ObjectMeta{Name: "a", Namespace: "run", UID: "u"}, Spec: core.PodSpec{NodeName: synthetic.Name(1), HostNetwork: true}}
	object.Status.Phase = core.PodRunning
	p.see(object, false)
	ctx, cancel := context.WithCancelCause(t.Context())
	if _, err := p.enter("run/a", &session{cancel}); err != nil {
		t.Fatal(err)
	}
	p.see(object, true)
	if cause := context.Cause(ctx); cause == nil || errors.Is(cause, context.Canceled) {
		t.Errorf("the session ended by %v", cause)
	}
	stranger := object.DeepCopy()
	stranger.UID, stranger.Spec.NodeName = "v", "node-1"
	if p.see(stranger, false); len(p.known) != 0 {
		t.Error("a pod of another's node is run")
	}
}

func TestEachReturnsTheFirstError(t *testing.T) {
	want := errors.New("no")
	done := make(chan int, 100)
	err := each(100, func(i int) error {
		done <- i
		if i == 40 {
			return want
		}
		return nil
	})
	if !errors.Is(err, want) || len(done) != 100 {
		t.Errorf("%v after %d of 100", err, len(done))
	}
}
