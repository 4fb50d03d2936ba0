package routing

import (
	"math/rand/v2"
	"testing"
)

// Wherever a packet can be led, Any says so.
func TestAnyHoldsEveryWay(t *testing.T) {
	described := 0
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 17))
		h := someHost(r)
		plan := Compile(h)
		ways, whole := plan.Ways(remote)
		every, all := plan.Any(remote)
		if !whole || !all {
			continue
		}
		described++
		found := map[string]bool{}
		for i := range every {
			found[result(&every[i])] = true
		}
		for i := range ways {
			w := &ways[i]
			if w.Entry != nil && !found[result(w)] {
				t.Fatalf("seed %d: %+v is none of %v", seed, w, found)
			}
		}
	}
	if described < 1000 {
		t.Errorf("only %d hosts were described", described)
	}
}
