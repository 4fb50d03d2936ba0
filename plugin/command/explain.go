package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
)

func (r *root) explain() *cobra.Command {
	var codes []string
	return &cobra.Command{
		Use:   "explain [CODE]",
		Short: "Say what a check is for, what it reads and how to mend it",
		Args:  cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			for _, c := range check.Checks() {
				codes = append(codes, c.Code+"\t"+c.Title)
			}
			return codes, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				var text strings.Builder
				for _, c := range check.Checks() {
					fmt.Fprintf(&text, "%s  %s\n", c.Code, c.Title)
				}
				_, err := fmt.Fprint(r.streams.Out, text.String())
				return err
			}
			c, ok := check.Find(strings.ToUpper(args[0]))
			if !ok {
				return usageError(fmt.Errorf("there is no check %s", args[0]), "kubectl wg explain lists all codes")
			}
			return report.Explain(r.streams.Out, c)
		},
	}
}
