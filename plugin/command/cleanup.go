package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/plugin/run"
)

type cleanupFlags struct {
	all     bool
	dryRun  bool
	timeout time.Duration
}

func (r *root) cleanup() *cobra.Command {
	var f cleanupFlags
	command := &cobra.Command{
		Use:        "cleanup [RUN...]",
		SuggestFor: []string{"clean", "delete", "remove", "rm", "gc", "prune", "uninstall"},
		Short:      "Find and remove what an interrupted run left",
		Long: `Find what runs have left in the cluster, by their label, and remove it. A run
whose pods still run, or that is starting, may be someone else's; it is removed
only if it is named, or with --all. With --namespace only that namespace is
searched.

If you are not allowed to search everywhere, the exit code is not 0.`,
		RunE: func(command *cobra.Command, runs []string) error {
			if f.all && len(runs) > 0 {
				return usagef("omit one of the two", "--all and a run's name exclude each other")
			}
			if err := positive("timeout", f.timeout); err != nil {
				return err
			}
			client, err := r.connect()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeoutCause(command.Context(), f.timeout, run.TimedOut(f.timeout))
			defer cancel()
			return r.runCleanup(ctx, client, f, runs)
		},
	}
	command.Flags().BoolVar(&f.all, "all", false, "also remove runs that are still in progress")
	command.Flags().BoolVar(&f.dryRun, "dry-run", false, "print what would be removed and exit")
	command.Flags().DurationVar(&f.timeout, "timeout", 2*time.Minute, "limit for the whole removal")
	return command
}

func (r *root) runCleanup(ctx context.Context, client *cluster.Client, f cleanupFlags, runs []string) error {
	var unseen *cluster.Unseen
	leftovers, err := client.Leftovers(ctx, *r.config.Namespace)
	if err != nil && !errors.As(err, &unseen) {
		return err
	}
	printf := func(format string, args ...any) {
		fmt.Fprintln(r.streams.Out, report.Printable(fmt.Sprintf(format, args...)))
	}
	someNamed := len(runs) > 0
	progress := r.progress()
	defer progress.stop()
	var failed []error
	runs = runNames(runs)
	found := map[string]bool{}
	for _, l := range leftovers {
		named := slices.Contains(runs, l.Run)
		if len(runs) > 0 && !named {
			continue
		}
		found[l.Run] = true
		reason := inProgress(l)
		switch {
		case reason != "" && !named && !f.all && !l.Removing:
			printf("skipped %s: %s; if it is yours: kubectl wg cleanup %s", l.What(), reason, l.Run)
			continue
		case f.dryRun && l.Removing:
			printf("already being removed: %s", l.What())
			continue
		case f.dryRun:
			printf("would remove %s", l.What())
			continue
		}
		progress.Phase("removing " + l.What())
		err := client.RemoveLeftover(ctx, l, progress.Detail)
		progress.pause()
		if err != nil {
			failed = append(failed, err)
			continue
		}
		printf("removed %s", l.What())
	}
	missing := slices.DeleteFunc(runs, func(run string) bool { return found[run] })
	// If every named run was found, what else there may be does not matter.
	switch {
	case unseen != nil && (len(missing) > 0 || !someNamed):
		failed = append(failed, unseen)
	case len(missing) > 0:
		failed = append(failed, &noSuchRun{missing})
	case len(found) == 0:
		printf("nothing to clean up")
	}
	return errors.Join(failed...)
}

// runNames returns the names of runs without repetitions. A run may also be
// named by one of its namespaces.
func runNames(args []string) []string {
	var runs []string
	for _, arg := range args {
		run := strings.TrimSuffix(strings.TrimPrefix(arg, "kubectl-wg-"), "-pods")
		if !slices.Contains(runs, run) {
			runs = append(runs, run)
		}
	}
	return runs
}

// noSuchRun is the error for named runs of which there is nothing.
type noSuchRun struct{ runs []string }

func (e *noSuchRun) Error() string {
	return "nothing to clean up of " + strings.Join(e.runs, ", ")
}

// Hint describes how to see what there is.
func (e *noSuchRun) Hint() string {
	return "kubectl wg cleanup --dry-run lists what runs have left; with --namespace, in that namespace"
}

// inProgress returns why a run may be in progress, empty if it is not.
func inProgress(l cluster.Leftover) string {
	switch {
	case l.Running > 0:
		return fmt.Sprintf("its pods are running (%d)", l.Running)
	case l.Unknown:
		return "you are not allowed to see whether its pods still run"
	case l.Begins(time.Now()):
		return "it may be starting"
	}
	return ""
}
