package cluster

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// watch opens a watch within ctx and follows it until the placement stops. A
// watch without a resource version begins with everything that is there, so
// one that broke is simply opened again.
func (p *Placement) watch(ctx, watching context.Context, what string, open func(context.Context) (watch.Interface, error)) error {
	var current watch.Interface
	err := p.client.call(ctx, "watching the "+what, func(once context.Context) (err error) {
		// The request's time limit holds until the watch is open, not for its life.
		opening, cancel := context.WithCancel(watching)
		keep := context.AfterFunc(once, cancel)
		if current, err = open(opening); err != nil {
			cancel()
		}
		keep()
		return err
	})
	if err != nil {
		return err
	}
	p.follow.Go(func() {
		wait := 100 * time.Millisecond
		for {
			if current != nil {
				stopped := context.AfterFunc(watching, current.Stop)
				for event := range current.ResultChan() {
					wait = 100 * time.Millisecond
					p.see(event)
				}
				stopped()
				current.Stop()
			}
			if !sleep(watching, wait) {
				return
			}
			wait = min(2*wait, 2*time.Second)
			if current, err = open(watching); err != nil {
				p.client.log.Debug("watching again", "what", what, "error", err)
				current = nil
			}
		}
	})
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
		// Of many pods what was asked for is most of it, and of no more use.
		s.pod = &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: pod.Name, UID: pod.UID},
			Spec:       corev1.PodSpec{NodeName: pod.Spec.NodeName},
			Status:     pod.Status,
		}
		if (podReady(pod) || s.placing.Role == manifests.Newcomer && podDone(pod)) && !deleted && !s.ready {
			s.ready, s.wait = true, time.Since(s.created)
		}
		switch {
		case s.failure != nil:
		case deleted:
			s.failure = &evidence.Problem{Class: evidence.ProblemAdmission, Text: "someone or something deleted the pod"}
		default:
			s.failure = podFailure(pod)
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
		if s.failure == nil {
			s.failure = failure
		}
	})
}

// jobOf cuts the random suffix that the Job controller gives its pods' names.
func jobOf(pod string) string {
	if at := strings.LastIndexByte(pod, '-'); at > 0 {
		return pod[:at]
	}
	return pod
}
