// Command lab builds and runs real Kubernetes clusters on one machine, without Docker, for the tests of kubectl-wg.
// README.md says how.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{
		Use:               "lab",
		Short:             "Real Kubernetes clusters on one machine, for the tests of kubectl-wg",
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.AddCommand(
		newBuildCommand(), newUpCommand(), newDownCommand(), newStatusCommand(), newExecCommand(), newKubeconfigCommand(),
		newLoadImageCommand(), newRunCommand(), newMeasureCommand(), newScaleCommand(),
		newSuperviseCommand(), newNodeHostCommand(), newNodeInitCommand(), newFlannelCommand(), newFelixCommand(), newCalicoRoutesCommand(), newHollowCommand(), newHostileCommand(),
		newCiliumCommand(), newUserspaceCommand(),
	)
	err := root.ExecuteContext(ctx)
	var code exitCode
	switch {
	case errors.As(err, &code):
		os.Exit(int(code))
	case err != nil:
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

// exitCode ends the program with the code of what it ran, which has said all there was to say.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit status %d", int(c)) }

// nameFlag is the lab that a command is about.
func nameFlag(command *cobra.Command, name *string) {
	command.Flags().StringVar(name, "name", "wg", "name of the lab; several can stand side by side")
}
