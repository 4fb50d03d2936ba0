package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/hostile"
)

// newHostileCommand is what scenarios call inside of nodes.
func newHostileCommand() *cobra.Command {
	command := &cobra.Command{Use: "hostile", Hidden: true}
	peer := &cobra.Command{
		Use: "peer DEVICE RANGE CHANGE...", Args: cobra.MinimumNArgs(3),
		RunE: func(_ *cobra.Command, args []string) error {
			change, err := hostile.ParseChange(args[1], args[2:])
			if err != nil {
				return err
			}
			return hostile.Peer(args[0], change)
		},
	}
	fake := &cobra.Command{
		Use: "fake DEVICE wireguard|own", Args: cobra.ExactArgs(2),
	}
	socket := fake.Flags().Bool("socket", false, "answer on the device's configuration socket")
	fake.RunE = func(command *cobra.Command, args []string) error {
		return hostile.Fake{Device: args[0], Wrapping: hostile.Wrapping(args[1]), Socket: *socket}.Run(command.Context())
	}
	second := &cobra.Command{
		Use: "second NAME PORT", Args: cobra.ExactArgs(2),
		RunE: func(command *cobra.Command, args []string) error {
			port, err := strconv.Atoi(args[1])
			if err != nil {
				return fmt.Errorf("reading the port: %w", err)
			}
			return hostile.Second(command.Context(), args[0], port)
		},
	}
	echo := &cobra.Command{
		Use: "echo PORT", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			port, err := strconv.Atoi(args[0])
			if err != nil {
				return fmt.Errorf("reading the port: %w", err)
			}
			return hostile.Echo(command.Context(), port)
		},
	}
	command.AddCommand(peer, fake, second, echo)
	return command
}
