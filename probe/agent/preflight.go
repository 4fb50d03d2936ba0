//go:build linux

package agent

import (
	"context"

	"github.com/kubectl-wg/kubectl-wg/probe/canary"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// tryLink makes a WireGuard link in the pod's own network and removes it. That it
// may not is a problem, and no result.
func (s *session) tryLink(request *evidence.TrialRequest) {
	trial, err := s.options.Trial(s.netns, request.HostNetNS)
	if err != nil {
		s.problem(evidence.Problem{Class: evidence.ProblemUnsupported, What: "trial", Text: err.Error()})
		return
	}
	trial.Error = oneLine(trial.Error)
	s.write(evidence.Message{Trial: &trial})
}

// listenPorts binds UDP ports of the host until the next Stop.
func (s *session) listenPorts(ctx context.Context, request *evidence.PortListenRequest) {
	for _, use := range s.hostPorts().Listen(ctx, request.Ports) {
		s.write(evidence.Message{PortUse: &use})
	}
}

// hostPorts is this probe's side of datagrams to ports, from the first request until
// the next Stop.
func (s *session) hostPorts() *canary.Ports {
	if s.ports == nil {
		s.ports = canary.NewPorts(s.id)
	}
	return s.ports
}
