package command

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/kubectl-wg/kubectl-wg/plugin/metrics"
	"github.com/kubectl-wg/kubectl-wg/plugin/status"
)

// watch reads again and again, until ctx or the time ends, which is how it is meant
// to end: that is not an error. What it reads it shows, serves, or both.
func (r *root) watch(
	ctx context.Context, f *statusFlags, s *statusRun, listener net.Listener, write statusFormat, progress *progress,
) error {
	progress.pause()
	over := fmt.Errorf("--for %s is over", f.lasts)
	ctx, cancel := context.WithTimeoutCause(ctx, f.lasts, over)
	defer cancel()
	exporter := metrics.New()
	if listener != nil {
		stop := serve(listener, exporter.Handler())
		defer stop()
		progress.Note("metrics are at http://" + listener.Addr().String() + "/metrics; Ctrl-C ends it")
	}
	show := r.shower(f, write)
	ticker := time.NewTicker(f.interval)
	defer ticker.Stop()
	for {
		c, err := s.look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		exporter.Set(c)
		if f.watch {
			if err := show(c); err != nil {
				return err
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// serve serves the metrics until stop is called, which returns when nothing of it
// runs any more.
func serve(listener net.Listener, handler http.Handler) (stop func()) {
	mux := http.NewServeMux()
	mux.Handle("/metrics", handler)
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "metrics are at /metrics")
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // until it is closed, which is the error
	}()
	return func() {
		server.Close()
		<-served
	}
}

// shower returns what shows one state after the other: a table is drawn in place on
// a terminal and elsewhere followed by lines, other formats are written again.
func (r *root) shower(f *statusFlags, write statusFormat) func(*status.Cluster) error {
	format := *f.format.OutputFormat
	file, isFile := r.streams.Out.(*os.File)
	switch {
	case format != "" && format != "wide":
		return func(c *status.Cluster) error { return r.writeStatus(write, c) }
	case isFile && terminal(file) && os.Getenv("TERM") != "dumb":
		return (&screen{root: r, flags: f, file: file}).show
	}
	return (&lines{root: r, write: write}).show
}

// screen draws tables in place.
type screen struct {
	root  *root
	flags *statusFlags
	file  *os.File
	drawn int // lines
}

func (s *screen) show(c *status.Cluster) error {
	options := s.root.tableOptions(s.flags)
	width, height, err := term.GetSize(int(s.file.Fd()))
	if err == nil {
		options.Width = width
		options.Height = height - 2 // the heading, and the line of the cursor
	}
	var table strings.Builder
	fmt.Fprintf(&table, "every %s, at %s; Ctrl-C ends it\n", s.flags.interval, c.At.Format(time.TimeOnly))
	if err := c.Table(&table, options); err != nil {
		return err
	}
	var text strings.Builder
	if s.drawn > 0 {
		fmt.Fprintf(&text, "\x1b[%dA\r", s.drawn)
	}
	s.drawn = strings.Count(table.String(), "\n")
	text.WriteString(strings.ReplaceAll(table.String(), "\n", "\x1b[K\n"))
	text.WriteString("\x1b[J")
	_, err = io.WriteString(s.file, text.String())
	return err
}

// lines writes a table first, and then a line for each reading and for each problem
// that came or went.
type lines struct {
	root   *root
	write  statusFormat
	before *status.Cluster
}

func (l *lines) show(c *status.Cluster) error {
	before := l.before
	l.before = c
	if before == nil {
		return l.root.writeStatus(l.write, c)
	}
	var text strings.Builder
	for _, line := range append(c.Changes(before), c.Summary()) {
		fmt.Fprintf(&text, "%s %s\n", c.At.Format(time.TimeOnly), line)
	}
	_, err := io.WriteString(l.root.streams.Out, text.String())
	return err
}
