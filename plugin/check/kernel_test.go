package check

import (
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A kernel's version counts only where the system is not known to have had
// WireGuard before; what is not a version says nothing.
func TestKernelsWithoutWireGuard(t *testing.T) {
	for _, test := range []struct {
		kernel, image string
		want          bool
	}{
		{"3.10.0-957.el7.x86_64", "CentOS Linux 7 (Core)", true},
		{"4.18.0-553.el8.x86_64", "Rocky Linux 8.10 (Green Obsidian)", true},
		{"5.4.0-216-generic", "Ubuntu 20.04.6 LTS", false},
		{"4.15.0-213-generic", "Ubuntu 18.04.6 LTS", true},
		{"5.3.18-150300-default", "SUSE Linux Enterprise Server 15 SP3", false},
		{"5.4.196-108.356.amzn2.x86_64", "Amazon Linux 2", true},
		{"5.5.19", "Debian GNU/Linux 11", true},
		{"5.6.0", "", false},
		{"6.1.0-18-amd64", "Debian GNU/Linux 12 (bookworm)", false},
		{"10.0.1", "", false},
		{"", "CentOS Linux 7 (Core)", false},
		{"five.six", "", false},
	} {
		if got := tooOld(&evidence.Node{Kernel: test.kernel, OSImage: test.image}); got != test.want {
			t.Errorf("%q on %q: %v, want %v", test.kernel, test.image, got, test.want)
		}
	}
}
