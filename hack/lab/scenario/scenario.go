// Package scenario judges the judge: each scenario is a cluster, an act of sabotage that is taken back, and the verdict
// that `kubectl wg verify` must come to. It knows the command's exit code and two fields of its JSON, and nothing else
// of the product, so that it can be believed about it.
package scenario

import (
	"slices"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/ground"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// Cluster is what a scenario needs to run in.
type Cluster struct {
	topology.Network
	Nodes int
	Alone bool // in a virtual machine, whose kernel it may do with as it likes
}

// Fits reports whether a lab on a ground is such a cluster.
func (c Cluster) Fits(network topology.Network, nodes int, on string) bool {
	return network.Plain() == c.Plain() && nodes == c.Nodes && (!c.Alone || on == ground.VM)
}

// Command runs in a node, or in one of the places below.
type Command struct {
	Node  string
	Argv  []string
	Stdin []byte
}

// Places other than the nodes. In both, LAB is the lab's name in the environment.
const (
	operator = "operator" // where kubectl works, with KUBECONFIG
	network  = "network"  // the switch between the nodes
)

// Scenario is a row of All.
type Scenario struct {
	Name    string
	Title   string // a true sentence about the cluster
	Cluster Cluster
	// Sabotage and Restore make the commands for the given nodes; nil does nothing. Restore runs whatever became of the
	// sabotage.
	Sabotage, Restore func(nodes []string) []Command
	// Command is what runs instead of verify; it is judged by its exit code and what it says.
	Command string
	Args    []string // of the command
	// Lies are the nodes whose probe lies, and how, see command liar. Args has to name the image.
	Lies map[string]string
	// Disturb acts on the command while it runs; nil does nothing.
	Disturb Disturbance
	// Meanwhile runs as long as the command does, and is a part of the cluster that the lab has not: it disturbs nothing. Nil
	// does nothing.
	Meanwhile Disturbance
	Want      Want
	// Pairs are the ordered pairs whose proof must not be complete, all others being proven: "node-1>node-2", or of one
	// family only: "node-1>node-2/6". Nil asks nothing, unless the verdict is PASS: then all must be proven.
	Pairs []string
	// Tested is how many ordered pairs the report must have, each counted once per family. 0 asks nothing.
	Tested int
	// Findings are codes that must have been found with the given status somewhere.
	Findings map[string]string
	// Classes are cells of the report's matrix of classes, by class; "" for one that must not be there.
	Classes map[string]string
	// Causes are codes that must all be among the root causes, the first one or others.
	Causes []string
	// Unmendable is why the commands that the report prints cannot be executed here, or are none. If, for a FAIL, it is
	// empty they are executed, and the next verdict must be PASS.
	Unmendable string
	// Or lists what is as good, where the moment decides.
	Or []Want
	// Witness watches independently of the product, and has to see that the scenario is what it says. Nil asks nobody.
	Witness *Witness
	// Says are texts that the command must say, on stderr or as its first cause; one that is not verify on stdout, too.
	Says []string
	// Noted is a code whose findings' words are noted, and Measured a command whose output is, when the command has ended.
	Noted    string
	Measured *Command
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
	codeBackends  = "WG0101"
	codeNodes     = "WG0102"
	codeStarted   = "WG0103"
	codeConfig    = "WG0104"
	codeOverwrite = "WG0105"
	codeEndpoints = "WG0106"
	codeAddressed = "WG0107"
	codeDevice    = "WG0201"
	codeRead      = "WG0202"
	codeModule    = "WG0203"
	codePort      = "WG0204"
	codePublished = "WG0301"
	codePeers     = "WG0302"
	codeUnique    = "WG0303"
	codeRanges    = "WG0304"
	codeEndpoint  = "WG0306"
	codeRoute     = "WG0401"
	codeBlocked   = "WG0501"
	codePods      = "WG0502"
	codeSize      = "WG0503"
	codeFits      = "WG0504"
	codeOldPods   = "WG0505"
	codePath      = "WG0402"
	codeBlind     = "WG0611"
	codeInside    = "WG0605"
	codeCipher    = "WG0602"
	codeLeak      = "WG0601"
	codeDeaf      = "WG0604"
	codeMac1      = "WG0607"
	codeFirst     = "WG0609"
	codeClasses   = "WG0621"
	codeSpeed     = "WG0701"
	codeKept      = "WG0702"
	codeFamilies  = "WG0801"
)

var (
	pass = Want{Exit: 0, Verdict: "PASS"}
	fail = func(code string) Want { return Want{Exit: 1, Verdict: "FAIL", FirstCause: code} }

	undecided = func(code string) Want { return Want{Exit: 3, Verdict: "INCONCLUSIVE", FirstCause: code} }
	stopped   = Want{Exit: 4, Verdict: "ERROR"} // could not run, and its document says why
	killed    = Want{Exit: -1}                  // by a signal that nothing survives

	wireguard  = cluster("wireguard", "", 2)
	wireguard3 = cluster("wireguard", "", 3)
	dual       = cluster("wireguard", topology.Dual, 2)
	dual8      = cluster("wireguard", topology.Dual, 8)
	onlyIPv6   = cluster("wireguard", topology.OnlyIPv6, 2)
	virtual    = Cluster{Network: wireguard.Network, Nodes: 2, Alone: true}
	whole      = Cluster{Network: topology.Network{Backend: "wireguard", Services: true}, Nodes: 2}
	vxlan      = cluster("vxlan", "", 2)
	vxlan3     = cluster("vxlan", "", 3)
	vxlanDual  = cluster("vxlan", topology.Dual, 2)
	hostGW     = cluster("host-gw", "", 2)
)

func cluster(backend string, families topology.Families, nodes int) Cluster {
	return Cluster{Network: topology.Network{Backend: backend, Families: families}, Nodes: nodes}
}

// Group is a part of the table that can be run by its name.
type Group struct {
	Name      string
	Scenarios []Scenario
	Apart     bool // not a part of `all`: its clusters are large, or virtual machines
}

// Groups are the whole table, those that share a cluster next to each other.
var Groups = []Group{
	{Name: "healthy", Scenarios: healthy},
	{Name: "sabotaged", Scenarios: slices.Concat(sabotagedRoutes, sabotagedPeers, sabotagedDevices, sabotagedFilters, sabotagedSizes, sabotagedCluster)},
	{Name: "switched", Scenarios: switched},
	{Name: "hostile", Scenarios: hostile},
	{Name: "interrupted", Scenarios: interrupted},
	{Name: "reports-run", Scenarios: reportsRun},
	{Name: "paths", Scenarios: slices.Concat(pathLeaks, pathHarmless)},
	{Name: "blind", Scenarios: blind},
	{Name: "traffic", Scenarios: slices.Concat(traffic, trafficAround, reportsPorts)},
	{Name: "disguised", Scenarios: disguised},
	{Name: "reports-config", Scenarios: reportsConfig},
	{Name: "reach", Scenarios: reportsReach},
	{Name: "reports-inside", Scenarios: slices.Concat(reportsInside, reportsRules)},
	{Name: "scope", Scenarios: scope},
	{Name: "commands", Scenarios: commands},
	{Name: "repeat", Scenarios: repeatable, Apart: true},
	{Name: "bystander", Scenarios: bystanderWatch, Apart: true},
	{Name: "three", Scenarios: three},
	{Name: "underlay", Scenarios: slices.Concat(underlay, underTUN, disguisedBelow, scopeUnderlay)},
	{Name: "preflight", Scenarios: preflights},
	{Name: "unencrypted", Scenarios: unencrypted},
	{Name: "dual", Scenarios: slices.Concat(scopeDual, dualHealthy, dualSabotaged, dualElsewhere)},
	{Name: "deployed", Scenarios: deployed},
	{Name: "services", Scenarios: services, Apart: true},
	{Name: "eight", Scenarios: eight, Apart: true},
	{Name: "calico", Scenarios: calicoRows, Apart: true},
	{Name: "cilium", Scenarios: cilium, Apart: true},
	{Name: "clock", Scenarios: clock, Apart: true},
	{Name: "kernel", Scenarios: virtualMachine, Apart: true},
}

// All returns all scenarios in the order of their groups.
func All() []Scenario {
	var all []Scenario
	for _, group := range Groups {
		all = append(all, group.Scenarios...)
	}
	return all
}
