package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
)

func newDownCommand() *cobra.Command {
	var name string
	var all bool
	command := &cobra.Command{
		Use:   "down",
		Short: "Remove a lab and everything that it made, also after a crash",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			names := []string{name}
			if all {
				var err error
				if names, err = state.Names(); err != nil {
					return err
				}
			}
			var problems []error
			for _, name := range names {
				said, err := down(name)
				if err != nil {
					problems = append(problems, err)
					continue
				}
				fmt.Fprintln(command.OutOrStdout(), said)
			}
			return errors.Join(problems...)
		},
	}
	nameFlag(command, &name)
	command.Flags().BoolVar(&all, "all", false, "remove all labs")
	command.MarkFlagsMutuallyExclusive("name", "all")
	return command
}

func down(name string) (said string, err error) {
	lab, err := state.Load(name)
	if errors.Is(err, state.ErrNone) {
		return fmt.Sprintf("lab %s does not exist", name), nil
	}
	if err != nil {
		return "", err
	}
	if err := state.Remove(lab); err != nil {
		return "", err
	}
	return fmt.Sprintf("lab %s removed", name), nil
}
