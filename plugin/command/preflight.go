package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/plugin/preflight"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/run"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// preflightFlags are the flags as they were typed.
type preflightFlags struct {
	placementFlags
	ports   []int
	trial   bool
	plan    string
	record  string
	output  string
	details bool
}

func (r *root) preflight() *cobra.Command {
	var f preflightFlags
	command := &cobra.Command{
		Use:        "preflight",
		SuggestFor: []string{"plan", "prepare", "migrate", "switch", "enable", "ready", "before"},
		Short:      "Find out whether the cluster can be switched to WireGuard, and how",
		Long: `Try on each node what WireGuard needs, before the network plugin is switched to
it: whether the kernel makes WireGuard links, whether the tunnel's UDP ports are
free and are reached from every other node in both families, how large packets
may be, what firewalls and filters are in the way. Then print the plan: the
commands for this cluster, in order, and what they interrupt.

A WireGuard link is made in the network of a pod of its own on each node, never
in the node's, and removed at once. The kernel may load the module wireguard for
it, which stays loaded; --trial=false leaves this out. Ports are bound for some
seconds. Nothing else is changed, and what was created is removed.

Nothing is proven of encryption: that is for kubectl wg verify, after the switch.

Exit code: 0 ready, 1 not ready, 2 usage, 3 could not be decided, 4 could not run.`,
		Example: `  kubectl wg preflight
  kubectl wg preflight --plan plan.sh      # the plan as a script, to review
  kubectl wg preflight -o json
  kubectl wg preflight --port 51900        # the tunnel's port will be another
  kubectl wg preflight --trial=false       # do not make a link, load no module`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := emptyFlag(command); err != nil {
				return err
			}
			options, ports, err := r.preflightOptions(&f)
			if err != nil {
				return err
			}
			return r.runPreflight(command.Context(), f, options, ports)
		},
	}
	flags := command.Flags()
	r.addPlacementFlags(command, &f.placementFlags, "limit for the run")
	flags.IntSliceVar(&f.ports, "port", nil, "the tunnel's UDP port, or those of IPv4 and IPv6 "+
		"(default those of the network plugin, 51820,51821 of Flannel and Calico)")
	flags.BoolVar(&f.trial, "trial", true, "make a WireGuard link in a pod of each node, and remove it")
	flags.StringVar(&f.plan, "plan", "", "write the plan to this `file` as a shell script to review")
	flags.StringVar(&f.record, "record", "", "write the evidence to this `file`; compressed if it ends with .gz")
	addDataFormat(command, &f.output)
	flags.BoolVar(&f.details, "details", false, "show every node and every direction")
	return command
}

// preflightOptions validates the flags and turns them into options.
func (r *root) preflightOptions(f *preflightFlags) (run.Options, []evidence.Port, error) {
	o, err := r.placementOptions(&f.placementFlags)
	if err != nil {
		return o, nil, err
	}
	if err := validDataFormat(f.output); err != nil {
		return o, nil, err
	}
	r.announce(f.output, preflight.APIVersion, preflight.Kind)
	ports, err := tunnelPorts(f.ports)
	if err != nil {
		return o, nil, err
	}
	o.Roles = []string{run.RoleProbe}
	if f.trial {
		o.Roles = append(o.Roles, run.RoleTrial)
	}
	return o, ports, errors.Join(writable("plan", f.plan), writable("record", f.record))
}

// tunnelPorts are the ports to try: one for both families, or one for each; none for
// those that the cluster's network plugin has by default.
func tunnelPorts(given []int) ([]evidence.Port, error) {
	const highest = 65535
	for _, port := range given {
		if port < 1 || port > highest {
			return nil, usagef("a number from 1 to 65535", "--port %d is not a valid port", port)
		}
	}
	switch len(given) {
	case 0:
		return nil, nil
	case 1:
		given = append(given, given[0])
	case 2:
	default:
		return nil, usagef("e.g. --port 51820,51821", "--port names %d ports, at most two", len(given))
	}
	return []evidence.Port{{Family: 4, Port: uint16(given[0])}, {Family: 6, Port: uint16(given[1])}}, nil
}

func (r *root) runPreflight(ctx context.Context, f preflightFlags, o run.Options, ports []evidence.Port) error {
	var recorded *recording.Recording
	var notRecorded error
	failed := r.observe(ctx, o, func(ctx context.Context, observation *run.Observation, progress *progress) error {
		if f.trial {
			progress.Note("a WireGuard link is made in a pod's own network on each node and removed at once; the kernel may " +
				"load the module wireguard for it, which stays (--trial=false leaves it out)")
		}
		err := observation.Preflight(ctx, ports)
		recorded = observation.Evidence()
		notRecorded = r.record(f.record, recorded, progress)
		return err
	})
	if failed != nil {
		return errors.Join(failed, notRecorded)
	}
	result := preflight.Judge(recorded)
	text := func(w io.Writer) error {
		return result.Text(w, preflight.Options{Color: r.colored(), Width: width(r.streams.Out), Details: f.details})
	}
	written := errors.Join(r.writeData(f.output, result.Document(), text), writePlan(f.plan, result))
	return ends(result.Verdict.ExitCode(), errors.Join(written, notRecorded))
}

// writePlan writes the script to a file, if one is named.
func writePlan(file string, result *preflight.Result) error {
	if file == "" {
		return nil
	}
	const reviewed = 0o644 // not executable: it is to be read first
	if err := os.WriteFile(file, []byte(result.Script()), reviewed); err != nil {
		return fmt.Errorf("writing the plan: %w", err)
	}
	return nil
}
