package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/pcap"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/plugin/run"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// round is for how long each probe collects frames before it hands them over.
// Those of all nodes are merged round by round.
const round = 250 * time.Millisecond

// lastRound is how long the probes have after an interrupt to hand over what
// they have.
const lastRound = 3 * time.Second

// use captures until the capture is over.
func (c *capture) use(ctx context.Context, observation *run.Observation, progress *progress) error {
	cluster := pcap.NewCluster(observation.Surveyed())
	if c.wanted.Peer != "" && !cluster.Has(c.wanted.Peer) {
		return usagef("kubectl get nodes", "--peer: there is no node %s", c.wanted.Peer)
	}
	if printed, ok := c.sink.(*printedFrames); ok {
		printed.printer = pcap.Printer{Cluster: cluster, Zone: time.Local}
	}
	if err := observation.Read(ctx); err != nil {
		return errors.Join(err, c.sink.close())
	}
	collected := &collected{progress: progress, counts: make(map[string]map[string]evidence.FrameCount)}
	err := c.collect(ctx, observation, cluster, collected)
	if readerGone(err) {
		collected.summary()
		return nil
	}
	err = errors.Join(err, c.sink.close())
	if readerGone(err) {
		err = nil
	}
	collected.summary()
	return cmp.Or(err, collected.failed())
}

// unused leaves the file as it was of a capture that did not come to begin.
func (c *capture) unused() error {
	if files, ok := c.sink.(*pcapngs); ok && files.file != nil && !files.begun {
		return files.leave()
	}
	return nil
}

// collect starts the live captures and hands their frames to the sink, until the
// time is over, there are enough, ctx ends, or no node is left.
func (c *capture) collect(
	ctx context.Context, observation *run.Observation, cluster pcap.Cluster, collected *collected,
) error {
	// An interrupt is not to break the sessions: what the probes have is written.
	asking, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastRound, stop) })()

	ask := func(what string, request func(run.Agent) evidence.Request) {
		observation.Ask(asking, what, run.RoleProbe, request, collected.hear)
	}
	ask("starting to capture", func(a run.Agent) evidence.Request {
		return evidence.Request{Live: cluster.Request(c.wanted, c.linksOf(a.Node.Name))}
	})
	collected.progress.pause()
	collected.progress.Note("capturing, end with Ctrl-C")
	over := make(<-chan time.Time)
	if c.duration > 0 {
		over = time.After(c.duration)
	}
	for {
		ask("capturing", func(run.Agent) evidence.Request {
			return evidence.Request{Frames: &evidence.FramesRequest{Wait: int(round.Milliseconds())}}
		})
		if full, err := c.hand(collected, false); full || err != nil {
			return err
		}
		if collected.lost(observation); len(observation.Agents(run.RoleProbe)) == 0 {
			return errNoProbe
		}
		select {
		case <-ctx.Done():
		case <-over:
		default:
			continue
		}
		ask("ending the capture", func(run.Agent) evidence.Request {
			return evidence.Request{Stop: &evidence.StopRequest{}}
		})
		_, err := c.hand(collected, true)
		return err
	}
}

var errNoProbe = errors.New("the capture ended early: there is no session with any probe any more")

// hand gives the sink what was collected, in the order of time, and reports
// whether these are as many frames as were asked for. Last says that no round follows.
func (c *capture) hand(collected *collected, last bool) (full bool, err error) {
	frames, counts := collected.take(last)
	for i := range counts {
		if err := c.sink.count(counts[i].node, &counts[i].FrameCount); err != nil {
			return false, err
		}
	}
	for i := range frames {
		if c.count > 0 && collected.written == c.count {
			return true, c.sink.flush()
		}
		if err := c.sink.frame(frames[i].node, &frames[i].Frame); err != nil {
			return false, err
		}
		collected.written++
	}
	return c.count > 0 && collected.written == c.count, c.sink.flush()
}

// collected is what the probes have said in a round, and counted so far.
type collected struct {
	progress *progress
	written  int

	mu       sync.Mutex
	frames   []nodeFrame
	beyond   int                                       // frames for which there was no room
	horizon  int64                                     // the latest time of a frame in the rounds before
	counts   map[string]map[string]evidence.FrameCount // by node and link
	problems []string
	missing  map[string]bool // nodes without a session, which was noted
}

type nodeFrame struct {
	node string
	evidence.Frame
}

type nodeCount struct {
	node string
	evidence.FrameCount
}

// Bounds of what one node may say: more than an honest one does.
const (
	maxRoundFrames = 20000
	maxLinks       = 128
	maxProblems    = 20
)

