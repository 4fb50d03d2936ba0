package profile

import (
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// mole is a network plugin that does not exist: all that a profile needs at least. See
// docs/profiles.md, "Adding a profile in ten lines".
func mole(g *graph.Graph) (Profile, bool) {
	key := func(n *graph.Node, _ int) string { return n.Annotations["mole.example.com/key"] }
	return Profile{
		Name: "mole", Title: "Mole", RunsAs: "mole", Encrypts: true, FailClosed: true,
		Device:    func(*graph.Node, int) string { return "mole0" },
		Published: key, Endpoint: internalIP, Scope: commonScope,
	}, slices.ContainsFunc(g.Nodes, func(n *graph.Node) bool { return key(n, 4) != "" })
}

// One function and one line in systems make a network known, and take nothing from
// those that were known before.
func TestAMadeUpNetwork(t *testing.T) {
	before := systems
	systems = slices.Insert(slices.Clone(systems), 0, mole)
	defer func() { systems = before }()
	node := surveyed{annotations: map[string]string{"mole.example.com/key": "key"}, internal: []string{"192.0.2.10"}}
	g := cluster(evidence.Run{}, evidence.Cluster{}, node, surveyed{})
	p := Decide(g)
	wantEqual(t, "title", p.Title, "Mole")
	wantEqual(t, "key", p.Published(g.Nodes[0], 6), "key")
	wantEqual(t, "endpoint", p.Endpoint(g.Nodes[0], 4).String(), "192.0.2.10")
	wantEqual(t, "port", p.Port(g.Nodes[0], 4), 0)
	wantEqual(t, "the others", Decide(cluster(evidence.Run{}, evidence.Cluster{}, surveyed{})).Name, "unknown")
}
