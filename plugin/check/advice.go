package check

import (
	"fmt"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// adviceChecks are WG07xx and WG08xx: what is slow, and what was not looked at.
// None of them fails a run.
func (v *view) adviceChecks() []verdict.Check {
	return []verdict.Check{
		{
			Code: "WG0701", Title: "WireGuard runs in the kernel",
			Why:   "A userspace implementation encrypts as well as the kernel's and takes several times its processor time.",
			Reads: "how the device was read: from the kernel or through a control socket",
			Scope: verdict.PerNode, Needs: []verdict.Need{verdict.NeedProbe}, After: []string{"WG0103", "WG0202"}, Judge: v.kernel,
		},
		{
			Code: "WG0801", Title: "every address family of the pods was tested",
			Why:   "Each family has a tunnel or at least allowed IPs of its own; that one is encrypted says nothing of the other.",
			Reads: "pod ranges of the nodes, families of the run",
			Scope: verdict.PerCluster, Judge: v.families,
		},
	}
}

func (v *view) kernel(f *verdict.Focus) verdict.Outcome {
	n := f.Node
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
		out := warn("%s of %s is a userspace WireGuard", list(slow), n.Name)
		out.Facts = map[string]string{"node": n.Name}
		return out
	}
	return pass("%s: the kernel's", n.Name)
}

func (v *view) families(f *verdict.Focus) verdict.Outcome {
	have := map[int]int{}
	for _, n := range f.Nodes {
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
	for _, family := range f.Run.Families {
		delete(have, family)
	}
	for _, family := range []int{4, 6} {
		if have[family] > 1 {
			return warn("%d nodes have IPv%d pod ranges, which were not tested", have[family], family)
		}
	}
	names := []string{}
	for _, family := range f.Run.Families {
		names = append(names, fmt.Sprintf("IPv%d", family))
	}
	return pass("%s", strings.Join(names, ", "))
}
