// Package command is the command line of `kubectl wg`: one file per command,
// each turning flags into options, checking them and calling the package that
// does the work. It holds no logic of the proof.
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
)

// Streams are the three standard streams. Reports go to Out, everything else
// to Err.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// completer is the name under which kubectl looks for a plugin's completion; a
// link of that name to the plugin is all that it takes.
const completer = "kubectl_complete-wg"

// Main runs the command line and returns the exit code. Signals are handled by
// the caller, who cancels ctx; what would be left if the program ended at once
// is told to interrupts.
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
	return fail(streams.Err, err)
}

// root is what all commands share.
type root struct {
	streams    Streams
	config     *genericclioptions.ConfigFlags
	interrupts *Interrupts
	verbose    bool
	logging    bool // log what is done, and leave the report as it is
	quiet      bool
	noColor    bool
	started    bool // the command line was understood
}

func (r *root) command() *cobra.Command {
	command := &cobra.Command{
		Use:   "kubectl-wg",
		Short: "Prove that traffic between a cluster's nodes is encrypted by WireGuard",
		Long: `Prove, or refuse to prove, that pod traffic between the nodes of a cluster is
encrypted by WireGuard: by what is seen on the wire, not by what is configured.`,
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
	flags.MarkHidden("log") // to measure: of a thousand nodes nobody wants every finding
	flags.BoolVarP(&r.quiet, "quiet", "q", false, "show no progress")
	flags.BoolVar(&r.noColor, "no-color", false, "use no colours (also NO_COLOR)")
	r.config.AddFlags(flags)
	flags.Lookup("namespace").Usage = "Use this namespace, which must exist, for all pods instead of creating two"
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
