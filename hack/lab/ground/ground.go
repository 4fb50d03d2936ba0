// Package ground is the seam between the lab and the place in which its nodes run: the machine itself, or a VM with a
// kernel of its own. Whatever the ground, the control plane runs on the machine, and the nodes are run by one process,
// `lab node-host CONFIG`, that meets the same surroundings:
//
//   - its file system shows the machine's files; it writes below Spec.Writable and Spec.Scratch only;
//   - it runs as root, with proc, sysfs, devtmpfs and cgroups mounted;
//   - its network namespace is one hop of layer 2 away from the lab's switch. On the machine it is the switch's own
//     namespace; in a VM, node-host makes a bridge of the same name and joins its network cards to it.
//
// All else, such as exec and image loading, goes over TCP to node-host's address on that bridge.
package ground

import (
	"context"
	"os"
)

// Names of grounds, as in `lab up --ground`.
const (
	Auto = "auto"
	Host = "host"
	VM   = "vm"
)

// Spec is what a ground has to run, and where it is plugged in.
type Spec struct {
	Lab   string   // the lab's name
	Argv  []string // node-host's command line, with absolute paths of the machine
	Netns string   // path of the switch's network namespace, which holds the bridge topology.Bridge
	Nodes int      // how many nodes the ground will carry

	Dir      string // the ground's own, empty directory on the machine; `lab down` removes it
	Cache    string // directory for what labs share, such as a kernel
	Writable string // directory in which what node-host writes is seen by the machine: logs
	Scratch  string // directory for the nodes' own files, on a file system that can carry overlays

	Output   *os.File     // node-host's stdout and stderr, where the ground can give them
	Progress func(string) // receives what is going on, in a few words
}

// Running is a started node-host.
type Running interface {
	// PID is the process on the machine whose death ends all that the ground started.
	PID() int
	// Wait returns when node-host has ended, and why.
	Wait(ctx context.Context) error
	// Stop ends it and returns when it has ended; stopping twice is not an error.
	Stop() error
}

// Ground runs node-host.
type Ground interface {
	// Name is one of the names above.
	Name() string
	// Start returns as soon as node-host is about to run.
	Start(ctx context.Context, spec Spec) (Running, error)
}

// ByName lists the grounds.
func ByName() map[string]Ground {
	return map[string]Ground{Host: machine{}, VM: virtual{}}
}
