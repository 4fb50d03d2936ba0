package check

import (
	"fmt"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// release is a kernel's version as far as it matters here.
type release struct{ major, minor int }

func (r release) before(other release) bool {
	return r.major < other.major || r.major == other.major && r.minor < other.minor
}

// firstKernel is the first release of Linux with WireGuard (kernelnewbies.org, Linux 5.6).
var firstKernel = release{5, 6}

// backports are systems that have had WireGuard in earlier kernels, from which
// release on, by how their OS image begins.
var backports = []struct {
	system string
	from   release
}{
	{"Ubuntu", release{5, 4}},
	{"SUSE Linux Enterprise", release{5, 3}},
	{"openSUSE Leap", release{5, 3}},
	{"Flatcar", release{4, 19}},
	{"Talos", release{5, 4}},
}

// tooOld reports whether the kernel of a node is known to have no WireGuard of
// its own. A module that was built for it is not known to the API.
func tooOld(n *evidence.Node) bool {
	var r release
	if _, err := fmt.Sscanf(n.Kernel, "%d.%d", &r.major, &r.minor); err != nil {
		return false
	}
	for _, b := range backports {
		if strings.HasPrefix(n.OSImage, b.system) {
			return r.before(b.from)
		}
	}
	return r.before(firstKernel)
}
