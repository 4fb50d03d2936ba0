// Package measure compares, in one cluster and one run, how long `kubectl wg verify` takes with how long the same pods
// take to become Ready, and with what operators do by hand. Times differ between machines; their ratio shows
// something everywhere.
package measure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// Plan says what to measure.
type Plan struct {
	Kubeconfig string
	Verify     string   // path of kubectl-wg
	Args       []string // of verify
	Runs       int
	Manual     *Manual // nil: the manual procedure is not measured
	Progress   io.Writer
}

// Round is one measurement of each.
type Round struct {
	Ready  time.Duration // from the first request until all pods of a run are Ready
	Gone   time.Duration // from the request to remove them until their namespace is gone
	Verify time.Duration // the command, from its start to its end
	Phases []Phase       // of the command
	Manual time.Duration // the manual procedure
}

// Run measures them in turn, after a round that is not counted.
func Run(ctx context.Context, plan Plan) ([]Round, error) {
	config, err := clientcmd.BuildConfigFromFlags("", plan.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.QPS, config.Burst = 200, 400
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	var rounds []Round
	for i := range plan.Runs + 1 {
		round, err := plan.round(ctx, client)
		if err != nil {
			return rounds, err
		}
		fmt.Fprintf(plan.Progress, "round %d: pods Ready %.2f s, verify %.2f s", i, round.Ready.Seconds(), round.Verify.Seconds())
		if plan.Manual != nil {
			fmt.Fprintf(plan.Progress, ", by hand %.2f s", round.Manual.Seconds())
		}
		fmt.Fprintln(plan.Progress)
		if i > 0 {
			rounds = append(rounds, round)
		}
	}
	return rounds, nil
}

func (p Plan) round(ctx context.Context, client kubernetes.Interface) (round Round, err error) {
	printed, _, err := p.command(ctx, "--print-manifests")
	if err != nil {
		return round, err
	}
	objects, err := parse(printed)
	if err != nil {
		return round, err
	}
	if round.Ready, round.Gone, err = bare(ctx, client, objects); err != nil {
		return round, err
	}
	began := time.Now()
	_, log, err := p.command(ctx, "-v")
	if err != nil {
		return round, err
	}
	round.Verify = time.Since(began)
	if round.Phases, err = phases(log); err != nil {
		return round, err
	}
	if err := allGone(ctx, client); err != nil || p.Manual == nil {
		return round, err
	}
	round.Manual, err = p.Manual.run(ctx, p.Kubeconfig)
	return round, err
}

// command runs verify, which has to end with exit code 0.
func (p Plan) command(ctx context.Context, args ...string) (stdout, stderr []byte, err error) {
	var out, log bytes.Buffer
	command := exec.CommandContext(ctx, p.Verify, append(append([]string{"verify"}, p.Args...), args...)...)
	command.Env = append(os.Environ(), "KUBECONFIG="+p.Kubeconfig)
	command.Stdout, command.Stderr = &out, &log
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 20 * time.Second
	if err := command.Run(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w\n%s%s", command, err, out.Bytes(), log.Bytes()), context.Cause(ctx))
	}
	return out.Bytes(), log.Bytes(), nil
}
