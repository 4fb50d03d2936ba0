package command

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
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
	var failOn, policyFile string
	var timeout time.Duration
	var format *genericclioptions.PrintFlags
	command := &cobra.Command{
		Use:        "replay FILE",
		SuggestFor: []string{"load", "open", "judge", "report", "render"},
		Short:      "Judge recorded evidence again, without a cluster",
		Long: `Judge the evidence that "verify --record FILE" wrote, and report in any format.
The exit code is that of the run. FILE can be - for stdin, and can be compressed
with gzip.`,
		Example: `  kubectl wg replay evidence.ndjson
  kubectl wg replay -o json evidence.ndjson.gz
  kubectl wg replay -o html evidence.ndjson.gz > report.html

  # A statement about the recording, to be signed.
  kubectl wg replay -o in-toto evidence.ndjson.gz > statement.json

  # Accept the cluster by your own policy, with waivers that expire.
  kubectl wg replay --policy policy.yaml evidence.ndjson`,
		Args: oneFile,
		RunE: func(command *cobra.Command, args []string) error {
			write, err := r.writerFor(format, failOn)
			if err != nil {
				return err
			}
			if err := validFailOn(failOn); err != nil {
				return err
			}
			if err := positive("timeout", timeout); err != nil {
				return err
			}
			accept, err := readPolicy(policyFile)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeoutCause(command.Context(), timeout, run.TimedOut(timeout))
			defer cancel()
			j, err := r.judgeRecording(ctx, args[0])
			if err != nil {
				return err
			}
			judgeBy(accept, j)
			code, _ := j.Exit(failOn == failOnWarn)
			return ends(code, r.write(write, j))
		},
	}
	format = r.addFormatFlags(command)
	command.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "limit for reading and judging")
	command.Flags().StringVar(&failOn, "fail-on", "fail", failOnUsage)
	command.Flags().StringVar(&policyFile, "policy", "", policyUsage)
	completeWith(command, "fail-on", "fail", "warn")
	return command
}

const failOnUsage = "what makes the exit code 1: fail, or warn for warnings too"

// failOnWarn is the value of --fail-on that makes warnings count.
const failOnWarn = "warn"

func validFailOn(value string) error {
	if value != "fail" && value != failOnWarn {
		return usagef("one of: fail, warn", "invalid value %q for --fail-on", value)
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
		return nil, fmt.Errorf("reading the recording: %w", context.Cause(ctx))
	}
}

func (r *root) readRecording(path string) (*recording.Recording, error) {
	const hint = "FILE is a file that kubectl wg verify --record wrote"
	from, err := r.input(path, hint)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	sum := sha256.New()
	unpacked, err := unpack(io.TeeReader(from, sum))
	if err != nil {
		return nil, err
	}
	read, err := recording.Read(unpacked)
	if err != nil {
		return nil, &advised{err, hint}
	}
	r.recorded = recorded(path, sum)
	return read, nil
}

// input opens a file to be read, or stdin for "-".
func (r *root) input(path, hint string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(r.streams.In), nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, usageError(err, hint)
	}
	if about, err := file.Stat(); err == nil && about.IsDir() {
		file.Close()
		return nil, usagef(hint, "%s is a directory", path)
	}
	return file, nil
}

// unpack returns what a file holds that may be compressed with gzip. How much
// that is, recording.Read bounds.
func unpack(from io.Reader) (io.Reader, error) {
	const magic = "\x1f\x8b"
	buffered := bufio.NewReader(from)
	if start, err := buffered.Peek(len(magic)); err != nil || string(start) != magic {
		return buffered, nil // what cannot be read is an error of the next read
	}
	unpacked, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, fmt.Errorf("unpacking the recording: %w", err)
	}
	return unpacked, nil
}

// oneFile requires the name of a recording.
func oneFile(_ *cobra.Command, args []string) error {
	const hint = "kubectl wg replay FILE: what kubectl wg verify --record FILE wrote, or - for stdin"
	switch len(args) {
	case 0:
		return usagef(hint, "no recording is named")
	case 1:
		return nil
	}
	return usagef(hint, "more than one recording is named")
}
