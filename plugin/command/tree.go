package command

import (
	"io"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
)

// Tree returns all commands with their flags, for documents that are written from
// them. They are not meant to be run: they have no streams.
func Tree() *cobra.Command {
	streams := Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}
	root := &root{streams: streams, config: genericclioptions.NewConfigFlags(true), interrupts: &Interrupts{}}
	return root.command()
}
