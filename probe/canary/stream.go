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

// streams sends every size to every target, each over a TCP connection of its own.
func (v *volley) streams(ctx context.Context, targets []evidence.Target, sizes []uint16, family uint8) {
	places := make(chan struct{}, maxDials)
	var sending sync.WaitGroup
	for _, target := range targets {
		for _, size := range sizes {
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
			}
			if ctx.Err() != nil {
				v.sent(v.marked(target, family, wire.TransportTCP, size, 0), ctx.Err())
				continue
			}
			sending.Go(func() {
				defer func() { <-places }()
				v.stream(ctx, target, size, family)
			})
		}
	}
	sending.Wait()
}

// stream tries until an answer came, the attempts are used up or ctx ended.
func (v *volley) stream(ctx context.Context, target evidence.Target, size uint16, family uint8) {
	v.yield(ctx, target, family)
	for attempt := range v.attempts {
		next := time.After(v.pause)
		m := v.marked(target, family, wire.TransportTCP, size, attempt)
		if v.exchange(ctx, target, m) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-next:
		}
	}
}

func (v *volley) exchange(ctx context.Context, target evidence.Target, m wire.Marked) bool {
	// The last attempt's answer may take as long as ctx lasts, so the deadline
	// of an attempt is not its pause but at least a second.
	ctx, cancel := context.WithTimeout(ctx, max(v.pause, time.Second))
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", netip.AddrPortFrom(target.Addr.Unmap(), target.TCP).String())
	if err != nil {
		v.sent(m, err)
		return false
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	payload, err := m.Payload(int(m.Size), v.id.Mark, v.id.Key)
	if err != nil {
		v.sent(m, err)
		return false
	}
	start := time.Now()
	_, err = conn.Write(payload)
	v.sent(m, err)
	if err != nil {
		return false
	}
	answer, ok := readMarked(conn, v.id)
	if !ok || answer.Kind != wire.KindAnswer || answer.Source != m.Target || answer.Target != m.Source ||
		answer.Sequence != m.Sequence || answer.Size != m.Size || answer.Transport != m.Transport || answer.Family != m.Family {
		v.ledger.update(m.Target, m.Family, m.Transport, m.Size, func(r *row) { r.err = errNoAnswer.Error() })
		return false
	}
	v.ledger.answered(answer, m.Target, time.Since(start))
	return true
}

var errNoAnswer = errors.New("connected, but no genuine answer came")
