package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/plugin/run"
)

func (r *root) replay() *cobra.Command {
	var output, failOn string
	var timeout time.Duration
	command := &cobra.Command{
		Use:   "replay FILE",
		Short: "Judge recorded evidence again, without a cluster",
		Long: `Judge the evidence that "verify --record FILE" kept, and render it in any format.
The exit code is the same as that of the run. FILE may be - for stdin.`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if !report.Known(output) {
				return usageError(fmt.Errorf("-o %s is no format", output), "one of: "+strings.Join(report.Formats(), ", "))
			}
			if failOn != "fail" && failOn != "warn" {
				return usageError(fmt.Errorf("--fail-on %s is not known", failOn), "it is fail or warn")
			}
			ctx, cancel := context.WithTimeoutCause(command.Context(), timeout, run.ErrTime)
			defer cancel()
			j, err := r.judgeRecording(ctx, args[0])
			if err != nil {
				return err
			}
			if err := r.write(output, j); err != nil {
				return err
			}
			if code := exitCode(j.Result, failOn); code != exitVerified {
				return outcome(code)
			}
			return nil
		},
	}
	command.Flags().StringVarP(&output, "output", "o", "text", "format of the report: "+strings.Join(report.Formats(), ", "))
	command.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "limit for reading and judging")
	command.Flags().StringVar(&failOn, "fail-on", "fail", "what makes the exit code 1: fail, or warn for warnings too")
	return command
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
			return nil, usageError(err, "a file made by kubectl wg verify --record")
		}
		from = file
	}
	defer from.Close()
	return recording.Read(from)
}
