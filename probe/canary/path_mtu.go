//go:build linux

package canary

import (
	"context"
	"slices"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// The sizes of a search are sent this often, with this pause. Small canaries were answered
// just before, so the tunnel is up and answers are a matter of one round trip.
const (
	searchAttempts = 3
	searchPause    = 400 * time.Millisecond
)

// searchMTU finds how large a packet may be where one of full size is lost and
// smaller ones arrive: it sends the sizes in between, all at once.
func (b *batch) searchMTU(ctx context.Context, targets []evidence.Target, sizes []uint16, tried []int, family uint8) {
	if len(sizes) < 2 {
		return
	}
	full := sizes[len(sizes)-1]
	below := sizes[len(sizes)-2]
	stuck := slices.DeleteFunc(slices.Clone(targets), func(t evidence.Target) bool {
		return b.counters.reached(uint32(t.Index), family, full) || !b.counters.reached(uint32(t.Index), family, below)
	})
	var between []uint16
	for _, size := range tried {
		if size > int(below) && size < int(full) {
			between = append(between, uint16(size))
		}
	}
	if len(stuck) == 0 || len(between) == 0 {
		return
	}
	next := *b
	next.first = b.first + uint16(b.attempts)
	next.attempts = searchAttempts
	next.pause = searchPause
	next.sendDatagrams(ctx, stuck, between[:min(len(between), maxSizes)], family, wire.TransportUDP)
}
