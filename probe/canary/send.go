//go:build linux

package canary

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// Bounds of a SendRequest.
const (
	maxAttempts = 32
	maxSizes    = 12
	maxTimeout  = 2 * time.Minute
)

// turn is how long a pod lets those of a lower index go first. Two WireGuard
// devices that begin a handshake with each other at the same moment both lose
// it: each drops the response to its own initiation, having answered the
// other's, and tries again only after REKEY_TIMEOUT, 5 s (the kernel's
// wg_noise_handshake_consume_response). All pods send at once, so on idle
// tunnels this would be the rule.
const turn = 100 * time.Millisecond

// Send sends canaries to every target at once, by every transport and in every
// size, repeats what stays unanswered, and returns when all were answered or
// the time is over. What it counted is part of what Stop returns.
func (p *Pod) Send(ctx context.Context, request evidence.SendRequest) []evidence.Problem {
	attempts := min(max(request.Attempts, 1), maxAttempts)
	timeout := min(max(time.Duration(request.Timeout)*time.Millisecond, time.Millisecond), maxTimeout)
	whole := ctx
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	p.mu.Lock()
	batch := batch{
		id: p.id, counters: &p.counters, attempts: attempts, pause: timeout / time.Duration(attempts),
		first: p.sequence, turn: time.Now().Add(turn),
	}
	p.sequence += uint16(attempts + 2*searchAttempts)
	p.mu.Unlock()

	var problems []evidence.Problem
	var sending, searching sync.WaitGroup
	for _, family := range []uint8{4, 6} {
		targets := slices.DeleteFunc(slices.Clone(request.Targets), func(t evidence.Target) bool {
			return !t.Addr.IsValid() || familyOf(t.Addr) != family || t.Index < 0
		})
		if len(targets) == 0 {
			continue
		}
		// Highest first: they wait for us.
		slices.SortStableFunc(targets, func(a, b evidence.Target) int { return b.Index - a.Index })
		sizes, err := resolve(request.Sizes, targets[0], family)
		if err != nil {
			problems = append(problems, evidence.Problem{
				Class: evidence.ProblemMissing, What: "send", On: targets[0].Addr.String(),
				Text: "the size of the largest canary is unknown: " + reason(err),
			})
		}
		sending.Go(func() { batch.sendDatagrams(ctx, targets, sizes, family, wire.TransportUDP) })
		sending.Go(func() { batch.sendDatagrams(ctx, targets, sizes, family, wire.TransportICMP) })
		sending.Go(func() { batch.sendStreams(ctx, targets, sizes, family) })
		searching.Go(func() {
			sending.Wait()
			batch.searchMTU(whole, targets, sizes, request.Rungs, family)
		})
	}
	searching.Wait()
	p.sendTries(whole, request) // last, so that they are in nobody's way
	return problems
}

// resolve replaces size 0 by the largest that this pod's link takes: its MTU
// less the headers of IP and of UDP or ICMP. Sizes are sorted, without repeats.
func resolve(asked []int, target evidence.Target, family uint8) (sizes []uint16, err error) {
	for _, size := range asked {
		if size == 0 {
			var mtu int
			if mtu, err = linkMTU(target.Addr); err != nil {
				continue
			}
			size = min(mtu, 0xffff) - headersOf(family)
		}
		sizes = append(sizes, uint16(min(max(size, wire.MarkedSize), 0xffff-48)))
	}
	slices.Sort(sizes)
	sizes = slices.Compact(sizes)
	return sizes[:min(len(sizes), maxSizes)], err
}

// headersOf are the bytes of IP and UDP or ICMP in front of a canary.
func headersOf(family uint8) int {
	if family == 6 {
		return 48
	}
	return 28
}

// batch is one Send.
type batch struct {
	id       Identity
	counters *counters
	attempts int
	pause    time.Duration // from one attempt to the next
	first    uint16        // sequence of the first attempt
	turn     time.Time     // until when lower indexes go first
}

// yield waits for its turn: until a canary of a target with a lower index came,
// which shows that the tunnel is up, or until nobody has to wait any more.
func (b *batch) yield(ctx context.Context, target evidence.Target, family uint8) {
	if target.Index >= b.id.Index {
		return
	}
	for time.Now().Before(b.turn) && ctx.Err() == nil && !b.counters.came(uint32(target.Index), family) {
		time.Sleep(time.Millisecond)
	}
}

func (b *batch) marked(target evidence.Target, family, transport uint8, size uint16, attempt int) wire.Marked {
	return wire.Marked{
		Kind: wire.KindCanary, Family: family, Transport: transport,
		Source: uint32(b.id.Index), Target: uint32(target.Index), Size: size, Sequence: b.first + uint16(attempt),
	}
}

// sent counts one canary, or why it could not be sent.
func (b *batch) sent(m wire.Marked, err error) {
	b.counters.update(m.Target, m.Family, m.Transport, m.Size, func(r *row) {
		if err == nil {
			r.sent++
		} else {
			r.err = reason(err)
		}
	})
}
