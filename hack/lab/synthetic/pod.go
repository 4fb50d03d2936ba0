package synthetic

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/agent"
	"github.com/kubectl-wg/kubectl-wg/probe/canary"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// pod is the test pod of a node: it keeps the counters of test packets that it does not send.
type pod struct {
	*Host
	mark    []byte
	mu      sync.Mutex
	results []evidence.Message
	nodes   map[int]int // the other nodes' numbers, by their index in the run
}

func (h *Host) pod(id canary.Identity) agent.Pod {
	return &pod{Host: h, mark: id.Mark[:], nodes: map[int]int{}}
}

// Listen names ports that nobody listens on.
func (p *pod) Listen(_ context.Context, request evidence.ListenRequest) (map[string]uint16, []evidence.Problem) {
	if !slices.Contains(request.Families, 4) {
		return nil, []evidence.Problem{{Class: evidence.ProblemUnsupported, What: "listen", Text: "synthetic pods have IPv4 only"}}
	}
	return map[string]uint16{"udp4": 40001, "tcp4": 40002}, nil
}

// Send returns at once, or when the time for answers is over if there are targets that do not answer.
func (p *pod) Send(ctx context.Context, request evidence.SendRequest) []evidence.Problem {
	sizes := slices.Clone(request.Sizes)
	for i, size := range sizes {
		if size == 0 {
			sizes[i] = full
		}
	}
	slices.Sort(sizes)
	unanswered := false
	var results []evidence.Message
	nodes := map[int]int{}
	for _, target := range request.Targets {
		nodes[target.Index] = p.world.Owner(target.Addr)
		answered := target.UDP != 0 && target.TCP != 0 && !p.world.cut(p.node, nodes[target.Index])
		unanswered = unanswered || !answered
		canary := &evidence.Canary{Peer: target.Index, Family: 4, Rows: rows(sizes, answered)}
		results = append(results, evidence.Message{Canary: canary})
	}
	slices.SortFunc(results, func(a, b evidence.Message) int { return cmp.Compare(a.Canary.Peer, b.Canary.Peer) })
	p.mu.Lock()
	p.results, p.nodes = append(p.results, results...), nodes
	p.mu.Unlock()
	if unanswered {
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(request.Timeout) * time.Millisecond):
		}
	}
	return nil
}

// rows are in the order of the real counters: UDP, TCP, ICMP, the smallest first.
func rows(sizes []int, answered bool) (all []evidence.CanaryRow) {
	for _, transport := range []string{"udp", "tcp", "icmp"} {
		for _, size := range sizes {
			row := evidence.CanaryRow{Transport: transport, Size: size}
			switch {
			case transport == "icmp":
				row.Error = "unprivileged echo is not permitted here, see net.ipv4.ping_group_range"
			case answered:
				row.Sent, row.Answered, row.Received, row.RTT = 1, 1, 1, 400
			case transport == "udp":
				row.Sent = attempts
			default:
				row.Error = "timed out"
			}
			all = append(all, row)
		}
	}
	return all
}

// Stop returns the results and forgets them.
func (p *pod) Stop() []evidence.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	results := p.results
	p.results = nil
	for _, m := range results {
		if node := p.nodes[m.Canary.Peer]; !p.world.cut(node, p.node) {
			first, _ := p.world.first(p.mark, node, p.node)
			m.Canary.First = uint32(first)
		}
	}
	return results
}
