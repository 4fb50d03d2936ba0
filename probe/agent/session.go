//go:build linux

package agent

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/probe/canary"
	"github.com/kubectl-wg/kubectl-wg/probe/capture"
	"github.com/kubectl-wg/kubectl-wg/probe/device"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence/columns"
	"github.com/kubectl-wg/kubectl-wg/probe/filter"
	"github.com/kubectl-wg/kubectl-wg/probe/host"
	"github.com/kubectl-wg/kubectl-wg/probe/hostlog"
	"github.com/kubectl-wg/kubectl-wg/probe/perf"
	"github.com/kubectl-wg/kubectl-wg/probe/trial"
)

// session is what the agent knows between two requests.
type session struct {
	options Options
	log     *slog.Logger
	out     *evidence.Writer
	packer  columns.Packer
	flush   func() error
	err     error          // the first error of writing
	ready   evidence.Ready // what the request at hand adds to its Ready

	role     string // empty until the session is open
	netns    uint64 // that the agent is in, see evidence.Hello
	id       canary.Identity
	pod      Pod             // role pod
	measured *perf.Server    // nil until measurements are served
	classes  *canary.Classes // nil until packets of classes are asked for
	ports    *canary.Ports   // nil until ports of the host are asked for
	read     evidence.ReadRequest
	links    host.Links      // at the last reading
	devices  device.Snapshot // at the last reading
	counters device.Counters
	counted  host.LinkCounter
	watch    *host.Watch      // of changes of links; nil unless it runs
	changes  *filter.Watch    // of changes of filters, since before the first reading; nil if there was none
	entries  []evidence.Route // of routing tables, at the first reading
	rules    []evidence.Rule
	routing  evidence.ReadRequest // what the tables were read for, see reportRoutes
	hops     []host.Hop           // to the peers' endpoints, at the first reading
	inner    map[string][]uint16  // see innerPorts, at the first reading
	stack    host.StackCounts     // at the first reading
	// diversions are those that were reported, see newDiversions.
	diversions map[string]bool
	capture    Capture
	captured   []evidence.Link
	live       Live              // nil unless one runs
	tunnels    []evidence.Tunnel // of the last capture
}

