package capture

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// The picked frames that a live capture keeps until they are taken, of all its
// links: some seconds of headers at the pace at which a session carries them away.
const (
	maxQueued      = 8192
	maxQueuedBytes = 3 << 20
	// manyQueued are taken before the time to wait for more is over.
	manyQueued = maxQueued / 4
)

// maxLiveLinks bounds the links of a live capture.
const maxLiveLinks = 64

// Live is a running live capture. What was picked is kept, within bounds, until
// Take. Take and Stop are called by one goroutine.
type Live struct {
	links []*liveLink

	mu     sync.Mutex
	queue  []evidence.Frame
	queued int           // bytes of data in the queue
	many   chan struct{} // has room for one: there are many frames in the queue
}

// liveLink is the live capture of one link.
type liveLink struct {
	*tap
	count evidence.FrameCount // guarded by Live.mu
}

// StartLive begins a live capture. A link that is named and does not exist, or
// cannot be captured, is a FrameCount with an Error.
func StartLive(config Config, request evidence.LiveRequest) (*Live, error) {
	picker, err := wire.NewPicker(config.subject(), request)
	if err != nil {
		return nil, fmt.Errorf("starting the live capture: %w", err)
	}
	l := &Live{many: make(chan struct{}, 1)}
	links := liveLinks(config.Links, request.Links)
	shape := shapeOf(config.Request.Buffer, len(links))
	for _, link := range links {
		l.open(link, shape, picker.Link(link.Name, link.Role, pipe(link)))
	}
	return l, nil
}

// liveLinks returns the links to capture: those that are named, or those that
// leave the host and are up.
func liveLinks(links []evidence.Link, names []string) (chosen []evidence.Link) {
	for _, link := range links {
		outside := link.Up && link.Role != evidence.RoleInside && link.Role != evidence.RoleWireGuard
		if len(names) == 0 && outside || slices.Contains(names, link.Name) {
			chosen = append(chosen, link)
		}
	}
	for _, name := range names {
		is := func(link evidence.Link) bool { return link.Name == name }
		if !slices.ContainsFunc(links, is) {
			chosen = append(chosen, evidence.Link{Name: name})
		}
	}
	return chosen[:min(len(chosen), maxLiveLinks)]
}

// open begins the capture of one link.
func (l *Live) open(link evidence.Link, shape shape, picker *wire.LinkPicker) {
	one := &liveLink{count: evidence.FrameCount{Link: link.Name, Role: link.Role}}
	l.links = append(l.links, one)
	if link.Index == 0 {
		one.count.Error = "there is no such link"
		return
	}
	socket, err := openSocket(link.Index, shape, whole(shape.snap()))
	if err != nil {
		one.count.Error = fmt.Sprintf("opening the capture on %s: %v", link.Name, err)
		return
	}
	one.count.RawIP = !ethernet(socket.hardware)
	one.tap = &tap{link: link, socket: socket, first: make(chan struct{}), done: make(chan struct{})}
	one.add = func(f wire.Frame) { l.add(one, picker, f) }
	go one.run()
}

// add keeps a frame if it is wanted and there is room.
func (l *Live) add(link *liveLink, picker *wire.LinkPicker, f wire.Frame) {
	frame, wanted := picker.Pick(f)
	l.mu.Lock()
	defer l.mu.Unlock()
	link.count.Seen++
	if !wanted {
		return
	}
	link.count.Picked++
	if len(l.queue) >= maxQueued || l.queued+len(frame.Data) > maxQueuedBytes {
		link.count.Full++
		return
	}
	l.queue = append(l.queue, frame)
	l.queued += len(frame.Data)
	if len(l.queue) >= manyQueued {
		select {
		case l.many <- struct{}{}:
		default:
		}
	}
}

// Take waits for some time, or until there are many frames, and returns those
// that were picked since the last time, in the order of their time, and what was
// counted so far.
func (l *Live) Take(ctx context.Context, wait time.Duration) ([]evidence.Frame, []evidence.FrameCount) {
	select {
	case <-l.many:
	case <-time.After(wait):
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	frames := l.queue
	l.queue = nil
	l.queued = 0
	slices.SortStableFunc(frames, func(a, b evidence.Frame) int { return cmp.Compare(a.Time, b.Time) })
	return frames, l.counts()
}

// counts returns what was counted so far. The caller holds l.mu.
func (l *Live) counts() (counts []evidence.FrameCount) {
	for _, link := range l.links {
		if link.tap != nil {
			link.look()
		}
		counts = append(counts, link.count)
	}
	return counts
}

// look reads what the kernel counted, and why the capture ended if it did.
func (l *liveLink) look() {
	err := l.failed()
	if err == nil {
		err = l.socket.count()
	}
	l.count.Drops = l.socket.dropped.Load()
	if err != nil && l.count.Error == "" {
		l.count.Error = err.Error()
	}
}

// Stop ends the capture, after everything that was queued until now was read or
// ctx ended, and returns what was not taken.
func (l *Live) Stop(ctx context.Context) ([]evidence.Frame, []evidence.FrameCount) {
	open := slices.DeleteFunc(slices.Clone(l.links), func(one *liveLink) bool { return one.tap == nil })
	for _, one := range open {
		one.stop()
	}
	stopped := context.AfterFunc(ctx, func() {
		for _, one := range open {
			one.hurry.Store(true)
		}
	})
	defer stopped()
	var closing sync.WaitGroup
	for _, one := range open {
		closing.Go(func() {
			<-one.done
			ended := one.close()
			l.mu.Lock()
			defer l.mu.Unlock()
			one.count.Drops = ended.Drops
			one.count.Error = cmp.Or(one.count.Error, ended.Error)
			one.tap = nil
		})
	}
	closing.Wait()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	return l.Take(ended, 0)
}
