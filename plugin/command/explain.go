package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
)

func (r *root) explain() *cobra.Command {
	var codes []string
	return &cobra.Command{
		Use:   "explain [CODE]",
		Short: "Say what a check is for and what it reads",
		Args:  cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			for _, c := range check.Table(profile.Profile{}) {
				codes = append(codes, c.Code+"\t"+c.Title)
			}
			return codes, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			var text strings.Builder
			if len(args) == 0 {
				for _, c := range check.Table(profile.Profile{}) {
					fmt.Fprintf(&text, "%s  %s\n", c.Code, c.Title)
				}
			} else if c, ok := check.Find(strings.ToUpper(args[0])); ok {
				fmt.Fprintf(&text, "%s  %s\n\nWhy:   %s\nReads: %s\n", c.Code, c.Title, c.Why, c.Reads)
				if c.Proof != "" {
					fmt.Fprintf(&text, "Proof: step %s\n", c.Proof)
				}
				if len(c.After) > 0 {
					fmt.Fprintf(&text, "After: %s\n", strings.Join(c.After, ", "))
				}
			} else {
				return usageError(fmt.Errorf("there is no check %s", args[0]), "kubectl wg explain lists all codes")
			}
			_, err := fmt.Fprint(r.streams.Out, text.String())
			return err
		},
	}
}
