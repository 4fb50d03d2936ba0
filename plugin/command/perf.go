package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/perf"
	"github.com/kubectl-wg/kubectl-wg/plugin/run"
)

// perfFlags are the flags as they were typed.
type perfFlags struct {
	placementFlags
	plan     perf.Plan
	family   string
	maxBytes string
	udpRate  string
	format   string
	yes      bool
}

func (r *root) perf() *cobra.Command {
	f := perfFlags{plan: perf.Default}
	command := &cobra.Command{
		Use:        "perf [NODE NODE]",
		SuggestFor: []string{"bench", "benchmark", "speed", "iperf", "iperf3", "throughput", "latency"},
		Short:      "Measure the tunnel between two nodes, and name what makes it slow",
		Long: `Measure throughput over TCP and UDP and latency between two nodes, in both
directions: from pod to pod through the tunnel, and from node to node without it.
The ratio of the two is what encryption costs; what explains a bad one is named
with its code. Without nodes the first two that are Ready are taken.

It makes load, which is said beforehand and asked about on a terminal; elsewhere
--yes is needed. Each figure is the median of some short runs.

Exit code: 0 measured, 2 usage, 3 not all could be measured, 4 could not run.`,
		Example: `  kubectl wg perf node1 node2
  kubectl wg perf node1 node2 --yes -o json
  kubectl wg perf --runs 5 --duration 5s --streams 16

  # With less load: 100 MiB in each test at most, UDP at 50 Mbit/s.
  kubectl wg perf node1 node2 --max-bytes 100Mi --udp-rate 50M`,
		Args:              twoNodes,
		ValidArgsFunction: r.completeTwoNodes,
		RunE: func(command *cobra.Command, args []string) error {
			if err := emptyFlag(command); err != nil {
				return err
			}
			options, err := r.perfOptions(&f, args)
			if err != nil {
				return err
			}
			return r.runPerf(command.Context(), f, options)
		},
	}
	flags := command.Flags()
	r.addPlacementFlags(command, &f.placementFlags, "limit for everything but measuring")
	flags.MarkHidden("nodes") // they are the arguments
	flags.MarkHidden("node-selector")
	flags.IntVar(&f.plan.Runs, "runs", f.plan.Runs, "how often each test is made; the median counts")
	flags.DurationVar(&f.plan.Duration, "duration", f.plan.Duration, "how long one test of throughput sends")
	flags.IntVar(&f.plan.Streams, "streams", f.plan.Streams, "connections of the TCP test with several, 1 for none such")
	flags.StringVar(&f.maxBytes, "max-bytes", "2Gi", "what one test sends at most")
	flags.StringVar(&f.udpRate, "udp-rate", "",
		"bits a second that the UDP test sends, e.g. 500M (default as fast as it can)")
	flags.StringVar(&f.family, "family", "", "address family: 4 or 6 (default the first that the pods have)")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask before making load")
	addDataFormat(command, &f.format)
	completeWith(command, "family", "4", "6")
	return command
}

// twoNodes requires two different nodes or none.
func twoNodes(_ *cobra.Command, args []string) error {
	const hint = "kubectl wg perf NODE NODE"
	switch {
	case len(args) != 0 && len(args) != 2:
		return usagef(hint, "two nodes are to be named or none, not %d", len(args))
	case len(args) == 2 && args[0] == args[1]:
		return usagef(hint, "the two nodes are the same")
	}
	return nil
}

// completeTwoNodes completes up to two nodes.
func (r *root) completeTwoNodes(
	command *cobra.Command, args []string, typed string,
) ([]string, cobra.ShellCompDirective) {
	if len(args) >= 2 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return r.completeFromAPI((*cluster.Client).NodeNames)(command, args, typed)
}

