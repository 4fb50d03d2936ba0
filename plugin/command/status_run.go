package command

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/run"
	"github.com/kubectl-wg/kubectl-wg/plugin/status"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// rateTime is the time between the two readings of which rates are made where one
// state is all that was asked for.
const rateTime = time.Second

// runStatus places the probes, reads, and shows what they read, once or until it is
// interrupted.
func (r *root) runStatus(ctx context.Context, f *statusFlags, o run.Options, write statusFormat) error {
	var listener net.Listener
	if f.listen != "" { // that the port is taken is known before anything is made
		var err error
		if listener, err = net.Listen("tcp", f.listen); err != nil {
			return usagef("name an address of this machine and a free port, e.g. 127.0.0.1:9586",
				"--metrics-listen: %w", err)
		}
		defer listener.Close()
	}
	found := verdict.Pass
	err := r.observe(ctx, o, func(ctx context.Context, observed *run.Observation, progress *progress) error {
		if err := observed.Read(ctx); err != nil {
			return err
		}
		s := &statusRun{observed: observed, monitor: status.NewMonitor(observed.Recorded()), read: time.Now()}
		if f.watch || listener != nil {
			return r.watch(ctx, f, s, listener, write, progress)
		}
		c, err := s.look(ctx)
		if err == nil && r.showsRates(f) {
			select {
			case <-time.After(time.Until(c.At.Add(rateTime))): // it was judged meanwhile
				c, err = s.look(ctx)
			case <-ctx.Done():
				err = context.Cause(ctx)
			}
		}
		if err != nil {
			return err
		}
		found = c.Status()
		progress.pause()
		return r.writeStatus(write, c)
	})
	switch found {
	case verdict.Fail:
		return ends(exitNotVerified, err)
	case verdict.Inconclusive:
		return ends(exitInconclusive, err)
	}
	return err
}

// showsRates reports whether the format has rates, which take a second reading.
func (r *root) showsRates(f *statusFlags) bool {
	format := *f.format.OutputFormat
	return !f.metrics && format != "dump" && format != "name"
}

// writeStatus writes a state to stdout, all of it or nothing.
func (r *root) writeStatus(write statusFormat, c *status.Cluster) error {
	var text bytes.Buffer
	if err := write(&text, c); err != nil {
		return err
	}
	r.reported = true
	if _, err := text.WriteTo(r.streams.Out); err != nil {
		return fmt.Errorf("writing the status: %w", err)
	}
	return nil
}

// hostTime is the time between two readings of what changes seldom: routes, rules,
// filters, and what the API server says of the nodes.
const hostTime = 30 * time.Second

// statusRun are the sessions and what they are read for.
type statusRun struct {
	observed *run.Observation
	monitor  *status.Monitor
	read     time.Time // when the hosts were read last
}

// look asks all probes for their devices, and from time to time for their hosts and
// the API server for its nodes, and returns the state of the cluster.
func (s *statusRun) look(ctx context.Context) (*status.Cluster, error) {
	request := func(run.Agent) evidence.Request { return evidence.Request{Devices: &evidence.DevicesRequest{}} }
	host := time.Since(s.read) >= hostTime
	if host {
		s.read = time.Now()
		request = s.observed.ReadRequest
		// What it said before holds for as long as it cannot be asked.
		if messages, err := s.observed.Survey(ctx); err == nil {
			s.monitor.Survey(messages)
		}
	}
	var mu sync.Mutex
	answers := map[string]*status.Answer{}
	s.observed.Ask(ctx, "reading the devices", run.RoleProbe, request, func(a run.Agent, m *evidence.Message) bool {
		mu.Lock()
		defer mu.Unlock()
		answer := answers[a.Node.Name]
		if answer == nil {
			answer = &status.Answer{Node: a.Node.Name, Host: host}
			answers[a.Node.Name] = answer
		}
		if m.Ready == nil {
			answer.Messages = append(answer.Messages, m)
		} else {
			answer.At = time.Now()
		}
		return false
	})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	mu.Lock()
	defer mu.Unlock()
	var all []status.Answer
	for _, n := range s.observed.Nodes() {
		lost := s.observed.Lost(run.RoleProbe, n.Name)
		switch answer := answers[n.Name]; {
		case lost != nil:
			all = append(all, status.Answer{Node: n.Name, At: time.Now(), Lost: cluster.Line(lost.Error())})
		case answer != nil:
			all = append(all, *answer)
		}
	}
	return s.monitor.Next(ctx, all)
}
