package profile

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
)

// Kilo (squat/kilo pkg/k8s/backend.go, pkg/mesh/topology.go, routes.go).
const (
	kiloPrefix = "kilo.squat.ai/"
	kiloDevice = "kilo0" // the default of --interface
)

// The granularities of Kilo's mesh. "location" is its default.
const (
	kiloFull     = "full"     // every node has a tunnel to every other
	kiloCross    = "cross"    // every node has one to those of other locations
	kiloLocation = "location" // one node of each location has tunnels, to those of other locations
)

// kilo recognises Kilo by the public keys that its agents write to their nodes. On
// one node alone it is a VPN server for people, and carries nothing between nodes.
func kilo(g *graph.Graph) (Profile, bool) {
	keyed := 0
	granularities := map[string]bool{}
	for _, n := range g.Nodes {
		if n.Annotations[kiloPrefix+"key"] != "" {
			keyed++
			granularities[kiloGranularity(n)] = true
		}
	}
	if keyed < 2 {
		return Profile{}, false
	}
	granularity := strings.Join(slices.Sorted(maps.Keys(granularities)), " and ")
	return Profile{
		Name: "kilo", Title: "Kilo, mesh granularity " + granularity, RunsAs: "kilo",
		Recognised: []string{fmt.Sprintf("%skey on %d of %d nodes", kiloPrefix, keyed, len(g.Nodes))},
		Encrypts:   true,
		Assigned:   func(*graph.Node) bool { return true }, // its subnets are Node.spec.podCIDR
		// A route leads into the tunnel even where no peer has the address.
		FailClosed: true,
		Device: func(n *graph.Node, _ int) string {
			return cmp.Or(holder(n, n.Annotations[kiloPrefix+"key"]), kiloDevice)
		},
		Published: func(n *graph.Node, _ int) string { return n.Annotations[kiloPrefix+"key"] },
		Endpoint:  func(n *graph.Node, family int) netip.Addr { return kiloEndpoint(n, family).Addr() },
		Port:      func(n *graph.Node, family int) uint16 { return kiloEndpoint(n, family).Port() },
		Clear:     kiloClear,
		Scope:     commonScope,
	}, true
}

// kiloGranularity is what a node's agent says that it runs.
func kiloGranularity(n *graph.Node) string {
	return cmp.Or(n.Annotations[kiloPrefix+"granularity"], kiloLocation)
}

// kiloPlace is the location of a node: the annotation, else the label that Kilo reads
// by default. A node without an internal address is in one of its own.
func kiloPlace(n *graph.Node) string {
	internal := cmp.Or(n.Annotations[kiloPrefix+"force-internal-ip"], n.Annotations[kiloPrefix+"internal-ip"])
	if internal == "" || internal == "-" {
		return "node:" + n.Name
	}
	if place, annotated := n.Annotations[kiloPrefix+"location"]; annotated {
		return place
	}
	return n.Labels["topology.kubernetes.io/region"]
}

// kiloClear is why Kilo does not encrypt what pods on one node send to pods on
// another. Inside of a location it never does but with the granularity full; with
// the granularity location the nodes of one reach other locations through the one
// of them that leads it, unencrypted up to there. That node has an address in the tunnel.
func kiloClear(from, to *graph.Node) string {
	granularity := kiloGranularity(from)
	place := kiloPlace(from)
	switch {
	case granularity == kiloFull:
		return ""
	case place == kiloPlace(to):
		return fmt.Sprintf("%s and %s are in one location%s, and with the mesh granularity %s Kilo does not encrypt "+
			"inside of one", from.Name, to.Name, called(place), granularity)
	case granularity == kiloCross:
		return ""
	}
	for _, n := range []*graph.Node{from, to} {
		if n.Annotations[kiloPrefix+"wireguard-ip"] == "" {
			return fmt.Sprintf("%s is not the node that leads its location%s, and with the mesh granularity %s what "+
				"it exchanges with other locations goes through that one, unencrypted up to there", n.Name,
				called(kiloPlace(n)), granularity)
		}
	}
	return ""
}

// called adds the name of a location, if it has one.
func called(place string) string {
	if place == "" {
		return ""
	}
	return fmt.Sprintf(" (%s)", place)
}

// kiloEndpoint is where a node says that its tunnel ends. With the granularity
// location only that of the node which leads one is in use.
func kiloEndpoint(n *graph.Node, family int) netip.AddrPort {
	if kiloGranularity(n) == kiloLocation && n.Annotations[kiloPrefix+"wireguard-ip"] == "" {
		return netip.AddrPort{}
	}
	text := cmp.Or(n.Annotations[kiloPrefix+"force-endpoint"], n.Annotations[kiloPrefix+"endpoint"])
	endpoint, err := netip.ParseAddrPort(text)
	if err != nil || endpoint.Addr().Is4() != (family == 4) { // or it is a name
		return netip.AddrPort{}
	}
	return endpoint
}