// hear keeps frames and counts. None of that is evidence for a verdict.
func (c *collected) hear(a run.Agent, m *evidence.Message) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	node := a.Node.Name
	switch {
	case m.Frame != nil && len(c.frames) < maxRoundFrames*(len(c.counts)+1):
		c.frames = append(c.frames, nodeFrame{node, *m.Frame})
	case m.Frame != nil:
		c.beyond++
	case m.FrameCount != nil:
		links := c.counts[node]
		if links == nil {
			links = make(map[string]evidence.FrameCount)
			c.counts[node] = links
		}
		if _, known := links[m.FrameCount.Link]; known || len(links) < maxLinks {
			links[m.FrameCount.Link] = *m.FrameCount
		}
	case m.Problem != nil && len(c.problems) < maxProblems:
		c.problems = append(c.problems, node+": "+m.Problem.Text)
	}
	return false
}

// lost notes of which nodes nothing is captured any more, each once.
func (c *collected) lost(observation *run.Observation) {
	for _, node := range observation.Nodes() {
		if err := observation.Lost(run.RoleProbe, node.Name); err != nil && !c.missing[node.Name] {
			if c.missing == nil {
				c.missing = make(map[string]bool)
			}
			c.missing[node.Name] = true
			c.progress.Note(fmt.Sprintf("nothing is captured on %s: %v", node.Name, err))
		}
	}
}

// take returns what was collected, frames in the order of their time. The latest
// ones are kept back for one round, unless it is the last: a link may hand over
// earlier ones only then.
func (c *collected) take(last bool) (frames []nodeFrame, counts []nodeCount) {
	c.mu.Lock()
	defer c.mu.Unlock()
	frames = c.frames
	slices.SortStableFunc(frames, func(a, b nodeFrame) int { return cmp.Compare(a.Time, b.Time) })
	ready := len(frames)
	if !last {
		later := func(f nodeFrame) bool { return f.Time > c.horizon }
		if at := slices.IndexFunc(frames, later); at >= 0 {
			ready = at
		}
	}
	if len(frames) > 0 {
		c.horizon = frames[len(frames)-1].Time
	}
	c.frames = slices.Clone(frames[ready:])
	frames = frames[:ready]
	for node, links := range c.counts {
		for _, count := range links {
			counts = append(counts, nodeCount{node, count})
		}
	}
	slices.SortFunc(counts, func(a, b nodeCount) int {
		return cmp.Or(strings.Compare(a.node, b.node), strings.Compare(a.Link, b.Link))
	})
	for _, problem := range c.problems {
		c.progress.Note(problem)
	}
	c.problems = nil
	return frames, counts
}

// summary notes what was captured, and what was lost.
func (c *collected) summary() {
	_, counts := c.take(true)
	for _, count := range counts {
		captured := count.Picked - min(count.Picked, count.Full)
		text := fmt.Sprintf("%s %s: %d packets captured, %d seen", count.node, count.Link, captured, count.Seen)
		if lost := pcap.Lost(&count.FrameCount); lost > 0 {
			text += fmt.Sprintf(", %d dropped (%d by the kernel, %d by the probe)", lost, count.Drops, count.Full)
		}
		if count.Error != "" {
			text = fmt.Sprintf("%s %s: %s", count.node, count.Link, count.Error)
		}
		c.progress.Note(text)
	}
	if c.beyond > 0 {
		c.progress.Note(fmt.Sprintf("%d packets dropped here: the nodes sent more than is kept", c.beyond))
	}
	c.progress.Note(fmt.Sprintf("%d packets written", c.written))
}

// failed is the error of a capture in which no link could be captured.
func (c *collected) failed() error {
	var reasons []string
	for node, links := range c.counts {
		for _, count := range links {
			if count.Error == "" {
				return nil
			}
			reasons = append(reasons, report.Printable(node+": "+count.Link+": "+count.Error))
		}
	}
	slices.Sort(reasons)
	if len(reasons) == 0 {
		return &nothingCaptured{"no probe has captured on any interface"}
	}
	return &nothingCaptured{strings.Join(reasons, "\n")}
}

// nothingCaptured is the error of a capture of no link.
type nothingCaptured struct{ why string }

func (e *nothingCaptured) Error() string { return "nothing could be captured:\n" + e.why }

// Hint says what to look at.
func (e *nothingCaptured) Hint() string {
	return "name interfaces that the node has (ip link), or none for all that leave it"
}

// ExitCode is that of a command that could not run.
func (e *nothingCaptured) ExitCode() int { return exitCouldNotRun }
