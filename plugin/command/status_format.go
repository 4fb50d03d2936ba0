package command

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/kubectl-wg/kubectl-wg/plugin/metrics"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/plugin/status"
)

// statusOwn are the formats of status besides those of cli-runtime.
var statusOwn = []string{"wide", "dump", "json", "yaml", "name"}

func statusFormats(flags *genericclioptions.PrintFlags) []string {
	all := slices.Clone(statusOwn)
	for _, format := range flags.AllowedFormats() {
		if !slices.Contains(all, format) {
			all = append(all, format)
		}
	}
	return all
}

// statusFormat writes a state in one format.
type statusFormat func(io.Writer, *status.Cluster) error

// statusWriter returns what writes a state in the format that the flags name. Its
// error is one of usage.
func (r *root) statusWriter(f *statusFlags) (statusFormat, error) {
	format := *f.format.OutputFormat
	templateAlone := *f.format.TemplatePrinterFlags.TemplateArgument != "" && !f.format.OutputFlagSpecified()
	switch {
	case f.metrics:
		return writeMetrics, nil
	case templateAlone:
	case format == "", format == "wide":
		return func(w io.Writer, c *status.Cluster) error { return c.Table(w, r.tableOptions(f)) }, nil
	case format == "dump":
		return func(w io.Writer, c *status.Cluster) error { return c.Dump(w) }, nil
	case format == "json", format == "yaml":
		r.announce(format, status.APIVersion, status.Kind)
		return func(w io.Writer, c *status.Cluster) error { return c.Write(w, format) }, nil
	case format == "name":
		return func(w io.Writer, c *status.Cluster) error {
			_, err := io.WriteString(w, strings.Join(append(c.Names(), ""), "\n"))
			return err
		}, nil
	}
	printer, err := f.format.ToPrinter()
	switch {
	case genericclioptions.IsNoCompatiblePrinterError(err):
		return nil, usagef("one of: "+strings.Join(statusFormats(f.format), ", "), "-o %q is not a known format", format)
	case err != nil:
		return nil, usagef("e.g. -o jsonpath='{.problems[*].code}'", "%s: %w", given(f.format), err)
	}
	return func(w io.Writer, c *status.Cluster) error { return printStatus(w, printer, c) }, nil
}

// tableOptions are those of the table that is written now: a terminal can change its
// size.
func (r *root) tableOptions(f *statusFlags) status.TableOptions {
	return status.TableOptions{Wide: *f.format.OutputFormat == "wide", All: f.all, Color: r.colored()}
}

// printStatus writes what a printer of cli-runtime makes of the document.
func printStatus(w io.Writer, printer printers.ResourcePrinter, c *status.Cluster) error {
	var document bytes.Buffer
	if err := c.Write(&document, "json"); err != nil {
		return err
	}
	var object unstructured.Unstructured
	if err := object.UnmarshalJSON(document.Bytes()); err != nil {
		return fmt.Errorf("reading the status: %w", err)
	}
	var text strings.Builder
	if err := printer.PrintObj(&object, &text); err != nil {
		return &badTemplate{err}
	}
	_, err := io.WriteString(w, report.Printable(text.String()))
	return err
}

func writeMetrics(w io.Writer, c *status.Cluster) error {
	exporter := metrics.New()
	exporter.Set(c)
	return exporter.Write(w)
}
