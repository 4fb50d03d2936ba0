// Package ground is the seam between the lab and the place in which its nodes run: the machine itself, or a VM with a
// kernel of its own. Whatever the ground, the control plane runs on the machine, and the nodes are run by one process,
// `lab node-host CONFIG`, that meets the same surroundings:
//
//   - its file system is the machine's, read-only being enough (it writes below Spec.Dir only);
//   - it runs as root, with proc, sysfs, devtmpfs and cgroups mounted;
//   - its network namespace is one hop of layer 2 away from Spec.Bridge. On the machine it is the switch's own namespace;
//     in a VM, node-host makes a bridge of the same name and joins every network card to it.
//
// All else, such as exec and image loading, goes over TCP to node-host's address on that bridge.
package ground

import (
	"context"
	"os/exec"
)

// Name of a ground, as in `lab up --ground`.
const (
	Auto = "auto"
	Host = "host"
	VM   = "vm"
)

// Spec is what a ground has to run, and where it is plugged in.
type Spec struct {
	// Argv is the command line of node-host, with absolute paths of the machine.
	Argv []string
	// Dir is a directory of this lab on the machine, empty, for the ground's own files (initramfs, sockets, ...).
	// `lab down` removes it.
	Dir string
	// Tap is a persistent tap device that already exists in the network namespace in which the command is started,
	// joined to the switch's bridge. It is empty where NeedsTap is false.
	Tap string
	// Nodes is the number of nodes, for the size of the VM.
	Nodes int
}

// Ground runs node-host.
type Ground interface {
	// Name is one of the names above.
	Name() string
	// NeedsTap says whether Spec.Tap has to be made before Command is called.
	NeedsTap() bool
	// Command prepares all that is needed and returns the command, not started. The supervisor gives it an output file,
	// starts it inside the switch's network namespace, records it, and kills it when the lab goes down: killing that one
	// process must end everything that the ground made.
	Command(ctx context.Context, spec Spec) (*exec.Cmd, error)
}

// Machine is the ground `host`: node-host is started directly.
type Machine struct{}

// Name implements Ground.
func (Machine) Name() string { return Host }

// NeedsTap implements Ground.
func (Machine) NeedsTap() bool { return false }

// Command implements Ground.
func (Machine) Command(_ context.Context, spec Spec) (*exec.Cmd, error) {
	return exec.Command(spec.Argv[0], spec.Argv[1:]...), nil
}
