package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
)

func (r *root) explain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [CODE]",
		Short: "Explain what a check is for, what it reads and how to fix it",
		Args:  cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var codes []string
			for _, c := range check.Checks() {
				codes = append(codes, c.Code+"\t"+c.Title)
			}
			return codes, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return r.listChecks()
			}
			c, ok := check.Find(strings.ToUpper(args[0]))
			if !ok {
				return usagef("kubectl wg explain lists all codes", "there is no check %s", args[0])
			}
			return report.Explain(r.streams.Out, c)
		},
	}
}

func (r *root) listChecks() error {
	var text strings.Builder
	for _, c := range check.Checks() {
		fmt.Fprintf(&text, "%s  %s\n", c.Code, c.Title)
	}
	_, err := io.WriteString(r.streams.Out, text.String())
	return err
}
