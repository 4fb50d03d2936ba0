package scenario

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Pairs are n pairs of rows of the group "sabotaged" that are applied at once: the report has to name the causes of
// both. The seed chooses them.
func Pairs(n int, seed uint64) ([]Scenario, error) {
	all := allPairs()
	if n < 0 || n > len(all) {
		return nil, fmt.Errorf("%d pairs: there are %d", n, len(all))
	}
	random := rand.New(rand.NewPCG(seed, 0))
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:n], nil
}

func allPairs() []Scenario {
	var pairs []Scenario
	rows := sabotages()
	for i, a := range rows {
		for _, b := range rows[i+1:] {
			if apart(a, b) == "" && apart(b, a) == "" {
				pairs = append(pairs, paired(a, b))
			}
		}
	}
	return pairs
}

// sabotages are the rows that pairs are made of: those of two nodes that break something by what is done to the
// cluster.
func sabotages() []Scenario {
	var rows []Scenario
	for _, group := range Groups {
		if group.Name == "sabotaged" {
			rows = slices.Clone(group.Scenarios)
		}
	}
	return slices.DeleteFunc(rows, func(s Scenario) bool {
		return s.Cluster != wireguard || s.Want.Verdict != "FAIL" || s.Args != nil || s.Disturb != nil
	})
}

// paired applies what restarts flannel first, which would otherwise take back the other.
func paired(a, b Scenario) Scenario {
	if alters(b) {
		a, b = b, a
	}
	return Scenario{
		Name: a.Name + "+" + b.Name, Title: a.Title + "; and " + b.Title, Cluster: a.Cluster,
		Sabotage: inTurn(a.Sabotage, b.Sabotage), Restore: inTurn(b.Restore, a.Restore),
		Want: fail(""), Causes: []string{a.Want.FirstCause, b.Want.FirstCause},
		Unmendable: "each row's own run repairs it",
	}
}

// tunnelCodes are the causes that lie in a tunnel's device, its keys and its peers.
var tunnelCodes = []string{
	codeDevice, codeRead, codePublished, codePeers, codeUnique, codeRanges, codeEndpoint, codeEndpoints,
}

// alters reports whether a sabotage changes the device or its peers, or what flannel makes them of.
func alters(s Scenario) bool {
	return slices.Contains(tunnelCodes, s.Want.FirstCause) || s.Name == "psk-one-side"
}

// exclusion is why two rows are no pair: with the first in place the second is not there, or leaves no trace.
type exclusion struct {
	first, second func(Scenario) bool
	why           string
}

var exclusions = []exclusion{
	{alters, alters, "both change the device or its peers, and one takes back the other"},
	{causes(codeDevice), called("route-missing"), "the device's routes are gone with it"},
	{
		causes(codeDevice, codeRead), causes(codeBlocked),
		"without a device that answers, what a filter drops is not missed",
	},
	{
		causes(codeUnique), causes(codeBlocked),
		"nodes with one key are not peers of each other, and send nothing that a filter could drop",
	},
	{
		causes(codeEndpoint), inNetwork,
		"nothing is sent to where the network would drop it",
	},
	{
		called("missing-peer"), called("network-one-way"),
		"the node without the peer sends nothing, and it is its direction that the network drops",
	},
	{
		causes(append([]string{codeBlocked}, tunnelCodes...)...), causes(codePods, codeSize, codeFits),
		"nothing leaves the tunnel that a node could refuse to forward, or that could be too large",
	},
	{
		causes(codeRoute), causes(codePods),
		"nothing of the pods enters the tunnel, so nothing leaves it that a node could refuse to forward",
	},
	{
		causes(codeRoute, codePods), causes(codeSize, codeFits),
		"where nothing passes the tunnel, a small MTU is a warning",
	},
}

// apart returns why b is not a second fault together with a, empty if it is.
func apart(a, b Scenario) string {
	if a.Want.FirstCause == b.Want.FirstCause {
		return "both have one cause"
	}
	for _, e := range exclusions {
		if e.first(a) && e.second(b) {
			return e.why
		}
	}
	return ""
}

func causes(codes ...string) func(Scenario) bool {
	return func(s Scenario) bool { return slices.Contains(codes, s.Want.FirstCause) }
}

// inNetwork reports whether a sabotage is one of the network between the nodes, which no node can be asked about.
func inNetwork(s Scenario) bool { return s.Unmendable == inTheNetwork }

func called(name string) func(Scenario) bool {
	return func(s Scenario) bool { return s.Name == name }
}
