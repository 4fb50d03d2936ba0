package canary

import (
	"fmt"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A pod that does not get the processor sends late and answers late, which
// looks like loss. So it measures how long it could not run.
const (
	tick    = 100 * time.Millisecond
	stall   = time.Second     // a shorter delay is of no consequence
	tooLong = 4 * time.Second // stalls in all: half of the least time that canaries have
)

// pace measures that, from newPace to end.
type pace struct {
	stop  chan struct{}
	stood chan time.Duration // how long all stalls took
}

func newPace() *pace {
	p := &pace{stop: make(chan struct{}), stood: make(chan time.Duration, 1)}
	go func() {
		var stood time.Duration
		for running := true; running; {
			began := time.Now()
			select {
			case <-time.After(tick):
			case <-p.stop:
				running = false
			}
			if late := time.Since(began) - tick; late > stall {
				stood += late
			}
		}
		p.stood <- stood
	}()
	return p
}

// end reports a pod that could not run for too long.
func (p *pace) end() []evidence.Message {
	close(p.stop)
	return starved(<-p.stood)
}

func starved(stood time.Duration) []evidence.Message {
	if stood < tooLong {
		return nil
	}
	return []evidence.Message{{Problem: &evidence.Problem{
		Class: evidence.ProblemStarved, What: "answer",
		Text: fmt.Sprintf("it did not get the processor for %.1f s while canaries travelled", stood.Seconds()),
	}}}
}
