//go:build linux

package agent

import (
	"github.com/kubectl-wg/kubectl-wg/probe/canary"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// classed is this agent's side of the packets of classes, from the first one that
// is asked for until the next Stop.
func (s *session) classed() *canary.Classes {
	if s.classes == nil {
		s.classes = canary.NewClasses(s.id)
	}
	return s.classes
}

// answer answers packets of classes: a pod at the port that its Service leads to, a
// probe, which is in the network of the host, at any that is free and that it names.
func (s *session) answer(request *evidence.AnswerRequest) {
	port := 0
	if s.role == "pod" {
		port = evidence.PodClassPort
	}
	ports, problems := s.classed().Answer(*request, port)
	s.problem(problems...)
	if s.role == "probe" {
		s.ready.Ports = ports
	}
}
