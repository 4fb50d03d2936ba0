package command

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/logs"
)

// logReader reads the logs of many containers.
type logReader struct {
	client logClient
	since  time.Time
	all    bool
	writer logs.Writer
	said   map[nodeMessage]bool // what follow has explained
	note   func(text string)
}

// nodeMessage is a known message on a node. It is explained once.
type nodeMessage struct {
	node string
	*logs.Message
}

// logClient reads logs; cluster.Client does.
type logClient interface {
	Log(ctx context.Context, source cluster.LogSource, since time.Time, follow bool, each func(string)) error
}

// Bounds of reading logs: how many at a time, and how many lines are kept.
const (
	parallelLogs = 16
	maxLogLines  = 200_000
	maxFollowed  = 1000
)

// once reads all logs and shows them in the order of time.
func (l *logReader) once(ctx context.Context, sources []cluster.LogSource) error {
	lines, err := l.read(ctx, sources)
	if err != nil {
		return err
	}
	return l.write(lines)
}

// read returns the wanted lines of all logs. What could not be read is noted; it is an
// error if that is all of them.
func (l *logReader) read(ctx context.Context, sources []cluster.LogSource) ([]logs.Line, error) {
	var mu sync.Mutex
	var lines []logs.Line
	var failed []error
	left := 0
	var reading errgroup.Group
	reading.SetLimit(parallelLogs)
	for _, source := range sources {
		reading.Go(func() error {
			err := l.client.Log(ctx, source, l.since, false, func(raw string) {
				line, wanted := l.wanted(source, raw)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case !wanted:
				case len(lines) == maxLogLines:
					left++
				default:
					lines = append(lines, line)
				}
			})
			if err != nil && !(source.Previous && ctx.Err() == nil) { // the log of an earlier instance may be gone
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, err)
				l.note(fmt.Sprintf("%s %s: %v", source.Node, source.Pod, err))
			}
			return nil
		})
	}
	_ = reading.Wait() // each reader keeps its own error
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case len(failed) > 0 && len(lines) == 0:
		return nil, fmt.Errorf("no log could be read: %w", failed[0])
	case left > 0:
		l.note(fmt.Sprintf("%d lines more are not shown; --since and --nodes make them fewer", left))
	}
	return lines, nil
}

// The times of following: lines of several nodes are put in order by
// orderTime, after firstOrder at the beginning, when all that was logged before
// arrives; pods that are new are looked for each lookTime; a log that ended is
// opened again after againTime.
const (
	orderTime  = 500 * time.Millisecond
	firstOrder = 2 * time.Second
	lookTime   = 10 * time.Second
	againTime  = 2 * time.Second
)

// follow shows what is logged until ctx ends, known messages explained. Pods
// that come later are followed too.
func (l *logReader) follow(
	ctx context.Context, sources []cluster.LogSource, look func(context.Context) ([]cluster.LogSource, error),
) error {
	if len(sources) > maxFollowed {
		return usagef("name some nodes", "%d logs are too many to follow, the maximum is %d", len(sources), maxFollowed)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	arrived := make(chan logs.Line, maxFollowed)
	known := make(map[cluster.LogSource]bool)
	var following sync.WaitGroup
	defer following.Wait()
	defer stop(nil)
	begin := func(sources []cluster.LogSource) {
		for _, source := range without(sources, known) {
			if len(known) < maxFollowed {
				known[source] = true
				following.Go(func() { l.followOne(ctx, source, arrived, stop) })
			}
		}
	}
	begin(sources)
	looking := time.NewTicker(lookTime)
	defer looking.Stop()
	order := time.NewTimer(firstOrder)
	defer order.Stop()
	var lines []logs.Line
	for {
		select {
		case line := <-arrived:
			lines = append(lines, line)
		case <-order.C:
			if err := l.writeFollowed(lines); err != nil {
				if readerGone(err) {
					return nil
				}
				return err
			}
			lines = nil
			order.Reset(orderTime)
		case <-looking.C:
			if found, err := look(ctx); err == nil {
				begin(found)
			}
		case <-ctx.Done():
			var denied *cluster.NoLogAccess
			if cause := context.Cause(ctx); errors.As(cause, &denied) {
				return cause
			}
			return l.writeFollowed(lines)
		}
	}
}

func (l *logReader) writeFollowed(lines []logs.Line) error {
	logs.Sort(lines)
	if l.said == nil {
		l.said = make(map[nodeMessage]bool)
	}
	for _, line := range lines {
		this := nodeMessage{line.Node, line.Known}
		if err := l.writer.Line(line, !l.said[this]); err != nil {
			return err
		}
		l.said[this] = true
	}
	return nil
}

// followOne follows one log until its pod is gone. A stream that ended, as with a
// container that was restarted, is opened again where it ended.
func (l *logReader) followOne(
	ctx context.Context, source cluster.LogSource, arrived chan<- logs.Line, stop context.CancelCauseFunc,
) {
	since := l.since
	for ctx.Err() == nil {
		err := l.client.Log(ctx, source, since, true, func(raw string) {
			line, wanted := l.wanted(source, raw)
			if line.Time.After(since) {
				since = line.Time
			} else if !line.Time.IsZero() {
				return // shown before: the server counts in whole seconds
			}
			if wanted {
				select {
				case arrived <- line:
				case <-ctx.Done():
				}
			}
		})
		var denied *cluster.NoLogAccess
		switch {
		case errors.As(err, &denied):
			stop(err)
			return
		case cluster.LogGone(err):
			return
		}
		select {
		case <-time.After(againTime):
		case <-ctx.Done():
		}
	}
}
