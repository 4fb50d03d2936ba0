package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/ground"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/scenario"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
)

type runOptions struct {
	name, ground string
	images       []string
	list, keep   bool
	repeat       int
	tolerate     int
	pairs        int
	seed         uint64
	lasting      time.Duration
	verify       scenario.Verify
}

func newRunCommand() *cobra.Command {
	var options runOptions
	command := &cobra.Command{
		Use:   "run SCENARIO|GROUP|all...|--pairs N [-- ARGUMENT OF VERIFY...]",
		Short: "Run scenarios: sabotage a lab, let `kubectl-wg verify` judge it, judge the verdict",
		Long: `Run scenarios: sabotage a lab, let ` + "`kubectl-wg verify`" + ` judge it, judge the verdict.

A scenario runs in the lab of the given name if that has the network and the nodes which the scenario needs, and else in
one that is started for it and removed afterwards.`,
		RunE: func(command *cobra.Command, args []string) error {
			if dash := command.ArgsLenAtDash(); dash >= 0 {
				args, options.verify.Args = args[:dash], args[dash:]
			}
			out := command.OutOrStdout()
			if options.list {
				return listScenarios(out)
			}
			chosen, err := choose(args, options)
			if err != nil {
				return err
			}
			if options.verify.Path == "" {
				return errors.New("--verify says where kubectl-wg is")
			}
			if len(options.images) > 0 {
				options.verify.Probe = options.images[0]
			}
			if options.repeat < 1 {
				return fmt.Errorf("--repeat %d: a scenario runs once at least", options.repeat)
			}
			if options.verify.Record != "" {
				if err := os.MkdirAll(options.verify.Record, 0o755); err != nil {
					return fmt.Errorf("making the directory of the recordings: %w", err)
				}
			}
			return run(command.Context(), out, repeated(chosen, options.repeat), options)
		},
	}
	nameFlag(command, &options.name)
	flags := command.Flags()
	flags.BoolVar(&options.list, "list", false, "list scenarios and what is expected of them")
	flags.BoolVar(&options.keep, "keep", false, "leave labs running that were started for scenarios")
	flags.StringVar(&options.verify.Path, "verify", "", "path of kubectl-wg")
	flags.IntVar(&options.pairs, "pairs", 0,
		"run so many pairs of sabotages at once, chosen by --seed: the report must name both causes")
	flags.Uint64Var(&options.seed, "seed", 1, "which pairs --pairs chooses")
	flags.IntVar(&options.repeat, "repeat", 1, "how often to run each scenario")
	flags.DurationVar(&options.lasting, "for", 0, "repeat the scenarios until this time is over")
	flags.IntVar(&options.tolerate, "tolerate", 0, "how often each scenario that wants PASS may be INCONCLUSIVE instead")
	flags.DurationVar(&options.verify.Timeout, "timeout", 3*time.Minute, "limit of each verify")
	flags.StringVar(&options.verify.Record, "record", "", "directory to keep recordings in, as GROUND-SCENARIO.ndjson; made if it is not there")
	flags.StringVar(&options.ground, "ground", ground.Auto, "where the nodes of labs run that have to be started: auto, host, vm")
	flags.StringSliceVar(&options.images, "load-image", nil, "image archives that the nodes need, the probe's first")
	return command
}

func listScenarios(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "GROUP\tSCENARIO\tCLUSTER\tEXIT\tVERDICT\tFIRST CAUSE\tREPAIRED\tIS")
	for _, group := range scenario.Groups {
		for _, s := range group.Scenarios {
			repaired := "-"
			if s.Want.Verdict == "FAIL" {
				repaired = "yes"
				if s.Unmendable != "" {
					repaired = "no"
				}
			}
			fmt.Fprintf(table, "%s\t%s\t%s, %d nodes\t%d\t%s\t%s\t%s\t%s\n", group.Name, s.Name, s.Cluster.Label(), s.Cluster.Nodes,
				s.Want.Exit, orDash(s.Want.Verdict), orDash(s.Want.FirstCause), repaired, s.Title)
		}
	}
	return table.Flush()
}

