package ground

import (
	"fmt"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// Choose picks the ground for a request and says why.
func Choose(request, backend string) (name, reason string, err error) {
	switch request {
	case Host, VM:
		return request, "asked for with --ground", nil
	case Auto, "":
	default:
		return "", "", fmt.Errorf("unknown ground %q: want auto, host or vm", request)
	}
	if backend != "wireguard" && backend != topology.Calico {
		return Host, "backend " + backend + " needs no WireGuard of the kernel", nil
	}
	kernel, err := topology.KernelWireGuard()
	if err != nil {
		return "", "", fmt.Errorf("choosing the ground: %w", err)
	}
	if kernel {
		return Host, "this kernel makes WireGuard devices: the network plugin's own are used", nil
	}
	if backend == topology.Calico {
		return VM, "this kernel makes no WireGuard devices, and Felix uses no other", nil
	}
	return Host, "this kernel makes no WireGuard devices: wireguard-go stands in; --ground vm has a kernel that does", nil
}
