// Package command is the command line of `kubectl wg`. It has one file per
// command, which turns flags into options, validates them and calls the package
// that does the work. It decides nothing about the proof.
package command

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
)

// Streams are the three standard streams. Reports go to Out, everything else
// to Err.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// completer is the name of the program that kubectl runs to complete a plugin's
// command line. It can be a link to the plugin.
const completer = "kubectl_complete-wg"

// Main runs the command line and returns the exit code. The caller handles
// signals and cancels ctx; interrupts gets to know what would be left if the
// program ended at once.
func Main(ctx context.Context, args []string, streams Streams, interrupts *Interrupts) int {
	root := &root{streams: streams, config: genericclioptions.NewConfigFlags(true), interrupts: interrupts}
	command := root.command()
	if strings.TrimSuffix(filepath.Base(args[0]), ".exe") == completer {
		command.SetArgs(append([]string{cobra.ShellCompRequestCmd}, args[1:]...))
	} else {
		command.SetArgs(joinLevel(args[1:]))
	}
	command.SetIn(streams.In)
	command.SetOut(streams.Out)
	command.SetErr(streams.Err)
	ran, err := command.ExecuteContextC(ctx)
	var known *usage
	var unwritten *fs.PathError
	switch {
	case errors.As(err, &unwritten) && unwritten.Path == os.Stdout.Name():
		err = &advised{err, "see where the output is redirected to"}
	case err != nil && !root.started && !errors.As(err, &known):
		err = usageError(err, "")
	}
	if errors.As(err, &known) && len(hints(err)) == 0 {
		known.hint = seeHelp(ran)
	}
	code := fail(streams.Err, err)
	if code == exitCouldNotRun && !root.reported {
		root.reportFailure(err)
	}
	return code
}

// announce names the document that a command is to write and its format, so that it
// is written where the command could not run, too.
func (r *root) announce(format, apiVersion, kind string) {
	r.format = format
	r.failure = report.Failure{APIVersion: apiVersion, Kind: kind}
}

// reportFailure writes why there is no result in the format that was asked for:
// what reads a document from stdout is not left without one.
func (r *root) reportFailure(err error) {
	failure := r.failure
	failure.ExitCode = exitCouldNotRun
	failure.Message = cluster.Redact(err.Error())
	failure.Hint = strings.Join(hints(err), "; ")
	if err := failure.Write(r.streams.Out, r.format); err != nil {
		r.log().Debug("writing the report", "error", err)
	}
	if r.junitFile == "" || !r.started {
		return
	}
	err = replace(r.junitFile, func(file io.Writer) error { return failure.Write(file, junit) })
	if err != nil {
		r.log().Debug("writing the report", "error", err)
	}
}

// root is what all commands share.
type root struct {
	streams    Streams
	config     *genericclioptions.ConfigFlags
	interrupts *Interrupts
	level      level // of -v
	verbose    bool  // it is not 0
	logging    bool  // log what is done, without every finding in the report
	quiet      bool
	noColor    bool
	color      string
	started    bool // the command line is valid
	details    bool
	format     string // of the document: one of the command's own
	failure    report.Failure
	reported   bool   // a document was written
	junitFile  string // of --junit-file
	failOnWarn bool   // of --fail-on
	recorded   report.Recording
}

func (r *root) command() *cobra.Command {
	command := &cobra.Command{
		Use:   "kubectl-wg",
		Short: "Verify that pod traffic between nodes is encrypted by WireGuard",
		Long: `Verify that pod traffic between nodes is encrypted by WireGuard, by capturing
packets rather than trusting configuration.`,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl wg"},
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(command *cobra.Command, args []string) error {
			if err := emptyArgument(command, args); err != nil {
				return err
			}
			if command.Flags().Changed("namespace") && *r.config.Namespace == "" {
				return usagef("omit it, or give it a value", "--namespace is empty")
			}
			if !validNamespace(*r.config.Namespace) {
				return usagef("", "%q is not a valid name of a namespace", *r.config.Namespace)
			}
			if !validRequestTimeout(*r.config.Timeout) {
				return usagef("e.g. 30s, 0 for none", "invalid value %q for --request-timeout", *r.config.Timeout)
			}
			if !slices.Contains(colors, r.color) {
				return usagef("one of: "+strings.Join(colors, ", "), "invalid value %q for --color", r.color)
			}
			r.started = true
			r.verbose = r.level > 0
			r.logRequests()
			return nil
		},
	}
	r.addGlobalFlags(command)
	command.AddCommand(
		r.preflight(), r.verify(), r.status(), r.capture(), r.perf(), r.logs(),
		r.replay(), r.compare(), r.policy(), r.explain(), r.cleanup(), r.version(), r.options(),
	)
	command.SetVersionTemplate(versionText())
	r.addCompletion(command)
	addHelp(command)
	return command
}

// addGlobalFlags adds the flags that all commands have. Those of kubectl are
// shown by `kubectl wg options` only, as kubectl does: they would hide the others.
func (r *root) addGlobalFlags(command *cobra.Command) {
	flags := command.PersistentFlags()
	flags.VarP(&r.level, "verbose", "v", "show every finding, and log to stderr what is done; from -v=6 on, requests too")
	flags.Lookup("verbose").NoOptDefVal = "1"
	flags.BoolVar(&r.logging, "log", false, "log to stderr what is done")
	flags.MarkHidden("log") // for measurements with many nodes, where every finding is too much
	flags.BoolVarP(&r.quiet, "quiet", "q", false, "hide progress")
	flags.StringVar(&r.color, "color", "auto",
		"when to use colors: auto (on a terminal, unless NO_COLOR is set), always, never")
	flags.BoolVar(&r.noColor, "no-color", false, "the same as --color=never")
	var kubectl pflag.FlagSet
	r.config.AddFlags(&kubectl)
	kubectl.VisitAll(func(f *pflag.Flag) { f.Hidden = f.Name != "namespace" })
	flags.AddFlagSet(&kubectl)
	flags.Lookup("namespace").Usage = "use this existing namespace for all pods instead of creating two"
	command.SetGlobalNormalizationFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "v" { // --v=6, as with kubectl
			name = "verbose"
		}
		return pflag.NormalizedName(name)
	})
	command.SetFlagErrorFunc(flagError)
	command.SetUsageTemplate(command.UsageTemplate() + `
Use "kubectl wg options" for kubectl's own flags: --context, --kubeconfig, --as and others.
`)
}
