package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/run"
)

func (r *root) replay() *cobra.Command {
	var failOn string
	var timeout time.Duration
	var format *genericclioptions.PrintFlags
	command := &cobra.Command{
		Use:   "replay FILE",
		Short: "Judge recorded evidence again, without a cluster",
		Long: `Judge the evidence that "verify --record FILE" wrote, and report in any format.
The exit code is that of the run. FILE can be - for stdin.`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			write, err := r.writerFor(format)
			if err != nil {
				return err
			}
			if err := validFailOn(failOn); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeoutCause(command.Context(), timeout, run.TimedOut(timeout))
			defer cancel()
			j, err := r.judgeRecording(ctx, args[0])
			if err != nil {
				return err
			}
			if err := r.write(write, j); err != nil {
				return err
			}
			if code := exitCode(j.Result, failOn); code != exitVerified {
				return outcome(code)
			}
			return nil
		},
	}
	format = addFormatFlags(command)
	command.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "limit for reading and judging")
	command.Flags().StringVar(&failOn, "fail-on", "fail", failOnUsage)
	completeWith(command, "fail-on", "fail", "warn")
	return command
}

const failOnUsage = "what makes the exit code 1: fail, or warn for warnings too"

func validFailOn(value string) error {
	if value != "fail" && value != "warn" {
		return usagef("one of: fail, warn", "--fail-on %s is not known", value)
	}
	return nil
}

// judgeRecording reads and judges a recording, unless ctx ends first.
func (r *root) judgeRecording(ctx context.Context, path string) (*check.Judgement, error) {
	type result struct {
		recording *recording.Recording
		err       error
	}
	results := make(chan result, 1)
	go func() {
		read, err := r.readRecording(path)
		results <- result{read, err}
	}()
	select {
	case read := <-results:
		if read.err != nil {
			return nil, read.err
		}
		return check.JudgeWithin(ctx, read.recording)
	case <-ctx.Done():
		return nil, fmt.Errorf("reading was interrupted: %w", context.Cause(ctx))
	}
}

func (r *root) readRecording(path string) (*recording.Recording, error) {
	from := io.NopCloser(r.streams.In)
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, usageError(err, "FILE is a file that kubectl wg verify --record wrote")
		}
		from = file
	}
	defer from.Close()
	return recording.Read(from)
}
