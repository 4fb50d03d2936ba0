package ground

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/vm"
)

// modules are those that node-host needs before anything could load them on demand.
var modules = []string{
	"wireguard", "overlay", "bridge", "br_netfilter", "veth", "vxlan", "tun",
	"nf_tables", "nft_compat", "nft_chain_nat", "xt_comment", "xt_MASQUERADE", "xt_conntrack", "xt_mark", "xt_addrtype",
}

// programs are those that nodes start again and again, hundreds of times for a cluster's start.
var programs = []string{
	"sh", "iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore",
	"/usr/lib/x86_64-linux-gnu/xtables", "nft", "ip", "nsenter", "mount", "umount", "modprobe", "runc", "busybox",
}

// virtual is the ground `vm`: node-host is the main process of one QEMU machine that carries all nodes.
type virtual struct{}

func (virtual) Name() string { return VM }

func (virtual) Start(ctx context.Context, spec Spec) (Running, error) {
	if ok, why, _ := vm.Available(ctx); !ok {
		return nil, errors.New(why)
	}
	started, err := vm.Start(ctx, vm.Config{
		Name:     machineName(spec.Lab),
		Dir:      spec.Dir,
		CacheDir: filepath.Join(spec.Cache, "vm"),
		Memory:   2048 + 512*spec.Nodes,
		NetNS:    spec.Netns,
		Bridge:   topology.Bridge,
		Command:  spec.Argv,
		Output:   spec.Output.Name(),
		Tmpfs:    []string{spec.Scratch},
		Shared:   []string{spec.Writable},
		Modules:  modules,
		Resident: programs,
		Progress: spec.Progress,
	})
	if err != nil {
		return nil, err
	}
	return qemu{started}, nil
}

// machineName fits the name of a lab into the twelve letters that a machine's tap leaves. Two may become the same: each
// tap is in a namespace of its own.
func machineName(lab string) string {
	const most = 12
	if len(lab) > most {
		return lab[:most-1] + "x"
	}
	return lab
}

type qemu struct{ *vm.Machine }

func (q qemu) PID() int { return q.QEMU.PID }

func (q qemu) Wait(ctx context.Context) error {
	status, err := q.Machine.Wait(ctx)
	if err == nil && status != 0 {
		err = fmt.Errorf("exit status %d", status)
	}
	if err != nil {
		return fmt.Errorf("running the node host in the VM: %w", err)
	}
	return nil
}
