package status

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Answer is what the probe on a node answered to an evidence.DevicesRequest, or to
// an evidence.ReadRequest.
type Answer struct {
	Node     string
	At       time.Time // when it was complete, by the plugin's clock
	Host     bool      // it is about the host, too
	Messages []*evidence.Message
	Lost     string // why there is no answer, empty if there is one
}

// Monitor turns answers into the state of the cluster, again and again. It is not
// safe for use by several goroutines.
type Monitor struct {
	moment  *moment
	names   []string // of the nodes that have a probe, or should
	tracks  map[trackKey]*track
	reasons map[string]string // why a node's probe did not start
	absent  []Problem         // of nodes that do not take part
	judged  []Problem         // of package check
	system  string
	owners  owners
	changed uint64 // fingerprint of what was judged
}

// NewMonitor returns a monitor of the nodes of a recording, which has the state of
// their hosts.
func NewMonitor(recorded graph.Recorded) *Monitor {
	m := &Monitor{moment: newMoment(recorded), tracks: map[trackKey]*track{}, reasons: map[string]string{}}
	for _, message := range m.moment.plugin {
		if p := message.Problem; p != nil && p.What == "place probe" {
			m.reasons[p.On] = p.Text
		}
	}
	m.survey()
	return m
}

// Survey takes what the API server says of the cluster and its nodes now, see
// run.Observation.Survey.
func (m *Monitor) Survey(messages []*evidence.Message) {
	m.moment.survey(messages)
	m.survey()
}

func (m *Monitor) survey() {
	m.names = nil
	m.absent = nil
	for _, message := range m.moment.plugin {
		switch n := message.Node; {
		case n == nil:
		case n.Index >= 0:
			m.names = append(m.names, n.Name)
		case !n.Chosen:
			m.absent = append(m.absent, Problem{
				Code: "WG0102", Status: verdict.Inconclusive, Subject: verdict.Subject{Node: n.Name},
				Text: n.Name + " was not read: " + n.Excluded,
			})
		}
	}
}

// Next takes the latest answers, one for each node at most, and returns the state of
// the cluster. A node without one keeps its last. Its error is that of ctx.
func (m *Monitor) Next(ctx context.Context, answers []Answer) (*Cluster, error) {
	c := &Cluster{}
	for _, a := range answers {
		stream := evidence.StreamName("probe", a.Node)
		if m.moment.hosts[stream] == nil && a.Lost == "" {
			continue
		}
		if a.Lost != "" {
			m.moment.latest[stream] = &reading{lost: cmp.Or(m.reasons[a.Node], a.Lost)}
		} else {
			if a.Host {
				a.Messages = m.moment.single(a.Node, a.Messages)
				m.moment.read(stream, a.Messages)
				rest := func(message *evidence.Message) bool { return !ofDevice(message) }
				a.Messages = slices.DeleteFunc(a.Messages, rest)
			}
			m.moment.latest[stream] = &reading{messages: a.Messages}
			m.track(&a)
		}
		if a.At.After(c.At) {
			c.At = a.At
		}
	}
	if err := m.judge(ctx); err != nil {
		return nil, err
	}
	for i, name := range m.names {
		n := m.node(name)
		n.place = i
		c.Nodes = append(c.Nodes, n)
	}
	c.System = m.system
	c.Problems = m.problems(c)
	c.mark()
	c.sort()
	return c, nil
}

// judge has package check judge what the nodes read, if anything but counters has
// changed since the last time.
func (m *Monitor) judge(ctx context.Context) error {
	now := m.moment.fingerprint()
	if now == m.changed {
		return nil
	}
	j, err := check.JudgeWithin(ctx, m.moment)
	if err != nil {
		return err
	}
	// Nodes that borrow addresses of each other give whole ranges back, too, and theirs
	// are those of the beginning.
	outdated := m.changed != 0 && j.Profile.Borrows
	m.changed = now
	m.system = j.Profile.Title
	m.owners = newOwners(j.Graph, j.Profile)
	m.judged = nil
	for _, f := range j.Findings {
		if p, wrong := problemFrom(&f, j.Graph, j.Profile); wrong && !(outdated && p.Code == "WG0304") {
			m.judged = append(m.judged, p)
		}
	}
	return nil
}

// byReading are the checks that judge readings alone: no test packet, no capture.
var byReading = []string{
	"WG0101", "WG0104", "WG0105", "WG0106", "WG0201", "WG0202", "WG0301", "WG0303", "WG0302", "WG0306",
	"WG0304", "WG0401", "WG0402", "WG0505", "WG0701", "WG0702",
}

// problemFrom makes a problem of a finding; wrong reports whether it is one.
func problemFrom(f *verdict.Finding, g *graph.Graph, decided profile.Profile) (p Problem, wrong bool) {
	if f.Status < verdict.Warn || f.Advice || !slices.Contains(byReading, f.Code) {
		return p, false
	}
	// What could not be judged follows from what could not be read, which is said once.
	if f.Status == verdict.Inconclusive && (f.CausedBy.Code != "" || f.Code != "WG0202") {
		return p, false
	}
	n := g.Node(f.Subject.Node)
	if n != nil && n.ProbeGap != "" { // that it is lost is said once
		return p, false
	}
	p = Problem{Code: f.Code, Status: f.Status, Subject: f.Subject, CausedBy: f.CausedBy.Code, Text: f.Text}
	family := f.Subject.Family
	if n == nil || family == 0 {
		return p, true
	}
	p.Device = decided.Device(n, family)
	if to := g.Node(f.Subject.Peer); to != nil {
		if to.ProbeGap != "" {
			return p, false
		}
		if d := to.Device(decided.Device(to, family)); d != nil {
			p.Key = d.PublicKey
		}
	}
	return p, true
}

// node puts together what a node reported.
func (m *Monitor) node(name string) *Node {
	n := &Node{Name: name}
	latest := m.moment.latest[evidence.StreamName("probe", name)]
	if latest == nil {
		n.Lost = "there is no probe on it"
		return n
	}
	n.Lost = latest.lost
	up := map[string]bool{}
	devices := map[string]*Device{}
	for _, message := range latest.messages {
		switch {
		case message.Link != nil:
			up[message.Link.Name] = message.Link.Up
		case message.Device != nil:
			d := &Device{Device: *message.Device, Up: up[message.Device.Name], place: len(n.Devices)}
			devices[d.Name] = d
			n.Devices = append(n.Devices, d)
		case message.Peer != nil && devices[message.Peer.Device] != nil:
			m.addPeer(name, devices[message.Peer.Device], message.Peer)
		}
	}
	return n
}

// addPeer adds a peer to a device, or its further allowed IPs.
func (m *Monitor) addPeer(node string, d *Device, peer *evidence.Peer) {
	if last := len(d.Peers) - 1; last >= 0 && d.Peers[last].PublicKey == peer.PublicKey {
		joined := &d.Peers[last].AllowedIPs
		*joined = slices.Concat(*joined, peer.AllowedIPs)
		return
	}
	p := &Peer{Peer: *peer, Node: m.owners.of(node, peer), place: len(d.Peers)}
	if t := m.tracks[trackKey{node, d.Name, peer.PublicKey}]; t != nil {
		p.Rate = t.rate
	}
	d.Peers = append(d.Peers, p)
}
