package cluster

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// slot is the place of one pod.
type slot struct {
	placing  manifests.Placing
	created  time.Time
	pod      *corev1.Pod // as it was seen last, nil before
	ready    bool        // it has been Ready
	reported bool        // Await has reported that
	wait     time.Duration
	failure  *evidence.Problem // why it cannot become Ready, nil if it still can
	trouble  *evidence.Problem // why it is not Ready yet, which may pass; nil if that is not known
	note     string            // the last warning, to explain a wait that was too long
	attempts map[types.UID]int32
}

// fail notes why the pod cannot become Ready, or why it is not Ready yet if that
// may pass and was not seen twice.
func (s *slot) fail(problem *evidence.Problem, again bool) {
	switch {
	case problem == nil:
	case mayPass(problem) && !again:
		s.trouble = problem
	case s.failure == nil:
		s.failure = problem
	}
}

// again counts an event about an attempt to start the pod, and reports whether
// it was not the first. The same attempt may be reported more than once.
func (s *slot) again(event *corev1.Event) bool {
	if s.attempts == nil {
		s.attempts = map[types.UID]int32{}
	}
	s.attempts[event.UID] = occurrences(event)
	return s.triedAgain()
}

func (s *slot) triedAgain() bool {
	all := int32(0)
	for _, count := range s.attempts {
		all += count
	}
	return all > 1
}

// reason is why the pod is not Ready, empty if it is or nothing is known.
func (s *slot) reason() string {
	switch {
	case s.ready:
		return ""
	case s.failure != nil:
		return s.failure.Text
	case s.trouble != nil:
		return s.trouble.Text
	}
	return s.note
}

// Pods returns the state of all pods, by node and role.
func (p *Placement) Pods() []evidence.Pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	var pods []evidence.Pod
	for _, s := range p.sorted() {
		pods = append(pods, s.evidence())
	}
	return pods
}

// newlyReady returns the pods that became Ready since the last call.
func (p *Placement) newlyReady() []evidence.Pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	var pods []evidence.Pod
	for _, s := range p.slots {
		if s.ready && !s.reported {
			s.reported = true
			pods = append(pods, s.evidence())
		}
	}
	return pods
}

func (s *slot) evidence() evidence.Pod {
	pod := evidence.Pod{Role: s.placing.Role, Node: s.placing.Node, Ready: s.ready, Wait: s.wait.Milliseconds()}
	if s.placing.Sockets != "" || s.placing.WithoutRunLog {
		pod.Pass = 2
	}
	if s.pod != nil {
		pod.Name = s.pod.Name
		pod.IPs = podIPs(s.pod)
		pod.Image = imageOf(s.pod)
		pod.Ended = podEnded(s.pod)
	}
	return pod
}

// imageOf is what a pod of one container runs, with its digest; empty until the
// kubelet says so.
func imageOf(pod *corev1.Pod) string {
	for _, status := range pod.Status.ContainerStatuses {
		return Line(status.ImageID)
	}
	return ""
}

// Problems returns why pods did not become Ready, by node and role.
func (p *Placement) Problems() []evidence.Problem {
	p.mu.Lock()
	defer p.mu.Unlock()
	var problems []evidence.Problem
	for _, s := range p.sorted() {
		if s.failure != nil && !s.ready {
			failure := *s.failure
			failure.What = "place " + s.placing.Role
			failure.On = s.placing.Node
			problems = append(problems, failure)
		}
	}
	return problems
}

func (p *Placement) sorted() []*slot {
	return slices.SortedFunc(maps.Values(p.slots), func(a, b *slot) int {
		byNode := cmp.Compare(a.placing.Index, b.placing.Index)
		return cmp.Or(byNode, strings.Compare(a.placing.Role+a.placing.Sockets, b.placing.Role+b.placing.Sockets))
	})
}
