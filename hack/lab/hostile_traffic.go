package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/hostile"
)

// trafficCommands send, carry and divert packets.
func trafficCommands() []*cobra.Command {
	return []*cobra.Command{
		newSendCommand(), newTakeCommand(), newObfuscateCommand(), newFrameCommand(), newStrangersCommand(),
		newDatagramCommand(), newQuoteCommand(), newRedirectCommand(), newDNSCommand(),
	}
}

func newSendCommand() *cobra.Command {
	var send hostile.Send
	command := &cobra.Command{
		Use: "send udp|tcp TO", Args: cobra.ExactArgs(2),
		RunE: func(command *cobra.Command, args []string) error {
			send.Network, send.To = args[0]+"4", args[1]
			return send.Run(command.Context(), command.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.IntVar(&send.From, "from", 0, "source port")
	flags.IntVar(&send.TOS, "tos", 0, "octet of the IP header")
	flags.DurationVar(&send.Every, "every", 20*time.Millisecond, "0 for as fast as it goes")
	flags.IntVar(&send.Size, "size", 0, "bytes at once")
	return command
}

func newTakeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "take PORT", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			port, err := strconv.Atoi(args[0])
			if err != nil {
				return fmt.Errorf("reading the port: %w", err)
			}
			return hostile.Take(command.Context(), command.OutOrStdout(), port)
		},
	}
}

func newDNSCommand() *cobra.Command {
	const port = 53
	return &cobra.Command{
		Use: "dns", Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return hostile.DNS(command.Context(), command.OutOrStdout(), port)
		},
	}
}

func newObfuscateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "obfuscate NAME LOCAL REMOTE", Args: cobra.ExactArgs(3),
		RunE: func(command *cobra.Command, args []string) error {
			local, err := netip.ParseAddrPort(args[1])
			remote, remoteErr := netip.ParseAddrPort(args[2])
			if err := errors.Join(err, remoteErr); err != nil {
				return fmt.Errorf("reading the tunnel's ends: %w", err)
			}
			return hostile.Obfuscate{Name: args[0], Local: local, Remote: remote}.Run(command.Context())
		},
	}
}

func newFrameCommand() *cobra.Command {
	return &cobra.Command{
		Use: "frame LINK FROM TO", Args: cobra.ExactArgs(3),
		RunE: func(_ *cobra.Command, args []string) error {
			from, err := netip.ParseAddrPort(args[1])
			to, toErr := netip.ParseAddrPort(args[2])
			if err := errors.Join(err, toErr); err != nil {
				return fmt.Errorf("reading the ends: %w", err)
			}
			return hostile.Frame(args[0], from, to)
		},
	}
}

func newStrangersCommand() *cobra.Command {
	return &cobra.Command{
		Use: "strangers TO TIMES", Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			times, err := strconv.Atoi(args[1])
			if err != nil {
				return fmt.Errorf("reading how many: %w", err)
			}
			return hostile.Strangers(args[0], times)
		},
	}
}

func newDatagramCommand() *cobra.Command {
	return &cobra.Command{
		Use: "datagram TO HEX", Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := hex.DecodeString(args[1])
			if err != nil {
				return fmt.Errorf("reading the content: %w", err)
			}
			return hostile.Datagram(args[0], data)
		},
	}
}

func newQuoteCommand() *cobra.Command {
	return &cobra.Command{
		Use: "quote LINK", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return hostile.Quote(command.Context(), command.OutOrStdout(), args[0])
		},
	}
}

func newRedirectCommand() *cobra.Command {
	return &cobra.Command{
		Use: "redirect out|in CARD", Args: cobra.ExactArgs(2),
		RunE: func(command *cobra.Command, args []string) error {
			return hostile.Redirect{Card: args[1], Outward: args[0] == "out"}.Run(command.Context(), command.OutOrStdout())
		},
	}
}