func choose(names []string, options runOptions) ([]scenario.Scenario, error) {
	if options.pairs > 0 {
		if len(names) > 0 {
			return nil, errors.New("--pairs chooses the scenarios: name none")
		}
		return scenario.Pairs(options.pairs, options.seed)
	}
	if len(names) == 0 {
		return nil, errors.New("name scenarios, or say all; --list shows them")
	}
	wanted := map[string]bool{}
	var unknown []string
	for _, name := range names {
		found := name == "all"
		for _, group := range scenario.Groups {
			for _, s := range group.Scenarios {
				if name == "all" && !group.Apart || name == group.Name || name == s.Name {
					wanted[s.Name], found = true, true
				}
			}
		}
		if !found {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("no scenario %s; --list shows them", strings.Join(unknown, ", "))
	}
	var chosen []scenario.Scenario
	for _, s := range scenario.All() { // in their order: those that share a cluster stay together
		if wanted[s.Name] {
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}

// repeated has each scenario as often as said, those that share a cluster still next to each other.
func repeated(chosen []scenario.Scenario, times int) []scenario.Scenario {
	var all []scenario.Scenario
	for i := 0; i < len(chosen); {
		same := i
		for same < len(chosen) && chosen[same].Cluster == chosen[i].Cluster {
			same++
		}
		for range times {
			all = append(all, chosen[i:same]...)
		}
		i = same
	}
	return all
}

func run(ctx context.Context, out io.Writer, chosen []scenario.Scenario, options runOptions) (err error) {
	labs := &labs{options: options}
	var outcomes []scenario.Outcome
	forgiving := tolerance{times: options.tolerate}
	for s := range again(chosen, options.lasting) {
		lab, err := labs.get(ctx, out, s.Cluster)
		fmt.Fprintf(out, "%s: %s\n", s.Name, s.Title)
		outcome := scenario.Outcome{Scenario: s, Problem: err}
		if err == nil {
			outcome = scenario.Run(ctx, lab, s, options.verify)
		}
		if outcome.Problem != nil {
			fmt.Fprintf(out, "%s\n", indent(outcome.Problem.Error()+"\n"+outcome.Output))
		}
		outcomes = append(outcomes, forgiving.judge(outcome))
		if ctx.Err() != nil {
			break
		}
	}
	return summarize(out, outcomes, errors.Join(labs.left, labs.leave(ctx)))
}

// labs are those that a run uses, one at a time.
type labs struct {
	options runOptions
	cluster scenario.Cluster
	lab     *state.Lab // nil before the first
	failed  error      // why there is none for the cluster
	left    error      // what earlier ones had left, or why they could not be removed
	started bool       // by this run
}

// get returns a lab for a cluster. Where none can be had all scenarios of that cluster fail, and it is not tried again.
func (l *labs) get(ctx context.Context, out io.Writer, cluster scenario.Cluster) (*state.Lab, error) {
	if l.cluster == cluster && (l.lab != nil || l.failed != nil) {
		return l.lab, l.failed
	}
	l.left = errors.Join(l.left, l.leave(ctx))
	l.cluster = cluster
	l.failed = l.find(ctx, out, cluster)
	for _, image := range l.options.images {
		if l.failed == nil {
			l.failed = loadImage(ctx, out, l.lab, image)
		}
	}
	return l.lab, l.failed
}

// find takes the lab of the given name, else one that an earlier run kept, else a new one.
func (l *labs) find(ctx context.Context, out io.Writer, cluster scenario.Cluster) (err error) {
	own := fmt.Sprintf("%s-%s-%d", l.options.name, cluster.Label(), cluster.Nodes)
	if cluster.Alone {
		own += "-alone"
	}
	for _, name := range []string{l.options.name, own} {
		lab, err := state.Load(name)
		if err == nil && cluster.Fits(lab.Network, len(lab.Nodes), lab.Ground) {
			l.lab = lab
			return nil
		}
		if err != nil && !errors.Is(err, state.ErrNone) {
			return err
		}
	}
	request := upOptions{name: own, network: cluster.Network, ground: l.options.ground, nodes: cluster.Nodes}
	if cluster.Alone {
		request.ground = ground.VM
	}
	if err := up(ctx, out, request); err != nil {
		_, removing := down(own)
		return errors.Join(err, removing)
	}
	l.started = true
	l.lab, err = state.Load(own)
	return err
}

// leave looks for what is left in the current lab, and removes a lab that this run started.
func (l *labs) leave(ctx context.Context) error {
	if l.lab == nil {
		return nil
	}
	lab, started := l.lab, l.started
	l.lab, l.started = nil, false
	var err error
	if ctx.Err() == nil {
		err = scenario.Empty(ctx, lab)
	}
	if started && !l.options.keep {
		_, removing := down(lab.Name)
		err = errors.Join(err, removing)
	}
	return err
}

// summarize prints what came of it, and why it ended early or left a lab behind.
func summarize(out io.Writer, outcomes []scenario.Outcome, problem error) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nSCENARIO\tRESULT\tEXIT\tVERDICT\tFIRST CAUSE\tTIME\tGONE\tNOTES")
	passed, failed, tolerated := 0, 0, 0
	for _, outcome := range outcomes {
		word := "pass"
		switch {
		case outcome.Problem == nil && outcome.Undecided:
			word = "skip"
			tolerated++
		case outcome.Problem == nil:
			passed++
		default:
			word = "FAIL"
			failed++
		}
		got := outcome.Got
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%.1fs\t%.1fs\t%s\n", outcome.Scenario.Name, word, got.Exit, orDash(got.Verdict),
			orDash(got.FirstCause), outcome.Took.Seconds(), outcome.Gone.Seconds(),
			strings.Join(outcome.Notes, ", "))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprint(out, repeats(outcomes))
	fmt.Fprintf(out, "%d passed, %d failed", passed, failed)
	if tolerated > 0 {
		fmt.Fprintf(out, ", %d undecided and tolerated", tolerated)
	}
	fmt.Fprintln(out)
	if problem != nil {
		return problem
	}
	if failed > 0 {
		return exitCode(1)
	}
	return nil
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ")
}
