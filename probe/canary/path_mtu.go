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
// smaller ones arrive: it sends the size that the kernel has been told since, and
// where it was told none, or that is lost as well, the sizes in between, all at once.
func (b *batch) searchMTU(ctx context.Context, targets []evidence.Target, sizes []uint16, tried []int, family uint8) {
	if len(sizes) < 2 {
		return
	}
	full := sizes[len(sizes)-1]
	below := sizes[len(sizes)-2]
	stuck := slices.DeleteFunc(slices.Clone(targets), func(t evidence.Target) bool {
		return b.counters.reached(uint32(t.Index), family, full) || !b.counters.reached(uint32(t.Index), family, below)
	})
	next := *b
	next.attempts = searchAttempts
	next.pause = searchPause
	next.first = b.first + uint16(b.attempts)
	for size, told := range b.learned(stuck, below, full, family) {
		next.sendDatagrams(ctx, told, []uint16{size}, family, wire.TransportUDP)
		stuck = slices.DeleteFunc(stuck, func(t evidence.Target) bool {
			return slices.Contains(told, t) && b.counters.reached(uint32(t.Index), family, size)
		})
	}
	next.first += uint16(next.attempts)
	if between := inside(tried, below, full); len(between) > 0 && len(stuck) > 0 {
		next.sendDatagrams(ctx, stuck, between[:min(len(between), maxSizes)], family, wire.TransportUDP)
	}
}

// inside are the sizes between two others.
func inside(tried []int, below, full uint16) (between []uint16) {
	for _, size := range tried {
		if size > int(below) && size < int(full) {
			between = append(between, uint16(size))
		}
	}
	return between
}

// learned are the targets to which a packet of full size is too large, as the kernel was
// told on the way there, by the size that fits; those of which it is larger than below.
func (b *batch) learned(targets []evidence.Target, below, full uint16, family uint8) map[uint16][]evidence.Target {
	sizes := map[uint16][]evidence.Target{}
	for _, target := range targets {
		mtu, err := pathMTU(target.Addr)
		size := mtu - headersOf(family)
		if err != nil || size <= int(below) || size >= int(full) {
			continue
		}
		b.counters.update(uint32(target.Index), family, wire.TransportUDP, full, func(r *row) { r.pathMTU = mtu })
		sizes[uint16(size)] = append(sizes[uint16(size)], target)
	}
	return sizes
}
