//go:build linux

package agent

import (
	"context"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/perf"
)

// serveMeasurements makes this agent the other end of measurements, until the
// session ends.
func (s *session) serveMeasurements(ctx context.Context, request *evidence.ServeRequest) {
	if s.measured != nil {
		s.problem(evidence.Problem{Class: evidence.ProblemUnsupported, What: "serve", Text: "it serves already"})
		return
	}
	s.measured = perf.NewServer(s.id.Key)
	ports, problems := s.measured.Listen(ctx, request.Families)
	s.problem(problems...)
	s.ready.Ports = ports
}

func (s *session) measure(ctx context.Context, request *evidence.MeasureRequest) {
	measured := perf.Measure(ctx, s.id.Key, *request)
	measured.Error = oneLine(measured.Error)
	s.write(evidence.Message{Measured: &measured})
}

func (s *session) readLoad(request *evidence.LoadRequest) {
	load := perf.ReadLoad(*request)
	s.write(evidence.Message{Load: &load})
}
