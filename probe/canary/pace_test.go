package canary

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func TestStarved(t *testing.T) {
	for _, test := range []struct {
		turns, due int
		want       bool
	}{{0, 9, false}, {0, 10, true}, {4, 10, true}, {5, 10, false}, {61, 125, true}, {124, 125, false}} {
		problems := starved(test.turns, test.due)
		if got := len(problems) == 1; got != test.want {
			t.Errorf("%d of %d: %v", test.turns, test.due, problems)
		}
		if test.want && problems[0].Class != evidence.ProblemStarved {
			t.Errorf("%d of %d: class %s", test.turns, test.due, problems[0].Class)
		}
	}
}

func TestPaceOfAPodThatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := watchPace()
		time.Sleep(30 * time.Second)
		if problems := done(); len(problems) != 0 {
			t.Errorf("%v", problems)
		}
	})
}
