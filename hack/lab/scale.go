package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/control"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/measure"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/synthetic"
)

type scaleOptions struct {
	name    string
	nodes   []int
	faults  []string
	qps     int
	memory  int64 // MB
	report  string
	attempt measure.Attempt
}

func newScaleCommand() *cobra.Command {
	var options scaleOptions
	command := &cobra.Command{
		Use:   "scale [-- ARGUMENT OF THE COMMAND...]",
		Short: "Measure `kubectl-wg verify` or `status` with many nodes that have no machines, behind a real control plane",
		Long: `Measure ` + "`kubectl-wg verify`" + ` or ` + "`status`" + ` with many nodes that have no machines, behind a real control plane.

For each number of nodes a lab is started, measured once and removed. The agents, at whose synthetic hosts every pair is
healthy but for --fault, share the processors with the plugin: their time is printed beside its.`,
		RunE: func(command *cobra.Command, args []string) error {
			if options.attempt.Verify == "" {
				return errors.New("--verify says where kubectl-wg is")
			}
			options.attempt.Args = append([]string{"--timeout", options.attempt.MaxTime.String()}, args...)
			options.attempt.MaxMemory = options.memory * 1e6
			return scale(command.Context(), command.OutOrStdout(), options)
		},
	}
	nameFlag(command, &options.name)
	flags := command.Flags()
	flags.IntSliceVar(&options.nodes, "nodes", []int{100, 300, 1000}, "numbers of nodes")
	flags.StringVar(&options.attempt.Verify, "verify", "", "path of kubectl-wg")
	flags.StringVar(&options.attempt.Command, "command", "verify", "what is measured: verify or status")
	flags.StringSliceVar(&options.faults, "fault", nil,
		"what is wrong: "+synthetic.StaleKey+":FROM:TO or "+synthetic.Leak+":FROM:TO, with numbers of nodes")
	flags.StringVar(&options.report, "report", "", "keep the last report in this file")
	flags.IntVar(&options.qps, "qps", 1000, "requests per second of each controller and of the scheduler; their own defaults are 20 and 50")
	flags.DurationVar(&options.attempt.MaxTime, "max-time", 10*time.Minute, "time after which the plugin is ended")
	flags.Int64Var(&options.memory, "max-memory", 6000, "MB at which the plugin is ended, to save the machine")
	return command
}

func scale(ctx context.Context, out io.Writer, options scaleOptions) error {
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return fmt.Errorf("reading the load average: %w", err)
	}
	var runs []measure.Scale
	var broken error
	for _, nodes := range options.nodes {
		run, err := scaleOnce(ctx, out, nodes, options)
		if err != nil {
			broken = fmt.Errorf("%d nodes: %w", nodes, err)
			break
		}
		runs = append(runs, run)
	}
	if len(runs) == 0 {
		return broken
	}
	fmt.Fprintf(out, "%d cores, kernel %s, load average before %s, %d requests per second of each controller\n", runtime.NumCPU(), kernel(),
		strings.Join(strings.Fields(string(load))[:3], " "), options.qps)
	return errors.Join(measure.WriteScale(out, runs), broken)
}

// scaleOnce starts a lab, measures one run in it, and removes it.
func scaleOnce(ctx context.Context, out io.Writer, nodes int, options scaleOptions) (run measure.Scale, err error) {
	hollow := &state.Hollow{Nodes: nodes, Faults: options.faults, QPS: options.qps}
	began := upOptions{name: options.name, hollow: hollow, timeout: 10 * time.Minute}
	if err := up(ctx, out, began); err != nil {
		return run, err
	}
	defer func() {
		_, removing := down(options.name)
		err = errors.Join(err, removing)
	}()
	lab, err := state.Load(options.name)
	if err != nil {
		return run, err
	}
	cluster := measure.Cluster{
		Nodes: nodes, Admin: lab.Kubeconfig(), Operator: lab.Operator(), User: control.Operator, Audit: lab.Audit(), PIDs: map[string]int{},
	}
	for _, process := range lab.Processes {
		cluster.PIDs[process.Role] = process.PID
	}
	if run, err = cluster.Run(ctx, options.attempt); err != nil {
		return run, err
	}
	fmt.Fprintf(out, "%s\n", indent(head(run)))
	if options.report != "" {
		if err := os.WriteFile(options.report, run.Output, 0o644); err != nil {
			return run, fmt.Errorf("keeping the report: %w", err)
		}
	}
	return run, nil
}

// head is as much of a report as shows the verdict and the first cause; of a run without one, the end of its log.
func head(run measure.Scale) string {
	const most = 25
	lines := strings.Split(strings.TrimSpace(string(run.Output)), "\n")
	if len(run.Output) == 0 {
		lines = strings.Split(strings.TrimSpace(string(run.Log)), "\n")
		lines = lines[max(0, len(lines)-most):]
	}
	return strings.Join(lines[:min(len(lines), most)], "\n")
}
