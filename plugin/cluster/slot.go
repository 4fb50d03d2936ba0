package cluster

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

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
	note     string            // the last warning, to explain a wait that was too long
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
	if s.placing.Sockets != "" {
		pod.Pass = 2
	}
	if s.pod != nil {
		pod.Name = s.pod.Name
		pod.IPs = podIPs(s.pod)
	}
	return pod
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
