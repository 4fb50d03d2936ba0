package canary

import (
	"fmt"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A pod that does not get the processor sends late and answers late, which
// looks like loss. So it counts how often it has its turn while it sends.
const tick = 100 * time.Millisecond

// minTicks is from how many on they tell something.
const minTicks = 10

// watchPace begins to count. What it returns ends that and says what is wrong.
func watchPace() (done func() []evidence.Problem) {
	began, turns := time.Now(), 0
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-time.After(tick):
				turns++
			case <-stop:
				return
			}
		}
	}()
	return func() []evidence.Problem {
		close(stop)
		<-stopped
		return starved(turns, int(time.Since(began)/tick))
	}
}

// starved is a problem if a pod had less than half of its turns: then each of
// the attempts at a canary can have come too late.
func starved(turns, due int) []evidence.Problem {
	if due < minTicks || 2*turns >= due {
		return nil
	}
	return []evidence.Problem{{
		Class: evidence.ProblemStarved, What: "send",
		Text: fmt.Sprintf("it got the processor in %d of %d tenths of a second", turns, due),
		Hint: "its node is too busy; try again when it is less so",
	}}
}
