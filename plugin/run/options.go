// Package run is the pipeline of a verification: survey, preflight, place,
// collect, remove, judge. It is the only package that knows these steps; what
// each of them does is in the packages it calls. It must not write a file or
// decide an exit code: what a run gives comes back as values.
package run

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Options are what one run is asked to do.
type Options struct {
	Cluster   *cluster.Client
	Selection cluster.Selection
	// Families under test, 4, 6 or both; nil for those that the pods have.
	Families []int
	// Pairs says which ordered pairs of nodes are tested, see graph.NewPairs; "" is all.
	Pairs string
	// Part is one of several parts of all pairs, see graph.ParsePart; "" for none. Pairs
	// then bounds to how many others each node sends, if it is a number.
	Part string
	// Samples returns addresses that stand for a node's pods where there are no test pods:
	// the kernels of the others are asked for their routes to them. Nil for none.
	Samples func(*evidence.Node) []netip.Addr
	// Scope is what is tested besides pods: evidence.ScopeServices, evidence.ScopeHosts,
	// evidence.ScopeDNS.
	Scope []string
	// Roles are the agents that each node gets, the first of which is needed on one node at least. Nil is
	// RoleProbe and RolePod, which a verification needs.
	Roles []string
	// Objects says what to create. Its ID is new for each run, see NewID; its
	// Lifetime and Idle are set by the run.
	Objects manifests.Run
	// Timeout bounds everything but the removal of what was made. Judging has
	// what is left of it, and some seconds in any case.
	Timeout time.Duration
	// Lasts is how much longer than Timeout an Observation may be used.
	Lasts   time.Duration
	Keep    bool // do not remove what was made
	NewPods int  // on how many nodes a new pod's first packets are watched
	Buffer  int  // receive buffer of each capture in bytes, 0 for the default
	Version string
	// Revision is the commit that the plugin was built from, see evidence.Run.
	Revision string
	// Context and Server name the cluster in the recording, see evidence.Cluster.
	Context, Server string
	// Progress shows what goes on.
	Progress Progress
	Log      *slog.Logger
}

// The roles of agents.
const (
	RoleProbe = "probe" // in the host's network
	RolePod   = "pod"   // in the pod network
	RoleTrial = "trial" // in the pod network, where it may make a link
	RoleLogs  = "logs"  // in the pod network, with the logs of its host
)

// roles returns the agents that each node gets.
func (o Options) roles() []string {
	if len(o.Roles) == 0 {
		return []string{RoleProbe, RolePod}
	}
	return o.Roles
}

// Progress shows a waiting person what goes on.
type Progress interface {
	// Phase begins a phase, e.g. "starting probe pods".
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
