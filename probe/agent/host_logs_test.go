//go:build linux

package agent

import (
	"context"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Only an agent that is there for logs reads them; a line of characters that take much
// room still fits into a message.
func TestHostLogsSession(t *testing.T) {
	for _, test := range []struct {
		role string
		read bool
	}{{"logs", true}, {"probe", false}, {"pod", false}, {"trial", false}} {
		asked := evidence.HostLogsRequest{}
		options := Options{Host: &fakeHost{}, HostLogs: func(_ context.Context, r evidence.HostLogsRequest) ([]evidence.HostLine, evidence.HostLogs, error) {
			asked = r
			return []evidence.HostLine{
				{Source: "k3s", Text: strings.Repeat("<", evidence.MaxHostText)}, {Source: "kernel", Text: "wireguard", Time: 1},
			}, evidence.HostLogs{Logs: []evidence.HostLog{{Name: "journal", Lines: 2}}}, nil
		}}
		messages, err := talk(t, options, start(test.role),
			evidence.Request{ID: 2, HostLogs: &evidence.HostLogsRequest{Last: 1000, Match: "wireguard"}},
			evidence.Request{ID: 3, End: &evidence.EndRequest{}})
		if err != nil {
			t.Error(err)
		}
		lines, problems := 0, 0
		for _, m := range messages {
			switch {
			case m.HostLine != nil:
				lines++
			case m.HostLogs != nil:
				lines += 10
			case m.Problem != nil:
				problems++
			}
		}
		if read := asked.Last == 1000 && asked.Match == "wireguard"; read != test.read || (lines == 12) != test.read || (problems == 0) != test.read {
			t.Errorf("%s: asked for %+v, %d lines, %d problems", test.role, asked, lines, problems)
		}
	}
}
