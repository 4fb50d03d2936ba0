package command

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func (r *root) replay() *cobra.Command {
	var output, failOn string
	command := &cobra.Command{
		Use:   "replay FILE",
		Short: "Judge recorded evidence again, without a cluster",
		Long: `Judge the evidence that "verify --record FILE" kept, and render it in any format.
The exit code is the same as that of the run. FILE may be - for stdin.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if !report.Known(output) {
				return usageError(fmt.Errorf("-o %s is no format", output), "one of: "+strings.Join(report.Formats(), ", "))
			}
			if failOn != "fail" && failOn != "warn" {
				return usageError(fmt.Errorf("--fail-on %s is not known", failOn), "it is fail or warn")
			}
			recording, err := r.readRecording(args[0])
			if err != nil {
				return err
			}
			j := check.Judge(recording)
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
	command.Flags().StringVar(&failOn, "fail-on", "fail", "what makes the exit code 1: fail, or warn for warnings too")
	return command
}

func (r *root) readRecording(path string) (*evidence.Recording, error) {
	from := io.NopCloser(r.streams.In)
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, usageError(err, "a file made by kubectl wg verify --record")
		}
		from = file
	}
	defer from.Close()
	return evidence.ReadRecording(from)
}
