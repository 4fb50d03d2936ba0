package command

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
)

const completionHelp = `Print a script that completes the command line of kubectl-wg.

To complete "kubectl wg" no script is needed besides kubectl's own: kubectl runs
the program kubectl_complete-wg, if it is on the PATH. It can be a link to the
plugin:

  ln -s "$(command -v kubectl-wg)" ~/.local/bin/kubectl_complete-wg

A krew plugin cannot bring a second program, so make the link there too:

  ln -s kubectl-wg "${KREW_ROOT:-$HOME/.krew}/bin/kubectl_complete-wg"
`

// addCompletion adds the command that prints scripts for shells, and completes
// the global flags.
func (r *root) addCompletion(command *cobra.Command) {
	command.InitDefaultCompletionCmd()
	for _, completion := range command.Commands() {
		if completion.Name() != "completion" {
			continue
		}
		completion.Short = "Print a completion script, and how kubectl completes the plugin"
		completion.Long = completionHelp
		group(completion)
		for _, shell := range completion.Commands() {
			shell.Long = completionHelp
		}
	}
	completeWith(command, "color", colors...)
	completeWith(command, "verbose", "0", "1", "6", "7", "8", "9")
	command.RegisterFlagCompletionFunc("namespace", r.completeFromAPI((*cluster.Client).NamespaceNames))
	for _, flag := range []string{"context", "cluster", "user"} {
		command.RegisterFlagCompletionFunc(flag, r.completeFromConfig(flag))
	}
}

// completeFromConfig completes a flag with names in the kubeconfig.
func (r *root) completeFromConfig(flag string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		config, err := r.config.ToRawKubeConfigLoader().RawConfig()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		names := slices.Sorted(maps.Keys(config.Contexts))
		switch flag {
		case "cluster":
			names = slices.Sorted(maps.Keys(config.Clusters))
		case "user":
			names = slices.Sorted(maps.Keys(config.AuthInfos))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFromAPI completes with names that the cluster knows, if it answers
// soon.
func (r *root) completeFromAPI(names func(*cluster.Client, context.Context) ([]string, error)) cobra.CompletionFunc {
	return func(command *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		client, err := r.connect()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		late := errors.New("completion takes too long")
		ctx, cancel := context.WithTimeoutCause(command.Context(), 3*time.Second, late)
		defer cancel()
		found, err := names(client, ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeNodes completes a list of nodes.
func (r *root) completeNodes(command *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	names, directive := r.completeFromAPI((*cluster.Client).NodeNames)(command, args, typed)
	// In a list, complete what follows the last comma.
	done := typed[:strings.LastIndexByte(typed, ',')+1]
	for i := range names {
		names[i] = done + names[i]
	}
	return names, directive | cobra.ShellCompDirectiveNoSpace
}
