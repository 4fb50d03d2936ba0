package command

import (
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/run"
	"github.com/kubectl-wg/kubectl-wg/plugin/status"
)

// statusFlags are the flags as they were typed.
type statusFlags struct {
	placementFlags
	watch    bool
	interval time.Duration
	lasts    time.Duration
	all      bool
	metrics  bool
	listen   string // HOST:PORT for Prometheus, empty for none
	format   *genericclioptions.PrintFlags
}

func (r *root) status() *cobra.Command {
	var f statusFlags
	command := &cobra.Command{
		Use:        "status [NODE...]",
		SuggestFor: []string{"state", "peers", "wg", "ps", "top", "watch", "metrics", "devices"},
		Short:      "Show the WireGuard devices and peers of all nodes",
		Long: `Show every WireGuard device and peer of every node, like "wg show" on all nodes at
once: where a peer is, when it last completed a handshake, how much was
transferred, and what is wrong, with the code of the check. What is worst comes
first. Of a large cluster the peers without a problem are shown with --all.

It reads what the devices report and sends nothing: that traffic is encrypted,
and all of it, is for "kubectl wg verify" to prove.

A probe is started on each node and removed again; --watch and --metrics-listen
keep it, and one session with it, until they are interrupted.

Exit code: 0 nothing failed, 1 something failed, 2 usage, 3 a node or device
could not be read, 4 could not run. --watch and --metrics-listen end with 0 when
they are interrupted.`,
		Example: `  kubectl wg status
  kubectl wg status node1 node2 -o wide
  kubectl wg status --watch

  # As "wg show all dump" writes it, after the name of the node.
  kubectl wg status -o dump
  kubectl wg status -o jsonpath='{.problems[*].code}'

  # For Prometheus: once, or until interrupted.
  kubectl wg status --metrics
  kubectl wg status --metrics-listen 127.0.0.1:9586`,
		ValidArgsFunction: r.completeFromAPI((*cluster.Client).NodeNames),
		RunE: func(command *cobra.Command, args []string) error {
			if err := emptyFlag(command); err != nil {
				return err
			}
			options, err := r.statusOptions(&f, args)
			if err != nil {
				return err
			}
			write, err := r.statusWriter(&f)
			if err != nil {
				return err
			}
			return r.runStatus(command.Context(), &f, options, write)
		},
	}
	flags := command.Flags()
	r.addPlacementFlags(command, &f.placementFlags, "limit for starting the probes and the first reading")
	flags.BoolVarP(&f.watch, "watch", "w", false,
		"read again and again: on a terminal in place, elsewhere a line for each reading")
	flags.DurationVar(&f.interval, "interval", 2*time.Second, "time between two readings")
	flags.DurationVar(&f.lasts, "for", 24*time.Hour, "end --watch and --metrics-listen after this time")
	flags.BoolVar(&f.all, "all", false, "show all peers of a large cluster")
	flags.BoolVar(&f.metrics, "metrics", false, "print metrics once, as OpenMetrics")
	flags.StringVar(&f.listen, "metrics-listen", "", "serve metrics for Prometheus at this `address`, e.g. 127.0.0.1:9586")
	f.format = genericclioptions.NewPrintFlags("")
	f.format.JSONYamlPrintFlags = nil // these two are the command's own
	f.format.AddFlags(command)
	names := statusFormats(f.format)
	flags.Lookup("output").Usage = "format: " + strings.Join(names, ", ") + " (default a table)"
	completeWith(command, "output", names...)
	return command
}

// The least and the most of --interval and --for.
const (
	minInterval = 500 * time.Millisecond
	maxInterval = time.Hour
	maxLasts    = 30 * 24 * time.Hour
)

// statusOptions validates the flags and turns them into options.
func (r *root) statusOptions(f *statusFlags, args []string) (run.Options, error) {
	f.nodes = slices.Concat(f.nodes, args)
	o, err := r.placementOptions(&f.placementFlags)
	if err != nil {
		return run.Options{}, err
	}
	goesOn := f.watch || f.listen != ""
	switch {
	case f.interval < minInterval || f.interval > maxInterval:
		return run.Options{}, usagef("e.g. 2s",
			"--interval %s is not between %s and %s", f.interval, minInterval, maxInterval)
	case f.lasts <= 0 || f.lasts > maxLasts:
		return run.Options{}, usagef("e.g. 8h", "--for %s is not between 0 and %s", f.lasts, maxLasts)
	case f.metrics && goesOn:
		return run.Options{}, usagef("--metrics-listen serves them as long as --watch goes on",
			"--metrics prints once, and --watch and --metrics-listen go on")
	case f.metrics && *f.format.OutputFormat != "":
		return run.Options{}, usagef("omit one of the two", "--metrics has a format of its own, and so has -o")
	}
	if f.listen != "" {
		host, port, err := net.SplitHostPort(f.listen)
		if err != nil || port == "" {
			return run.Options{}, usagef("e.g. 127.0.0.1:9586", "--metrics-listen %q is not HOST:PORT", f.listen)
		}
		if host == "" { // not to the whole network unless that is said
			f.listen = net.JoinHostPort("127.0.0.1", port)
		}
	}
	o.Roles = []string{run.RoleProbe}
	o.Samples = status.Samples
	if goesOn {
		o.Lasts = f.lasts
	}
	return o, nil
}
