//go:build linux

package agent

import (
	"context"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// hostLogs writes the lines of the host's logs that are wanted, and what was read.
func (s *session) hostLogs(ctx context.Context, request *evidence.HostLogsRequest) {
	lines, logs, err := s.options.HostLogs(ctx, *request)
	if err != nil {
		s.problem(evidence.Problem{Class: evidence.ProblemUnsupported, What: "hostLogs", Text: err.Error()})
		return
	}
	for _, line := range lines {
		s.write(evidence.Message{HostLine: fitting(line)})
	}
	for i := range logs.Logs {
		logs.Logs[i].Error = oneLine(logs.Logs[i].Error)
	}
	s.write(evidence.Message{HostLogs: &logs})
}

// fitting cuts a line that would not fit into a message: JSON writes some characters in
// six.
func fitting(line evidence.HostLine) *evidence.HostLine {
	const room = 256 // for the stream's name and the number
	encoded, err := evidence.Encode(&evidence.Message{HostLine: &line})
	if err != nil || len(encoded) > evidence.MaxMessage-room {
		line.Text = strings.ToValidUTF8(line.Text[:min(len(line.Text), evidence.MaxHostText/2)], "")
	}
	return &line
}
