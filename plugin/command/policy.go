package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/policy"
	"github.com/kubectl-wg/kubectl-wg/plugin/run"
)

const policyUsage = "accept or refuse the result by this policy `file`, see kubectl wg policy init"

// readPolicy reads the policy that a flag names, nil for none. Its error is one of
// usage: better before a run than after it.
func readPolicy(path string) (*policy.Policy, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, usageError(fmt.Errorf("--policy: %w", err), "name a file that kubectl wg policy init wrote")
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, policy.MaxSize+1))
	if err != nil {
		return nil, usageError(fmt.Errorf("--policy: %w", err), "name a file that kubectl wg policy init wrote")
	}
	p, err := policy.Parse(text)
	var invalid *policy.Invalid
	if errors.As(err, &invalid) {
		return nil, usageError(fmt.Errorf("--policy %s is not a valid policy:\n  %w", path, err), invalid.Hint())
	}
	return p, err
}

// judgeBy has a result follow a policy, if there is one.
func judgeBy(p *policy.Policy, j *check.Judgement) {
	if p != nil {
		j.Acceptance = p.Judge(j)
	}
}

func (r *root) policy() *cobra.Command {
	command := &cobra.Command{
		Use:   "policy",
		Short: "Write an acceptance policy for verify and replay",
		Long: `An acceptance policy says what must be true of the cluster besides the verdict:
which nodes and address families are tested, the kernel's WireGuard, preshared
keys, the oldest kernel; which warnings count as failures; and which exceptions
are granted, why, by whom and until when. What is waived stands in every report,
a waiver that is over fails, and plaintext cannot be waived.

Use it with: kubectl wg verify --policy FILE`,
		Example: `  kubectl wg policy init > policy.yaml
  kubectl wg verify --policy policy.yaml`,
	}
	command.AddCommand(r.policyInit(), r.policySchema())
	group(command)
	return command
}

func (r *root) policyInit() *cobra.Command {
	var from string
	var timeout time.Duration
	command := &cobra.Command{
		Use:   "init",
		Short: "Write a policy with comments that requires what is true now",
		Long: `Write a policy to review, with comments, to stdout. It requires what is true of
the cluster now and grants no exception. Without --from it only reads what the
API server says; a recording says more, and needs no cluster.`,
		Example: `  kubectl wg policy init > policy.yaml
  kubectl wg policy init --from evidence.ndjson > policy.yaml`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := errors.Join(emptyFlag(command), positive("timeout", timeout)); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeoutCause(command.Context(), timeout, run.TimedOut(timeout))
			defer cancel()
			judgement, err := r.present(ctx, from, timeout)
			if err != nil {
				return err
			}
			_, err = r.streams.Out.Write(policy.Propose(judgement))
			return err
		},
	}
	command.Flags().StringVar(&from, "from", "", "a recording `file` of kubectl wg verify --record, - for stdin")
	command.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "limit for reading and judging")
	return command
}

// present is what is known of the cluster: from a recording, or from a survey that
// creates nothing.
func (r *root) present(ctx context.Context, from string, timeout time.Duration) (*check.Judgement, error) {
	if from != "" {
		return r.judgeRecording(ctx, from)
	}
	client, err := r.connect()
	if err != nil {
		return nil, err
	}
	return r.surveyed(ctx, client, timeout)
}

// surveyed judges what the API says alone.
func (r *root) surveyed(ctx context.Context, client *cluster.Client, timeout time.Duration) (*check.Judgement, error) {
	progress := r.progress()
	defer progress.stop()
	o := run.Options{Cluster: client, Timeout: timeout, Version: version, Log: r.log(), Progress: progress}
	o.Context, o.Server = r.identity()
	recorded, err := run.Survey(ctx, o)
	if err != nil {
		return nil, err
	}
	return check.JudgeWithin(ctx, recorded)
}

func (r *root) policySchema() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of policies",
		Example: `  kubectl wg policy schema > policy.schema.json`,
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := r.streams.Out.Write(policy.Schema())
			return err
		},
	}
}
