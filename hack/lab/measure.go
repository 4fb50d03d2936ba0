package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/build"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/measure"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
)

func newMeasureCommand() *cobra.Command {
	var name string
	var plan measure.Plan
	var manual bool
	command := &cobra.Command{
		Use:   "measure [-- ARGUMENT OF VERIFY...]",
		Short: "Measure `kubectl-wg verify` against the bare start of its pods, and the manual procedure, in turn",
		RunE: func(command *cobra.Command, args []string) error {
			if plan.Verify == "" {
				return errors.New("--verify says where kubectl-wg is")
			}
			if plan.Runs < 1 {
				return errors.New("--runs is at least 1")
			}
			lab, err := state.Load(name)
			if err != nil {
				return err
			}
			if manual {
				if plan.Manual, err = manualProcedure(lab); err != nil {
					return err
				}
			}
			plan.Kubeconfig, plan.Args, plan.Progress = lab.Kubeconfig(), args, command.ErrOrStderr()
			rounds, err := measure.Run(command.Context(), plan)
			if err != nil {
				return err
			}
			out := command.OutOrStdout()
			fmt.Fprintf(out, "%d nodes, network %s, ground %s, %d cores, kernel %s\n", len(lab.Nodes), lab.Label(), lab.Ground,
				runtime.NumCPU(), kernel())
			measure.Write(out, rounds)
			return nil
		},
	}
	nameFlag(command, &name)
	command.Flags().StringVar(&plan.Verify, "verify", "", "path of kubectl-wg")
	command.Flags().IntVar(&plan.Runs, "runs", 10, "rounds that count, of each")
	command.Flags().BoolVar(&manual, "manual", false, "also measure what operators type by hand, between the first two nodes; needs wireguard-tools on this machine")
	return command
}

func manualProcedure(lab *state.Lab) (*measure.Manual, error) {
	if len(lab.Nodes) < 2 {
		return nil, fmt.Errorf("%s has %d nodes: --manual needs two", lab.Name, len(lab.Nodes))
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	distribution, err := build.Cached()
	if err != nil {
		return nil, fmt.Errorf("finding kubectl: %w", err)
	}
	return &measure.Manual{Lab: self, Name: lab.Name, Nodes: lab.Nodes[:2], Kubectl: distribution.Bin("kubectl"), Image: build.BusyboxImage}, nil
}

func kernel() string {
	var about unix.Utsname
	if err := unix.Uname(&about); err != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(about.Release[:])
}
