package canary

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func TestStarved(t *testing.T) {
	for stood, want := range map[time.Duration]bool{0: false, tooLong - 1: false, tooLong: true, time.Minute: true} {
		messages := starved(stood)
		if got := len(messages) == 1; got != want {
			t.Errorf("%s: %v", stood, messages)
		}
		if want && messages[0].Problem.Class != evidence.ProblemStarved {
			t.Errorf("%s: class %s", stood, messages[0].Problem.Class)
		}
	}
}

func TestPaceOfAPodThatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace()
		time.Sleep(30*time.Second + tick/2)
		if messages := p.end(); len(messages) != 0 {
			t.Errorf("%+v", messages[0].Problem)
		}
	})
}
