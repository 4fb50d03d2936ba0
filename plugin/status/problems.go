package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// The times of the protocol that silence is measured by (linux
// drivers/net/wireguard/messages.h): whoever received something and has nothing to
// send sends a keepalive after KEEPALIVE_TIMEOUT, 10 s; 5 s after that, at the
// latest, a peer that is not heard is not there. Below it traffic in one direction
// looks alike, so that is a warning, given as soon as one reading shows it. A session ends after REJECT_AFTER_TIME.
const (
	quiet   = 1500 * time.Millisecond
	dead    = 15 * time.Second
	expired = 180 * time.Second
)

// talk is how many bytes are more than the answer that a peer may owe nobody: two
// packets of ping, as WireGuard sends them.
const talk = 256

// problems returns what is wrong: what package check found, and what the rules of
// this package say.
func (m *Monitor) problems(c *Cluster) []Problem {
	all := slices.Clone(m.absent)
	for _, p := range m.judged {
		if p.Code == "WG0306" && c.heard(&p) {
			continue
		}
		all = append(all, p)
	}
	for _, n := range c.Nodes {
		if n.Lost != "" {
			all = append(all, Problem{
				Code: "WG0103", Status: verdict.Inconclusive, Subject: verdict.Subject{Node: n.Name},
				Text: n.Name + " could not be read: " + n.Lost,
			})
			continue
		}
		all = append(all, m.unread(n, all)...)
		for _, d := range n.Devices {
			for _, p := range d.Peers {
				if wrong, ok := m.peer(n, d, p); ok {
					all = append(all, wrong)
				}
			}
		}
	}
	return all
}

// heard reports whether a peer that a node sends elsewhere than it publishes was heard
// lately: then that is where its last datagram came from, through a NAT.
func (c *Cluster) heard(wrong *Problem) bool {
	for _, n := range c.Nodes {
		for _, d := range n.Devices {
			for _, p := range d.Peers {
				if n.Name == wrong.Subject.Node && d.Name == wrong.Device && p.PublicKey == wrong.Key {
					return p.Handshake != 0 && p.RX > 0 && time.Duration(p.Age) < expired
				}
			}
		}
	}
	return false
}

// unread are devices that could not be read, but those that are known as such.
func (m *Monitor) unread(n *Node, known []Problem) (all []Problem) {
	for _, message := range m.moment.latest[evidence.StreamName("probe", n.Name)].messages {
		p := message.Problem
		if p == nil || p.What != "device" && p.What != "devices" && p.What != "request" {
			continue
		}
		isKnown := func(k Problem) bool {
			return k.Code == "WG0202" && k.Subject.Node == n.Name && (k.Device == p.On || p.On == "")
		}
		if slices.ContainsFunc(known, isKnown) {
			continue
		}
		what := cmp.Or(p.On, "the devices")
		all = append(all, Problem{
			Code: "WG0202", Status: verdict.Inconclusive, Subject: verdict.Subject{Node: n.Name}, Device: p.On,
			Text: fmt.Sprintf("%s of %s could not be read: %s", what, n.Name, p.Text),
		})
	}
	return all
}

// peer judges whether a peer is alive; wrong reports whether it is not. A peer
// without allowed IPs is a stale one: no data is meant for it.
func (m *Monitor) peer(n *Node, d *Device, p *Peer) (found Problem, wrong bool) {
	if len(p.AllowedIPs) == 0 {
		return found, false
	}
	name := cmp.Or(p.Node, "the peer "+short(p.PublicKey))
	found = Problem{
		Code: "WG0606", Status: verdict.Fail, Subject: verdict.Subject{Node: n.Name, Peer: p.Node}, Device: d.Name,
		Key: p.PublicKey,
	}
	t := m.tracks[trackKey{n.Name, d.Name, p.PublicKey}]
	age := time.Duration(p.Age)
	silent := t.silent()
	switch {
	case p.Handshake == 0 && p.TX > 0 && p.RX == 0:
		found.Text = fmt.Sprintf("%s never completed a handshake with %s: %s sent to %s, nothing received",
			n.Name, name, size(p.TX), endpoint(p))
	case p.Handshake != 0 && p.Keepalive > 0 && age > expired+time.Duration(p.Keepalive)*time.Second:
		found.Text = fmt.Sprintf("%s is to send %s a keepalive every %d s, and their last handshake was %s ago",
			n.Name, name, p.Keepalive, duration(age))
	case silent >= dead:
		found.Code = "WG0501"
		found.Text = fmt.Sprintf("%s sends to %s at %s and has received nothing for %s", n.Name, name, endpoint(p),
			duration(silent))
	case silent >= quiet && t.heard && t.tx-t.txHeard >= talk:
		found.Code = "WG0501"
		found.Status = verdict.Warn
		found.Text = fmt.Sprintf(
			"%s sends to %s at %s and has received nothing for %s; after %s it is not one-way traffic",
			n.Name, name, endpoint(p), duration(silent), duration(dead))
	default:
		return found, false
	}
	return found, true
}

// mark gives devices and peers the codes of their problems.
func (c *Cluster) mark() {
	byName := map[string]*Node{}
	for _, n := range c.Nodes {
		byName[n.Name] = n
	}
	for _, problem := range c.Problems {
		if n := byName[problem.Subject.Node]; n != nil {
			n.mark(&problem)
		}
	}
}

func (n *Node) mark(problem *Problem) {
	n.Worst = verdict.Worse(n.Worst, problem.Status)
	for _, d := range n.Devices {
		if problem.Device != "" && problem.Device != d.Name {
			continue
		}
		onPeer := false
		for _, p := range d.Peers {
			about := problem.Key != "" && p.PublicKey == problem.Key
			if problem.Key == "" || !about {
				about = problem.Subject.Peer != "" && p.Node == problem.Subject.Peer
			}
			if about {
				onPeer = true
				p.Worst = verdict.Worse(p.Worst, problem.Status)
				p.Codes = withCode(p.Codes, problem.Code)
			}
		}
		d.Worst = verdict.Worse(d.Worst, problem.Status)
		if !onPeer {
			d.Codes = withCode(d.Codes, problem.Code)
		}
	}
}

func withCode(codes []string, code string) []string {
	if slices.Contains(codes, code) {
		return codes
	}
	return append(codes, code)
}

// sort puts what is worst first, and keeps the order of nodes otherwise.
func (c *Cluster) sort() {
	slices.SortStableFunc(c.Problems, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(b.Status, a.Status), strings.Compare(a.CausedBy, b.CausedBy), strings.Compare(a.Code, b.Code))
	})
	slices.SortStableFunc(c.Nodes, func(a, b *Node) int { return cmp.Compare(b.Worst, a.Worst) })
	for _, n := range c.Nodes {
		slices.SortStableFunc(n.Devices, func(a, b *Device) int { return cmp.Compare(b.Worst, a.Worst) })
		for _, d := range n.Devices {
			slices.SortStableFunc(d.Peers, func(a, b *Peer) int {
				return cmp.Or(cmp.Compare(b.Worst, a.Worst), cmp.Compare(a.Node, b.Node))
			})
		}
	}
}
