package wire

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// BenchmarkParts is what the steps of Add cost by themselves.
func BenchmarkParts(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 1))
	stats := newStats(b, testSubject())
	link := stats.Link("eth0", evidence.RoleOutside)
	s := stats.settings
	for _, size := range []int{96, 1452} {
		frame := tx(underlay(b, data(1, 0, size)))
		for i := 42 + 16; i < len(frame.Data); i++ {
			frame.Data[i] = byte(random.Uint32())
		}
		name := fmt.Sprintf("%d bytes", size)
		for _, part := range []struct {
			name string
			do   func()
		}{
			{"dissect", func() { dissect(&link.parts, &frame, &s.wireguard, s.pods) }},
			{"search", func() { s.match.search(frame.Data) }},
			{"mark", func() { s.match.next(frame.Data) }},
			{"v4", func() { s.match.flows.v4.find(frame.Data) }},
			{"v6", func() { s.match.flows.v6.find(frame.Data) }},
			{"tunnel", func() { stats.tunnels.add(link.id, &link.parts, &frame, s, &link.recent) }},
		} {
			b.Run(name+" "+part.name, func(b *testing.B) {
				n := uint64(0)
				for b.Loop() {
					n++
					frame.Data[50], frame.Data[51], frame.Data[52] = byte(n), byte(n>>8), byte(n>>16)
					part.do()
				}
			})
		}
	}
}
