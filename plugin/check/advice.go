package check

import (
	"fmt"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

func (v *view) kernel(n *graph.Node) verdict.Outcome {
	if len(n.Devices) == 0 {
		return skip("no WireGuard device was read on %s", n.Name)
	}
	var slow []string
	for _, d := range n.Devices {
		if d.Userspace {
			slow = append(slow, d.Name)
		}
	}
	if len(slow) > 0 {
		out := warn("%s of %s is a userspace WireGuard: encrypted, but slower", list(slow), n.Name)
		out.Facts = map[string]string{"node": n.Name}
		return out
	}
	return pass("%s: the kernel's", n.Name)
}

func (v *view) families() verdict.Outcome {
	have := map[int]int{}
	for _, n := range v.Nodes {
		seen := map[int]bool{}
		for _, podRange := range n.PodCIDRs {
			family := 6
			if podRange.Addr().Is4() {
				family = 4
			}
			if !seen[family] {
				seen[family] = true
				have[family]++
			}
		}
	}
	for _, family := range v.Run.Families {
		delete(have, family)
	}
	for _, family := range []int{4, 6} {
		if have[family] > 1 {
			return warn("%d nodes have IPv%d pod ranges, which were not tested", have[family], family)
		}
	}
	names := []string{}
	for _, family := range v.Run.Families {
		names = append(names, fmt.Sprintf("IPv%d", family))
	}
	return pass("tested over %s", strings.Join(names, ", "))
}