// perfOptions validates the flags and turns them into options and a plan.
func (r *root) perfOptions(f *perfFlags, args []string) (run.Options, error) {
	if len(f.nodes) > 0 || f.selector != "" {
		return run.Options{}, usagef("kubectl wg perf NODE NODE", "the nodes of perf are its arguments")
	}
	if err := f.bound(); err != nil {
		return run.Options{}, err
	}
	if err := validDataFormat(f.format); err != nil {
		return run.Options{}, err
	}
	r.announce(f.format, perf.APIVersion, perf.Kind)
	o, err := r.placementOptions(&f.placementFlags)
	if err != nil {
		return o, err
	}
	if !f.yes && !terminal(r.streams.In) {
		return o, usagef("add --yes if that load is wanted", "perf makes load, and there is no terminal to ask on")
	}
	o.Selection.Names = args
	o.Roles = []string{run.RoleProbe, run.RolePod}
	// A test on a dead path takes its time limits.
	o.Lasts = 2*f.plan.Time() + time.Minute
	return o, nil
}

// bound validates what the plan is made of.
func (f *perfFlags) bound() (err error) {
	p := &f.plan
	switch {
	case p.Runs < 1 || p.Runs > perf.MaxRuns:
		return usagef("", "--runs %d is not between 1 and %d", p.Runs, perf.MaxRuns)
	case p.Duration < perf.MinDuration || p.Duration > perf.MaxDuration:
		return usagef("", "--duration %s is not between %s and %s", p.Duration, perf.MinDuration, perf.MaxDuration)
	case p.Streams < 1 || p.Streams > perf.MaxStreams:
		return usagef("", "--streams %d is not between 1 and %d", p.Streams, perf.MaxStreams)
	case f.family != "" && f.family != "4" && f.family != "6":
		return usagef("one of: 4, 6", "invalid value %q for --family", f.family)
	}
	p.Family = map[string]int{"4": 4, "6": 6}[f.family]
	if p.MaxBytes, err = quantity("max-bytes", f.maxBytes); err != nil {
		return err
	}
	if f.udpRate != "" {
		p.UDPRate, err = quantity("udp-rate", f.udpRate)
	}
	return err
}

// quantity reads a positive number with a unit, as Kubernetes writes it.
func quantity(flag, value string) (int64, error) {
	q, err := resource.ParseQuantity(value)
	if err != nil || q.Value() <= 0 {
		return 0, usagef("a number with its unit, e.g. 500M or 2Gi", "invalid value %q for --%s", value, flag)
	}
	return q.Value(), nil
}

func (r *root) runPerf(ctx context.Context, f perfFlags, o run.Options) error {
	if len(o.Selection.Names) == 0 {
		names, err := r.firstTwo(ctx)
		if err != nil {
			return err
		}
		o.Selection.Names = names
	}
	load := f.plan.Load(o.Selection.Names[0], o.Selection.Names[1])
	if !f.yes {
		if err := r.confirm(ctx, load); err != nil {
			return err
		}
	}
	var result *perf.Result
	measure := func(ctx context.Context, observation *run.Observation, progress *progress) (err error) {
		if f.yes {
			progress.Note(load)
		}
		result, err = observation.Measure(ctx, f.plan)
		return err
	}
	failed := r.observe(ctx, o, measure)
	if result == nil {
		return failed
	}
	failed = errors.Join(r.writeData(f.format, result, result.WriteText), failed)
	return ends(result.ExitCode, failed)
}

// firstTwo returns the names of the first two nodes that can take part.
func (r *root) firstTwo(ctx context.Context) (names []string, err error) {
	client, err := r.connect()
	if err != nil {
		return nil, err
	}
	survey, err := client.Survey(ctx, cluster.Selection{})
	if err != nil {
		return nil, err
	}
	for _, n := range survey.Nodes {
		if n.Index >= 0 && n.Ready && len(names) < 2 {
			names = append(names, n.Name)
		}
	}
	if len(names) < 2 {
		return nil, fmt.Errorf("the cluster has no two nodes that are Ready")
	}
	return names, nil
}

// confirm asks on the terminal whether to go on.
func (r *root) confirm(ctx context.Context, load string) error {
	fmt.Fprintf(r.streams.Err, "%s\nContinue? [y/N] ", load)
	answers := make(chan string, 1)
	go func() {
		line, err := bufio.NewReader(r.streams.In).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			line = ""
		}
		answers <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case answer := <-answers:
		if answer == "y" || answer == "yes" {
			return nil
		}
		return usagef("--yes does not ask", "not confirmed; nothing was created")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