func newSession(options Options, out *evidence.Writer, flush func() error) *session {
	if options.Log == nil {
		options.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if options.Host == nil {
		options.Host = host.Reader{}
	}
	if options.Filters == nil {
		options.Filters = filter.Reader{}
	}
	if options.Devices == nil {
		options.Devices = &device.Reader{}
	}
	if options.Capture == nil {
		options.Capture = func(ctx context.Context, config capture.Config) (Capture, error) {
			return capture.Start(ctx, config)
		}
	}
	if options.Trial == nil {
		options.Trial = trial.Reader{}.Run
	}
	if options.HostLogs == nil {
		options.HostLogs = hostlog.Reader{}.Read
	}
	if options.Live == nil {
		options.Live = func(config capture.Config, request evidence.LiveRequest) (Live, error) {
			return capture.StartLive(config, request)
		}
	}
	if options.Pod == nil {
		options.Pod = func(id canary.Identity) Pod { return canary.NewPod(id) }
	}
	return &session{options: options, log: options.Log, out: out, flush: flush}
}

// write keeps the first error; after it nothing more is written.
func (s *session) write(messages ...evidence.Message) {
	for _, m := range messages {
		if s.err == nil {
			s.err = s.out.Write(m)
		}
	}
}

// writePacked is write for what is said of many nodes or peers.
func (s *session) writePacked(messages []evidence.Message) { s.write(s.packer.Pack(messages)...) }

// maxText bounds a problem's text, in bytes.
const maxText = 500

func (s *session) problem(problems ...evidence.Problem) {
	for _, p := range problems {
		p.Text = oneLine(p.Text)
		s.log.Warn("problem", "class", p.Class, "what", p.What, "on", p.On, "text", p.Text)
		s.write(evidence.Message{Problem: &p})
	}
}

func oneLine(text string) string { return strings.ToValidUTF8(text[:min(len(text), maxText)], "") }

// action names a request and returns what carries it out in this role.
func (s *session) action(r *evidence.Request) (string, func(context.Context)) {
	refuse := func(text string) func(context.Context) {
		return func(context.Context) {
			s.problem(evidence.Problem{Class: evidence.ProblemUnsupported, What: "request", Text: text})
		}
	}
	for _, known := range []struct {
		asked bool
		what  string
		role  string // empty = both
		act   func(context.Context)
	}{
		{r.Start != nil, "start", "", func(context.Context) { s.open(r.Start) }},
		{r.Read != nil, "read", "probe", func(ctx context.Context) { s.readState(ctx, r.Read) }},
		{r.Capture != nil, "capture", "probe", func(ctx context.Context) { s.startCapture(ctx, r.Capture) }},
		{r.Listen != nil, "listen", "pod", func(ctx context.Context) { s.listen(ctx, r.Listen) }},
		{r.Send != nil, "send", "pod", func(ctx context.Context) { s.problem(s.pod.Send(ctx, *r.Send)...) }},
		{r.Control != nil, "control", "probe", func(ctx context.Context) { s.control(ctx, r.Control) }},
		{r.Answer != nil, "answer", "", func(context.Context) { s.answer(r.Answer) }},
		{r.Reach != nil, "reach", "", func(ctx context.Context) { s.classed().Send(ctx, *r.Reach) }},
		{r.Trial != nil, "trial", "trial", func(context.Context) { s.tryLink(r.Trial) }},
		{r.PortListen != nil, "portListen", "probe", func(ctx context.Context) { s.listenPorts(ctx, r.PortListen) }},
		{r.PortSend != nil, "portSend", "probe", func(ctx context.Context) { s.write(s.hostPorts().Send(ctx, *r.PortSend)...) }},
		{r.HostLogs != nil, "hostLogs", "logs", func(ctx context.Context) { s.hostLogs(ctx, r.HostLogs) }},
		{r.Live != nil, "live", "probe", func(context.Context) { s.startLive(r.Live) }},
		{r.Frames != nil, "frames", "probe", func(ctx context.Context) { s.frames(ctx, r.Frames) }},
		{r.Serve != nil, "serve", "", func(ctx context.Context) { s.serveMeasurements(ctx, r.Serve) }},
		{r.Measure != nil, "measure", "", func(ctx context.Context) { s.measure(ctx, r.Measure) }},
		{r.Load != nil, "load", "", func(context.Context) { s.readLoad(r.Load) }},
		{r.Stop != nil, "stop", "", s.stop},
		{r.Devices != nil, "devices", "probe", func(context.Context) { s.reportDevices() }},
		{r.End != nil, "end", "", func(context.Context) {}},
	} {
		switch {
		case !known.asked:
		case known.what == "end":
			return known.what, known.act
		case known.what == "start" && s.role != "":
			return "unknown", refuse("the session is already open")
		case known.what != "start" && s.role == "":
			return known.what, refuse("the session is not open")
		case known.role != "" && known.role != s.role:
			return known.what, refuse("a " + s.role + " does not " + known.what)
		default:
			return known.what, known.act
		}
	}
	return "unknown", refuse("this agent does not know the request; its image may be older than the plugin")
}

// open answers Start by Hello. What makes the session impossible is said after
// it, so that the other side always learns who it speaks with.
func (s *session) open(start *evidence.StartRequest) {
	s.hello(start)
	id, err := canary.NewIdentity(*start)
	if err == nil {
		err = evidence.CheckSchema(start.Schema)
	}
	if err != nil || !slices.Contains([]string{"probe", "pod", "trial", "logs"}, start.Role) {
		text := "a session's role is probe, pod, trial or logs"
		if err != nil {
			text = err.Error()
		}
		s.problem(evidence.Problem{Class: evidence.ProblemUnsupported, What: "start", Text: text})
		return
	}
	s.role = start.Role
	s.id = id
	if start.Role == "pod" {
		s.pod = s.options.Pod(id)
	}
}

func (s *session) listen(ctx context.Context, request *evidence.ListenRequest) {
	ports, problems := s.pod.Listen(ctx, *request)
	s.problem(problems...)
	s.ready.Ports = ports
}

func (s *session) endChanges() {
	if s.changes != nil {
		s.changes.Close()
	}
}

// close ends what runs without reporting results and forgets the run's key.
func (s *session) close() {
	gone, cancel := context.WithCancel(context.Background())
	cancel() // the results are not wanted
	if s.capture != nil {
		s.capture.Stop(gone)
	}
	if s.live != nil {
		s.live.Stop(gone)
	}
	if s.watch != nil {
		s.watch.Close()
	}
	s.endChanges()
	if s.pod != nil {
		s.pod.Stop()
	}
	if s.classes != nil {
		s.classes.Stop()
	}
	if s.ports != nil {
		s.ports.Stop()
	}
	if s.measured != nil {
		s.measured.Close()
	}
	clear(s.id.Key)
}
