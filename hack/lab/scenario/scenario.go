// Package scenario judges the judge: each scenario is a cluster, an act of sabotage that is taken back, and the verdict
// that `kubectl wg verify` must come to. It knows the command's exit code and two fields of its JSON, and nothing else
// of the product, so that it can be believed about it.
package scenario

import "slices"

// Cluster is what a scenario needs to run in.
type Cluster struct {
	Backend string
	Nodes   int
}

// Command runs in a node.
type Command struct {
	Node string
	Argv []string
}

// Scenario is a row of All.
type Scenario struct {
	Name    string
	Title   string // a true sentence about the cluster
	Cluster Cluster
	// Sabotage and Restore make the commands for the given nodes; nil does nothing. Restore runs whatever became of the
	// sabotage.
	Sabotage, Restore func(nodes []string) []Command
	Args              []string // of verify
	// Disturb befalls the command while it runs; nil lets it be.
	Disturb Disturbance
	Want    Want
	// Or lists what is as good, where the moment decides.
	Or []Want
	// After runs when the command has ended. When it returns nothing may be left of the run, or else the scenario fails;
	// nil means that the command itself has seen to that.
	After Disturbance
}

// Want is the expected outcome.
type Want struct {
	Exit    int    // -1 if a signal ended it
	Verdict string // empty if there is none
	// FirstCause is the code of the first cause. Empty means that there must be none after a PASS, any after a FAIL, and
	// whatever it likes else.
	FirstCause string
}

// Codes of the first causes, see docs of the product.
const (
	codeRoute   = "WG0401"
	codeBlocked = "WG0501"
	codeLeak    = "WG0601"
	codeDeaf    = "WG0604"
)

var (
	pass = Want{Exit: 0, Verdict: "PASS"}
	fail = func(code string) Want { return Want{Exit: 1, Verdict: "FAIL", FirstCause: code} }

	undecided = func(code string) Want { return Want{Exit: 3, Verdict: "INCONCLUSIVE", FirstCause: code} }
	stopped   = Want{Exit: 4}  // could not run, and says nothing on stdout
	killed    = Want{Exit: -1} // by a signal that nothing survives

	wireguard = Cluster{Backend: "wireguard", Nodes: 2}
)

// All scenarios, those that share a cluster next to each other.
var All = slices.Concat(sabotaged, interrupted, unencrypted)

var sabotaged = []Scenario{
	{
		Name: "healthy-wireguard", Title: "flannel's wireguard backend as K3s configures it",
		Cluster: wireguard, Want: pass,
	},
	{
		Name: "stale-flannel-route", Title: "routes of an earlier vxlan backend win over flannel-wg",
		Cluster: wireguard, Sabotage: staleRoutes, Restore: dropStaleRoutes, Want: fail(codeRoute),
	},
	{
		Name: "udp-blocked", Title: "a firewall on one node drops UDP 51820",
		Cluster: wireguard, Sabotage: blockUDP, Restore: unblockUDP, Want: fail(codeBlocked),
	},
	{
		Name: "deaf-capture", Title: "a capture that loses frames is no proof",
		Cluster: wireguard, Args: []string{"--capture-buffer", "256"}, Want: undecided(codeDeaf),
	},
}

var unencrypted = []Scenario{
	{
		Name: "vxlan", Title: "flannel's vxlan backend: nothing is encrypted",
		Cluster: Cluster{Backend: "vxlan", Nodes: 2}, Want: fail(codeLeak),
	},
	{
		Name: "host-gw", Title: "flannel's host-gw backend: nothing is encrypted",
		Cluster: Cluster{Backend: "host-gw", Nodes: 2}, Want: fail(codeLeak),
	},
}
