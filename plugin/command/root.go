// Package command is the command line of `kubectl wg`. It has one file per
// command, which turns flags into options, validates them and calls the package
// that does the work. It decides nothing about the proof.
package command

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/klog/v2"

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
		command.SetArgs(args[1:])
	}
	command.SetIn(streams.In)
	command.SetOut(streams.Out)
	command.SetErr(streams.Err)
	ran, err := command.ExecuteContextC(ctx)
	if err != nil && !root.started {
		err = usageError(err, "see: "+ran.CommandPath()+" --help")
	}
	code := fail(streams.Err, err)
	if code == exitCouldNotRun && !root.reported {
		root.reportFailure(err)
	}
	return code
}

// reportFailure writes why there is no verdict in the format that was asked for:
// what reads a document from stdout is not left without one.
func (r *root) reportFailure(err error) {
	message := cluster.Redact(err.Error())
	hint := strings.Join(hints(err), "; ")
	if err := report.WriteFailure(r.streams.Out, r.format, exitCouldNotRun, message, hint); err != nil {
		r.log().Debug("writing the report", "error", err)
	}
}

// root is what all commands share.
type root struct {
	streams    Streams
	config     *genericclioptions.ConfigFlags
	interrupts *Interrupts
	verbose    bool
	logging    bool // log what is done, without every finding in the report
	quiet      bool
	noColor    bool
	started    bool // the command line is valid
	details    bool
	format     string // of the report: one of its own, see package report
	reported   bool   // a report was written
}

func (r *root) command() *cobra.Command {
	command := &cobra.Command{
		Use:   "kubectl-wg",
		Short: "Prove that traffic between a cluster's nodes is encrypted by WireGuard",
		Long: `Prove, or refuse to prove, that pod traffic between the nodes of a cluster is
encrypted by WireGuard: from what is seen on the wire, not from configuration.`,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl wg"},
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(*cobra.Command, []string) {
			r.started = true
			klog.SetSlogLogger(r.log())
		},
	}
	flags := command.PersistentFlags()
	flags.BoolVarP(&r.verbose, "verbose", "v", false, "show every finding, and log to stderr what is done")
	flags.BoolVar(&r.logging, "log", false, "log to stderr what is done")
	flags.MarkHidden("log") // for measurements with many nodes, where every finding is too much
	flags.BoolVarP(&r.quiet, "quiet", "q", false, "show no progress")
	flags.BoolVar(&r.noColor, "no-color", false, "use no colours (also NO_COLOR)")
	r.config.AddFlags(flags)
	flags.Lookup("namespace").Usage = "Use this existing namespace for all pods instead of creating two"
	command.AddCommand(r.verify(), r.replay(), r.explain(), r.cleanup(), r.version())
	return command
}

func (r *root) log() *slog.Logger {
	if !r.verbose && !r.logging {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(r.streams.Err, &slog.HandlerOptions{
		Level: slog.LevelDebug, ReplaceAttr: cluster.RedactAttr,
	}))
}
