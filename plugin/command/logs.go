package command

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/logs"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
)

// logsFlags are the flags of logs.
type logsFlags struct {
	placementFlags // what is not about nodes and time is for --host only
	since          time.Duration
	follow         bool
	all            bool
	host           bool
}

func (r *root) logs() *cobra.Command {
	var f logsFlags
	command := &cobra.Command{
		Use:        "logs [NODE…]",
		SuggestFor: []string{"log", "journal", "journalctl", "dmesg"},
		Short:      "Show what the network's pods and the nodes log about WireGuard, known messages explained",
		Long: `Show the lines about WireGuard in the logs of the pods of Flannel, Canal, Calico,
Cilium, Antrea, Kilo and Submariner on all nodes, in the order of time. Known
problems come first, each with its code, what it means and what to do. Of a container
that was restarted, the log of the instance before is read too.

K3s, RKE2 and plain flanneld log on the node. With --host the nodes' own logs are read
too: of the journal the units of K3s, RKE2, Flannel, kubelet, wg-quick, tailscaled and
of what configures networks; K3s' log file where there is no systemd; and the kernel's
log. A pod on each node reads them, with /var/log and /run/log mounted read-only and the
capability SYSLOG. It is removed at the end.

Without --host nothing is started in the cluster, and with --namespace only pods of
that namespace are read. What looks like a secret is cut out of every line.`,
		Example: `  # The last hour, on all nodes.
  kubectl wg logs

  # The nodes' own logs too, as K3s needs it.
  kubectl wg logs --host

  # A day, on one node, with lines that are not about WireGuard.
  kubectl wg logs node1 --since 24h --all

  # What is logged from now on, until interrupted.
  kubectl wg logs -f --since 1s`,
		ValidArgsFunction: r.completeNodeArguments,
		RunE: func(command *cobra.Command, args []string) error {
			if err := emptyFlag(command); err != nil {
				return err
			}
			switch {
			case f.since <= 0:
				return usagef("e.g. 30m or 24h", "--since %s is not positive", f.since)
			case f.timeout < time.Second:
				return usagef("", "--timeout %s is too short, the minimum is 1s", f.timeout)
			case f.host && f.follow:
				return usagef("on a node: journalctl -f -u k3s -u k3s-agent", "--host reads once, it cannot --follow")
			}
			f.nodes = cleanNames(append(f.nodes, args...))
			if f.host {
				return r.runHostLogs(command.Context(), f)
			}
			for _, name := range []string{"node-selector", "image", "image-pull-policy", "image-pull-secret", "keep"} {
				if command.Flags().Changed(name) {
					return usagef("add --host, or omit it", "--%s is about pods that only --host starts", name)
				}
			}
			return r.runLogs(command.Context(), f)
		},
	}
	flags := command.Flags()
	r.addPlacementFlags(command, &f.placementFlags, "limit for reading, without --follow")
	flags.BoolVar(&f.host, "host", false, "read the logs of the nodes themselves too, by a pod on each")
	flags.DurationVar(&f.since, "since", time.Hour, "how far back to read")
	flags.BoolVarP(&f.follow, "follow", "f", false, "go on with what is logged, until interrupted")
	flags.BoolVar(&f.all, "all", false, "show all lines, not only those about WireGuard")
	for name, usage := range map[string]string{
		"nodes":         "nodes whose logs are read, by name (default all)",
		"node-selector": "nodes whose logs are read, by label, with --host",
	} {
		flags.Lookup(name).Usage = usage
	}
	return command
}

// noLogs is the error for a cluster in which no pod of a network was found.
type noLogs struct{ nodes []string }

func (e *noLogs) Error() string {
	where := "this cluster"
	if len(e.nodes) > 0 {
		where = fmt.Sprintf("the nodes %q", e.nodes)
	}
	return "no pods of a network that logs about WireGuard were found in " + where
}

// Hint says where the log is then.
func (e *noLogs) Hint() string {
	return "K3s has Flannel in its own process, and logs on the node: kubectl wg logs --host"
}

// ExitCode is that of a command that could not run.
func (e *noLogs) ExitCode() int { return exitCouldNotRun }

// runLogs finds the network's pods and shows their logs.
func (r *root) runLogs(ctx context.Context, f logsFlags) error {
	client, err := r.connect()
	if err != nil {
		return err
	}
	reading := ctx
	if !f.follow {
		late := fmt.Errorf("the logs could not be read within %s", f.timeout)
		var cancel context.CancelFunc
		reading, cancel = context.WithTimeoutCause(ctx, f.timeout, late)
		defer cancel()
	}
	sources, err := client.LogSources(reading, *r.config.Namespace, f.nodes)
	if err != nil {
		return err
	}
	if len(sources) == 0 {
		return &noLogs{f.nodes}
	}
	read := r.logReader(client, f, func(text string) { fmt.Fprintln(r.streams.Err, text) })
	if f.follow {
		return read.follow(ctx, sources, func(ctx context.Context) ([]cluster.LogSource, error) {
			return client.LogSources(ctx, *r.config.Namespace, f.nodes)
		})
	}
	return read.once(reading, sources)
}

// logReader returns a reader that notes what a user is to know besides the lines.
func (r *root) logReader(client logClient, f logsFlags, note func(string)) *logReader {
	return &logReader{
		client: client, since: time.Now().Add(-f.since), all: f.all,
		writer: logs.Writer{To: r.streams.Out, Zone: time.Local, Show: shown},
		note:   func(text string) { note(shown(text)) },
	}
}

// shown makes text from a cluster fit to be shown: without secrets, and harmless.
func shown(text string) string { return report.Printable(cluster.Redact(text)) }

// sourceName is how a source is named in a line.
func sourceName(s cluster.LogSource) string {
	if s.Previous {
		return s.Pod + " (previous)"
	}
	return s.Pod
}

// write shows lines that were read, problems first. That nobody reads them to their
// end, as head does, is not an error.
func (l *logReader) write(lines []logs.Line) error {
	if err := l.writeAll(lines); !readerGone(err) {
		return err
	}
	return nil
}

func (l *logReader) writeAll(lines []logs.Line) error {
	logs.Sort(lines)
	if err := l.writer.Findings(logs.Findings(lines)); err != nil {
		return err
	}
	for _, line := range lines {
		if err := l.writer.Line(line, false); err != nil {
			return err
		}
	}
	if len(lines) == 0 {
		l.note("no line about WireGuard was logged in that time; --all shows all lines, --since goes further back")
	}
	return nil
}

// wanted returns a line if it is to be shown.
func (l *logReader) wanted(source cluster.LogSource, raw string) (logs.Line, bool) {
	line := logs.Parse(source.Node, sourceName(source), raw)
	return line, l.all || logs.Related(line.Text)
}

// without returns the sources that are not among others, and are running.
func without(sources []cluster.LogSource, known map[cluster.LogSource]bool) []cluster.LogSource {
	return slices.DeleteFunc(slices.Clone(sources), func(s cluster.LogSource) bool { return s.Previous || known[s] })
}
