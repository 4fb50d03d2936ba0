// Package status shows the WireGuard devices and peers of all nodes at one moment,
// and what is wrong with them: in a table, in the words of `wg show all dump`, as a
// document.
//
// It is pure. What is wrong with keys, peers, devices and endpoints it leaves to
// package check, over a recording that holds nothing but readings; its own rules are
// about what check needs test traffic for: handshakes and peers that fell silent. It
// must not claim that traffic is encrypted, which takes more than a reading.
package status

import (
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Cluster is what all nodes reported at one moment. What is worst comes first, in
// each of its lists.
type Cluster struct {
	At       time.Time // of the last answer, by the plugin's clock
	System   string    // the network, as a reader knows it
	Nodes    []*Node
	Problems []Problem
}

// Node is what one node reported.
type Node struct {
	Name    string
	Lost    string // why nothing is known of it now, empty if it answered
	Devices []*Device
	Worst   verdict.Status // of its problems, 0 if it has none

	place int // in the order of the API
}

// Device is one WireGuard device of a node.
type Device struct {
	evidence.Device
	Up    bool // administratively
	Peers []*Peer
	Codes []string // of its problems that are not of one peer
	Worst verdict.Status

	place int // in the order in which the node reported them
}

// Kind says where the device is implemented.
func (d *Device) Kind() string {
	if d.Userspace {
		return "userspace"
	}
	return "kernel"
}

// Sum adds up the peers' counters and rates.
func (d *Device) Sum() (sum Traffic) {
	for _, p := range d.Peers {
		sum.RX += p.RX
		sum.TX += p.TX
		if p.Rate != nil {
			if sum.Rate == nil {
				sum.Rate = &Rate{}
			}
			sum.Rate.RX += p.Rate.RX
			sum.Rate.TX += p.Rate.TX
		}
	}
	return sum
}

// Traffic is what was transferred since a device was made.
type Traffic struct {
	RX, TX uint64 // bytes
	Rate   *Rate  // nil until there are two readings
}

// Rate is bytes per second between the last two readings.
type Rate struct{ RX, TX float64 }

// Peer is one peer of a device.
type Peer struct {
	evidence.Peer        // with all its allowed IPs
	Node          string // whose device has the key or is at the endpoint, empty if that is not known
	Rate          *Rate  // nil until there are two readings
	Codes         []string
	Worst         verdict.Status

	place int // in the order in which the device reported them
}

// Problem is something that is wrong, or could not be read.
type Problem struct {
	Code    string
	Status  verdict.Status // Fail, Inconclusive or Warn
	Subject verdict.Subject
	Device  string // of the node, empty if it is about all or none
	Key     string // public key of the peer, empty if it is about none
	// CausedBy is the code of the problem that explains this one, empty if none does.
	CausedBy string
	Text     string
}

// Status is the gravest of all problems, Pass if there are none.
func (c *Cluster) Status() verdict.Status {
	worst := verdict.Pass
	for _, p := range c.Problems {
		worst = verdict.Worse(worst, p.Status)
	}
	return worst
}
