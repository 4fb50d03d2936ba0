package main

import (
	"errors"
	"fmt"
	"net/netip"
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
	}
	cloned := second.Flags().Bool("cloned", false, "have the key that all nodes have")
	second.RunE = func(command *cobra.Command, args []string) error {
		port, err := strconv.Atoi(args[1])
		if err != nil {
			return fmt.Errorf("reading the port: %w", err)
		}
		return hostile.Second(command.Context(), args[0], port, *cloned)
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
	tunnel := &cobra.Command{
		Use: "tunnel NAME ipip|gre|geneve LOCAL REMOTE RANGE", Args: cobra.ExactArgs(5),
		RunE: func(command *cobra.Command, args []string) error {
			local, err := netip.ParseAddr(args[2])
			remote, remoteErr := netip.ParseAddr(args[3])
			pods, podsErr := netip.ParsePrefix(args[4])
			if err := errors.Join(err, remoteErr, podsErr); err != nil {
				return fmt.Errorf("reading the tunnel's ends: %w", err)
			}
			return hostile.Tunnel{Name: args[0], Kind: args[1], Local: local, Remote: remote, Range: pods}.Run(command.Context())
		},
	}
	tee := &cobra.Command{
		Use: "tee FROM TO", Args: cobra.ExactArgs(2),
		RunE: func(command *cobra.Command, args []string) error {
			return hostile.Tee(command.Context(), command.OutOrStdout(), args[0], args[1])
		},
	}
	young := &cobra.Command{
		Use: "young TO SPARED", Args: cobra.ExactArgs(2),
		RunE: func(command *cobra.Command, args []string) error {
			spared, err := strconv.Atoi(args[1])
			if err != nil {
				return fmt.Errorf("reading how many are spared: %w", err)
			}
			return hostile.Young(command.Context(), command.OutOrStdout(), args[0], spared)
		},
	}
	var silent *bool
	vpn := &cobra.Command{
		Use: "vpn NAME PORT N NODES", Args: cobra.ExactArgs(4),
		RunE: func(command *cobra.Command, args []string) error {
			port, err := strconv.Atoi(args[1])
			n, nErr := strconv.Atoi(args[2])
			nodes, nodesErr := strconv.Atoi(args[3])
			if err := errors.Join(err, nErr, nodesErr); err != nil {
				return fmt.Errorf("reading the numbers: %w", err)
			}
			return hostile.VPN(command.Context(), args[0], port, n, nodes, *silent)
		},
	}
	silent = vpn.Flags().Bool("silent", false, "close the control socket, as programs do that have none")
	command.AddCommand(vpn, peer, fake, second, echo, tunnel, tee, young)
	command.AddCommand(trafficCommands()...)
	return command
}
