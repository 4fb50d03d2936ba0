//go:build linux

package canary

import (
	"context"
	"slices"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// Rungs are sent this often, with this pause. Small canaries were answered
// just before, so the tunnel is up and answers are a matter of one round trip.
const (
	rungAttempts = 3
	rungPause    = 400 * time.Millisecond
)

// climb finds how large a packet may be where one of full size is lost and
// smaller ones arrive: it sends the sizes in between, all at once.
func (v *volley) climb(ctx context.Context, targets []evidence.Target, sizes []uint16, rungs []int, family uint8) {
	if len(sizes) < 2 {
		return
	}
	full, below := sizes[len(sizes)-1], sizes[len(sizes)-2]
	stuck := slices.DeleteFunc(slices.Clone(targets), func(t evidence.Target) bool {
		return v.ledger.reached(uint32(t.Index), family, full) || !v.ledger.reached(uint32(t.Index), family, below)
	})
	var between []uint16
	for _, size := range rungs {
		if size > int(below) && size < int(full) {
			between = append(between, uint16(size))
		}
	}
	if len(stuck) == 0 || len(between) == 0 {
		return
	}
	next := *v
	next.first, next.attempts, next.pause = v.first+uint16(v.attempts), rungAttempts, rungPause
	next.datagrams(ctx, stuck, between[:min(len(between), maxSizes)], family, wire.TransportUDP)
}
