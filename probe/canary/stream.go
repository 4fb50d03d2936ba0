//go:build linux

package canary

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// maxDials bounds the connections that are open at a time; those to a dead
// target hold their place until an attempt's time is over.
const maxDials = 1024

// sendStreams sends every size to every target, each over a TCP connection of its own.
func (b *batch) sendStreams(ctx context.Context, targets []evidence.Target, sizes []uint16, family uint8) {
	places := make(chan struct{}, maxDials)
	var sending sync.WaitGroup
	for _, target := range targets {
		for _, size := range sizes {
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
			}
			if ctx.Err() != nil {
				b.sent(b.marked(target, family, wire.TransportTCP, size, 0), ctx.Err())
				continue
			}
			sending.Go(func() {
				defer func() { <-places }()
				b.stream(ctx, target, size, family)
			})
		}
	}
	sending.Wait()
}

// stream tries until an answer came, the attempts are used up or ctx ended.
func (b *batch) stream(ctx context.Context, target evidence.Target, size uint16, family uint8) {
	b.yield(ctx, target, family)
	for attempt := range b.attempts {
		next := time.After(b.pause)
		m := b.marked(target, family, wire.TransportTCP, size, attempt)
		if b.exchange(ctx, target, m) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-next:
		}
	}
}

func (b *batch) exchange(ctx context.Context, target evidence.Target, m wire.Marked) bool {
	// The last attempt's answer may take as long as ctx lasts, so the deadline
	// of an attempt is not its pause but at least a second.
	ctx, cancel := context.WithTimeout(ctx, max(b.pause, time.Second))
	defer cancel()
	to := netip.AddrPortFrom(target.Addr.Unmap(), target.TCP)
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", to.String())
	if err != nil {
		b.sent(m, err)
		return false
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	payload, err := m.Payload(int(m.Size), b.id.Mark, b.id.Key)
	if err != nil {
		b.sent(m, err)
		return false
	}
	sent := time.Now()
	_, err = conn.Write(payload)
	b.sent(m, err)
	if err != nil {
		return false
	}
	answer, ok := readMarked(conn, b.id)
	want := m
	want.Kind = wire.KindAnswer
	want.Source = m.Target
	want.Target = m.Source
	if !ok || answer != want {
		b.counters.update(m.Target, m.Family, m.Transport, m.Size, func(r *row) { r.err = errNoAnswer.Error() })
		return false
	}
	b.counters.answered(answer, m.Target, time.Since(sent))
	return true
}

var errNoAnswer = errors.New("connected, but no genuine answer came")
