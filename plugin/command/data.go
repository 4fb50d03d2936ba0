package command

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/plugin/report"
)

// dataFormats are the values of -o of commands whose result is not a judgement.
var dataFormats = []string{"text", "json", "yaml"}

// addDataFormat adds -o to such a command.
func addDataFormat(command *cobra.Command, format *string) {
	command.Flags().StringVarP(format, "output", "o", "text", "format: "+strings.Join(dataFormats, ", "))
	completeWith(command, "output", dataFormats...)
}

func validDataFormat(format string) error {
	if !slices.Contains(dataFormats, format) {
		return usagef("one of: "+strings.Join(dataFormats, ", "), "-o %q is not a known format", format)
	}
	return nil
}

// writeData writes a document to stdout in the format, text by its own writer: all
// of it or nothing.
func (r *root) writeData(format string, document any, text func(io.Writer) error) error {
	var buffer bytes.Buffer
	write := text
	if format != "text" {
		write = func(w io.Writer) error { return report.WriteData(w, format, document) }
	}
	if err := write(&buffer); err != nil {
		return err
	}
	r.reported = true
	if _, err := buffer.WriteTo(r.streams.Out); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}
