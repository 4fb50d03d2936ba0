package command

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/compare"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/plugin/run"
)

func (r *root) compare() *cobra.Command {
	var format, failOn string
	var timeout time.Duration
	command := &cobra.Command{
		Use:        "compare BEFORE AFTER",
		SuggestFor: []string{"diff", "changes", "delta", "regression"},
		Short:      "Compare two runs: what became better or worse",
		Long: `Compare two runs, by direction between nodes and by check. BEFORE and AFTER are
each a recording of "verify --record FILE", which is judged, or a report of
"-o json". Either can be compressed with gzip, one of them can be - for stdin.

What was tested in one run only is named and not compared. What fails now and
is inconclusive in the other run is neither better nor worse.

Exit code: 0 no regression, 1 something became worse, 2 usage, 4 could not
compare.`,
		Example: `  kubectl wg compare yesterday.ndjson.gz today.ndjson.gz
  kubectl wg verify -o json | kubectl wg compare accepted.json -
  kubectl wg compare -o json before.ndjson after.ndjson`,
		Args: twoFiles,
		RunE: func(command *cobra.Command, args []string) error {
			if err := validDataFormat(format); err != nil {
				return err
			}
			if err := validFailOn(failOn); err != nil {
				return err
			}
			if err := positive("timeout", timeout); err != nil {
				return err
			}
			r.announce(format, compare.APIVersion, compare.Kind)
			ctx, cancel := context.WithTimeoutCause(command.Context(), timeout, run.TimedOut(timeout))
			defer cancel()
			return r.runCompare(ctx, args, format, failOn == failOnWarn)
		},
	}
	addDataFormat(command, &format)
	command.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "limit for reading and judging")
	command.Flags().StringVar(&failOn, "fail-on", "fail", "what is a regression: fail, or warn for new warnings too")
	completeWith(command, "fail-on", "fail", "warn")
	return command
}

func (r *root) runCompare(ctx context.Context, files []string, format string, failOnWarn bool) error {
	var reports [2]*compare.Report
	for i, file := range files {
		one, err := r.readReport(ctx, file)
		if err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		reports[i] = one
	}
	options := compare.Options{Before: files[0], After: files[1], FailOnWarn: failOnWarn}
	compared := compare.Compare(reports[0], reports[1], options)
	return ends(compared.ExitCode, r.writeData(format, compared, compared.WriteText))
}

// readReport reads a report, or judges a recording and reports on it, unless ctx
// ends first.
func (r *root) readReport(ctx context.Context, path string) (*compare.Report, error) {
	type result struct {
		report *compare.Report
		err    error
	}
	results := make(chan result, 1)
	go func() {
		read, err := r.reportIn(ctx, path)
		results <- result{read, err}
	}()
	select {
	case read := <-results:
		return read.report, read.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (r *root) reportIn(ctx context.Context, path string) (*compare.Report, error) {
	const hint = "a recording of kubectl wg verify --record FILE, or a report of -o json"
	from, err := r.input(path, hint)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	unpacked, err := unpack(from)
	if err != nil {
		return nil, err
	}
	buffered := bufio.NewReader(unpacked)
	if !isRecording(buffered) {
		read, err := compare.Read(buffered)
		if err != nil && len(hints(err)) == 0 {
			err = &advised{err, hint}
		}
		return read, err
	}
	recorded, err := recording.Read(buffered)
	if err != nil {
		return nil, &advised{err, hint}
	}
	judged, err := check.JudgeWithin(ctx, recorded)
	if err != nil {
		return nil, err
	}
	var document bytes.Buffer
	if err := report.Write(&document, "json", judged, report.Options{}); err != nil {
		return nil, err
	}
	return compare.Read(&document)
}

// isRecording reports whether a file is a recording: the first field of each of
// its messages is the name of its stream. Nothing is consumed.
func isRecording(from *bufio.Reader) bool {
	start, err := from.Peek(64)
	if err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	tokens := json.NewDecoder(bytes.NewReader(start))
	if brace, err := tokens.Token(); err != nil || brace != json.Delim('{') {
		return false
	}
	field, err := tokens.Token()
	return err == nil && field == "stream"
}

// twoFiles requires the names of two runs, of which one can be stdin.
func twoFiles(_ *cobra.Command, args []string) error {
	const hint = "kubectl wg compare BEFORE AFTER: each a recording or a report of -o json"
	switch {
	case len(args) != 2:
		return usagef(hint, "two files are to be named, not %d", len(args))
	case args[0] == "-" && args[1] == "-":
		return usagef(hint, "only one of the files can be stdin")
	}
	return nil
}
