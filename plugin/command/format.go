package command

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
)

// addFormatFlags adds --details, and -o with the report's own formats and those in which
// kubectl prints parts of an object: name, jsonpath, go-template and their
// relatives. To them the object is the document that -o json prints.
func (r *root) addFormatFlags(command *cobra.Command) *genericclioptions.PrintFlags {
	flags := genericclioptions.NewPrintFlags("").WithDefaultOutput("text")
	flags.JSONYamlPrintFlags = nil // these two are the report's own
	flags.AddFlags(command)
	command.Flags().BoolVar(&r.details, "details", false, "show the figures of every pair of nodes")
	command.Flags().StringVar(&r.junitFile, "junit-file", "", "write the report as junit to this `file`, too")
	names := formats(flags)
	command.Flags().Lookup("output").Usage = "format of the report: " + strings.Join(names, ", ")
	completeWith(command, "output", names...)
	return flags
}

// completeWith completes a flag with fixed values.
func completeWith(command *cobra.Command, flag string, values ...string) {
	command.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

func formats(flags *genericclioptions.PrintFlags) []string {
	return append(report.Formats(), flags.AllowedFormats()...)
}

// writer writes a judgement in one format.
type writer func(io.Writer, *check.Judgement) error

// writerFor returns the writer that the flags name. Its error is one of usage.
func (r *root) writerFor(flags *genericclioptions.PrintFlags, failOn string) (writer, error) {
	format := *flags.OutputFormat
	templateAlone := *flags.TemplatePrinterFlags.TemplateArgument != "" && !flags.OutputFlagSpecified()
	if err := writable("junit-file", r.junitFile); err != nil {
		return nil, err
	}
	r.failOnWarn = failOn == failOnWarn
	options := report.Options{
		Color: r.colored(), Width: width(r.streams.Out),
		Verbose: r.verbose, Details: r.details, FailOnWarn: r.failOnWarn,
	}
	if report.Known(format) && !templateAlone {
		r.announce(format, report.APIVersion, report.Kind)
		return func(w io.Writer, j *check.Judgement) error {
			options.Recording = r.recorded
			return report.Write(w, format, j, options)
		}, nil
	}
	printer, err := flags.ToPrinter()
	switch {
	case format == "" || genericclioptions.IsNoCompatiblePrinterError(err):
		return nil, usagef("one of: "+strings.Join(formats(flags), ", "), "-o %q is not a known format", format)
	case err != nil:
		return nil, usagef("e.g. -o jsonpath='{.firstCause.code}'", "%s: %w", given(flags), err)
	}
	return func(w io.Writer, j *check.Judgement) error {
		options.Recording = r.recorded
		return printObject(w, printer, j, options)
	}, nil
}

// given is how a format was asked for.
func given(flags *genericclioptions.PrintFlags) string {
	if flags.OutputFlagSpecified() {
		return "-o " + *flags.OutputFormat
	}
	return "--template"
}

// printObject writes what a printer of cli-runtime makes of a report.
func printObject(w io.Writer, printer printers.ResourcePrinter, j *check.Judgement, options report.Options) error {
	var document bytes.Buffer
	if err := report.Write(&document, "json", j, options); err != nil {
		return err
	}
	var object unstructured.Unstructured
	if err := object.UnmarshalJSON(document.Bytes()); err != nil {
		return fmt.Errorf("reading the report: %w", err)
	}
	if _, name := printer.(*printers.NamePrinter); name {
		run, _, _ := unstructured.NestedString(object.Object, "run", "id")
		object.SetName(run)
	}
	var text strings.Builder
	if err := printer.PrintObj(&object, &text); err != nil {
		return &badTemplate{err}
	}
	_, err := io.WriteString(w, report.Printable(text.String()))
	return err
}

// badTemplate is the error for a template that does not suit the report.
type badTemplate struct{ err error }

// Error leaves out the whole report, which cli-runtime appends.
func (e *badTemplate) Error() string {
	text, _, _ := strings.Cut(e.err.Error(), ". Printing more information")
	return text
}

func (e *badTemplate) Unwrap() error { return e.err }

// Hint describes how to see the fields.
func (e *badTemplate) Hint() string { return "-o json shows all fields" }
