package cluster

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// relistDelay is the time between the end of a watch that RetryWatcher cannot
// continue and the next list.
const relistDelay = time.Second

// follow passes all objects of a kind, and then every change, to see. It returns
// when the first list was read, and continues until the placement stops.
//
// RetryWatcher opens a watch that broke again, from the last change on. If the
// server no longer knows that change, the list is read again. An informer would
// do so too, but it keeps all objects in memory, and while a server is away its
// delays grow to 30 s (client-go tools/cache/reflector.go).
func (p *Placement) follow(ctx, watching context.Context, what string, source *cache.ListWatch) error {
	list := func(ctx context.Context) (version string, err error) {
		return p.client.list(ctx, what, metav1.ListOptions{}, source.ListWithContext, func(item runtime.Object) {
			p.see(watch.Event{Type: watch.Added, Object: item})
		})
	}
	version, err := list(ctx)
	if err != nil {
		return err
	}
	p.following.Go(func() {
		for {
			if err == nil {
				err = p.watch(watching, version, source)
			}
			if !sleep(watching, relistDelay) {
				return
			}
			p.client.log.Debug("listing again", "what", what, "error", err)
			version, err = list(watching)
		}
	})
	return nil
}

// watch passes changes since a version to see until no more can be had.
func (p *Placement) watch(ctx context.Context, version string, source *cache.ListWatch) error {
	changes, err := watchtools.NewRetryWatcherWithContext(ctx, version, source)
	if err != nil {
		return err
	}
	for event := range changes.ResultChan() {
		p.see(event)
	}
	<-changes.Done()
	return nil
}

func (p *Placement) see(event watch.Event) {
	switch object := event.Object.(type) {
	case *corev1.Pod:
		p.seePod(object, event.Type == watch.Deleted)
	case *corev1.Event:
		p.seeEvent(object)
	}
}

func (p *Placement) seePod(pod *corev1.Pod, deleted bool) {
	p.change(func() {
		s := p.slots[jobOf(pod.Name)]
		if s == nil || deleted && s.pod != nil && s.pod.UID != pod.UID {
			return
		}
		// Of many pods the specification takes the most memory, and it is not needed.
		s.pod = &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: pod.Name, UID: pod.UID},
			Spec:       corev1.PodSpec{NodeName: pod.Spec.NodeName},
			Status:     pod.Status,
		}
		ready := podReady(pod) || s.placing.Role == manifests.Newcomer && podDone(pod)
		if ready && !deleted && !s.ready {
			s.ready = true
			s.wait = time.Since(s.created)
		}
		switch {
		case s.failure != nil:
		case deleted:
			s.failure = &evidence.Problem{Class: evidence.ProblemAdmission, Text: "the pod was deleted"}
		default:
			s.fail(podFailure(pod), s.triedAgain())
		}
	})
}

func (p *Placement) seeEvent(event *corev1.Event) {
	p.change(func() {
		name := event.InvolvedObject.Name
		s := p.slots[name]
		if s == nil && event.InvolvedObject.Kind == "Pod" {
			s = p.slots[jobOf(name)]
		}
		if s == nil {
			return
		}
		failure, note := eventFailure(event)
		if note != "" {
			s.note = note
		}
		s.fail(failure, failure != nil && mayPass(failure) && s.again(event))
	})
}

// jobOf cuts the random suffix that the Job controller gives its pods' names.
func jobOf(pod string) string {
	if at := strings.LastIndexByte(pod, '-'); at > 0 {
		return pod[:at]
	}
	return pod
}
