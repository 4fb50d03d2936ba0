package command

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// seeHelp is the hint where nothing better is known.
func seeHelp(command *cobra.Command) string { return "see: " + command.CommandPath() + " --help" }

// noArguments refuses arguments.
func noArguments(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usagef(seeHelp(command), "%s takes no arguments: %q", command.Name(), args[0])
}

// emptyArgument returns a usage error for an empty argument, as "$UNSET" is. That is
// not the same as to omit it.
func emptyArgument(command *cobra.Command, args []string) error {
	completes := command.Name() == cobra.ShellCompRequestCmd || command.Name() == cobra.ShellCompNoDescRequestCmd
	blank := func(arg string) bool { return strings.TrimSpace(arg) == "" }
	if completes || !slices.ContainsFunc(args, blank) {
		return nil
	}
	return usagef("omit it, or give it a value", "an argument is empty")
}

// group makes a command that only has others refuse what is none of them. Alone it
// shows its help.
func group(command *cobra.Command) {
	command.Args = cobra.ArbitraryArgs
	command.DisableFlagsInUseLine = true
	command.RunE = func(command *cobra.Command, args []string) error {
		if len(args) == 0 {
			return command.Help()
		}
		return usagef(seeHelp(command), "there is no command %q in %s", args[0], command.CommandPath())
	}
}

// addHelp adds the command help, which refuses what is not a command.
func addHelp(command *cobra.Command) {
	command.InitDefaultHelpCmd()
	for _, help := range command.Commands() {
		if help.Name() != "help" {
			continue
		}
		help.Run = nil
		help.RunE = func(help *cobra.Command, args []string) error {
			about, rest, err := help.Root().Find(args)
			if err != nil || len(rest) > 0 && about.HasSubCommands() {
				return usagef(seeHelp(help.Root()), "there is no command %q", strings.Join(args, " "))
			}
			return about.Help()
		}
	}
}

// positive returns a usage error for a time that is over before it began.
func positive(flag string, value time.Duration) error {
	if value > 0 {
		return nil
	}
	return usagef("e.g. 2m", "--%s %s is not positive", flag, value)
}
