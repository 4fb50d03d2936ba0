package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// version is set by the linker:
// -X github.com/kubectl-wg/kubectl-wg/plugin/command.version=v1.2.3
var version = "dev"

// defaultImage is the image of the probe of the same version.
func defaultImage() string { return "ghcr.io/kubectl-wg/wg-probe:" + version }

func (r *root) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, the schema of the evidence and the probe's image",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			const text = "kubectl-wg %s\nevidence   %s\nimage      %s\n"
			_, err := fmt.Fprintf(r.streams.Out, text, version, evidence.Schema, defaultImage())
			return err
		},
	}
}
