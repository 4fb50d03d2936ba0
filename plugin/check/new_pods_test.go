package check

import (
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A run that made no new pod, or fewer than there are nodes, may pass, and must
// not be silent about what it did not look at.
func TestScopeOfNewPods(t *testing.T) {
	for newPods, want := range map[int]string{0: "on 3 of 3 nodes", 1: "on 2 of 3 nodes"} {
		streams := healthy(3)
		each(streams[evidence.PluginStream], func(m *evidence.Message) {
			if m.Run != nil {
				m.Run.Newcomers = m.Run.Newcomers[:newPods]
			}
		})
		j := Judge(record(t, streams))
		said := false
		for _, s := range j.Profile.Scope {
			said = said || !s.Proven && strings.Contains(s.What, "first packets of new pods "+want)
		}
		if j.Verdict != verdict.Passed || !said {
			t.Errorf("%d new pods: %s, scope %+v", newPods, j.Verdict, j.Profile.Scope)
		}
	}
}
