// Package run is the pipeline of a verification: survey, preflight, place,
// collect, judge, report, remove. It is the only package that knows this order;
// what each step does is in the packages it calls.
package run

import (
	"log/slog"
	"time"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
)

// Options are what one verification is told.
type Options struct {
	Cluster   *cluster.Client
	Selection cluster.Selection
	// Families under test, 4, 6 or both; nil for those that the pods have.
	Families []int
	// Pairs says which ordered pairs of nodes are tested, see graph.NewPairs; "" is all.
	Pairs string
	// Objects says what to create. Its ID is new for each run, see NewID; its
	// Lifetime and Idle are set by the run.
	Objects manifests.Run
	// Timeout bounds everything but the removal of what was made. Judging has
	// what is left of it, and some seconds in any case.
	Timeout time.Duration
	Keep    bool // do not remove what was made
	NewPods int  // on how many nodes a new pod's first packets are watched
	Buffer  int  // receive buffer of each capture in bytes, 0 for the default
	Version string
	// Progress is told what goes on.
	Progress Progress
	Log      *slog.Logger
	// Removed is called when nothing of the run is in the cluster any more.
	Removed func()
	// Record gets the evidence once it is complete, or as complete as it will
	// be, before anything is removed. The recording is its own for that call only.
	Record func(*recording.Recording) error
	// Report gets the judgement.
	Report func(*check.Judgement) error
}

// Progress shows a waiting person what goes on.
type Progress interface {
	// Phase begins a phase, e.g. "placing the pods".
	Phase(name string)
	// Detail says how far the phase is, e.g. "3 of 4 Ready".
	Detail(text string)
	// Note says something that is worth keeping on the screen.
	Note(text string)
}

// The times of the window in which the canaries travel. A frame takes
// microseconds from a socket to the capture and a round trip less than the
// answers' time limit; these are for late ones and for the counters. A new pod
// that is known to be Ready has sent its first packets within drainTime, longer
// where pods start slowly: its program begins after its container.
const (
	settleTime = 50 * time.Millisecond
	drainTime  = 300 * time.Millisecond
)

// Each canary is sent every attemptTime within answerTime, which grows by
// answerTimePer for each target, since the senders share one processor, and by
// a quarter of what the slowest pod took to start: where that takes a minute,
// all else is slow too. Two idle peers whose first handshakes cross lose both
// and try again after REKEY_TIMEOUT, 5 s and up to a third more (linux
// drivers/net/wireguard/messages.h); a canary must outlast that. Nobody waits
// once all are answered.
const (
	attemptTime   = answerTime / 3
	answerTime    = 8 * time.Second
	answerTimePer = 10 * time.Millisecond
	maxAnswerTime = 30 * time.Second // less than stepTime
)

// stepTime bounds one step of the collection on all nodes: an agent that takes
// longer is lost, and the others go on. Agents bound their own steps by 30 s.
// What all of them say at the same time is read by one plugin, hence
// stepTimePer for each node.
const (
	stepTime    = 35 * time.Second
	stepTimePer = 30 * time.Millisecond
)
