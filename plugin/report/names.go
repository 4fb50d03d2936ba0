package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// names words subjects: one by its name, several by what they have in common. A
// direction is an ordered pair of nodes in one family.
type names struct {
	families []int
	nodes    int
	each     int // how many directions of each node are tested, all families and both ways
	pairs    int // all directions that are tested
}

func newNames(j *check.Judgement) names {
	families := j.Graph.Run.Families
	return names{families, len(j.Graph.Nodes), 2 * j.Graph.Pairs.Each() * len(families), j.Totals.Pairs}
}

// few is how many nodes or pairs are named before they are counted.
const few = 3

// of words subjects of which there are count in all, more than are given if the
// list is bounded. It is empty for the cluster.
func (n names) of(subjects []verdict.Subject, count int) string {
	switch {
	case len(subjects) == 0 || subjects[0].Node == "":
		return ""
	case subjects[0].Peer == "":
		return n.ofNodes(subjects)
	case count > len(subjects):
		return n.counted(count)
	}
	return n.ofPairs(subjects)
}

func (n names) ofNodes(subjects []verdict.Subject) string {
	var all []string
	for _, s := range subjects {
		if !slices.Contains(all, s.Node) {
			all = append(all, s.Node)
		}
	}
	suffix := n.family(subjects)
	if len(all) > few {
		return fmt.Sprintf("%d nodes%s", len(all), suffix)
	}
	return strings.Join(all, ", ") + suffix
}

// ofPairs words directions, all of which are given.
func (n names) ofPairs(subjects []verdict.Subject) string {
	if len(subjects) == n.pairs && n.nodes > 2 {
		return "all nodes"
	}
	type ends struct{ from, to string }
	var order []ends
	for _, s := range subjects {
		if end := (ends{s.Node, s.Peer}); !slices.Contains(order, end) {
			order = append(order, end)
		}
	}
	var all []string
	for _, end := range order {
		back := slices.Index(order, ends{end.to, end.from})
		switch at := slices.Index(order, end); {
		case back < 0:
			all = append(all, end.from+" → "+end.to)
		case at < back:
			all = append(all, end.from+" ⇄ "+end.to)
		}
	}
	if node := n.shared(subjects); node != "" && len(all) > 1 {
		return node
	}
	if len(all) > few {
		return n.counted(len(subjects))
	}
	return strings.Join(all, ", ") + n.family(subjects)
}

// shared words directions by the node that all of them have in common, "" if they
// have none.
func (n names) shared(subjects []verdict.Subject) string {
	for _, node := range []string{subjects[0].Node, subjects[0].Peer} {
		from, to := 0, 0
		for _, s := range subjects {
			switch node {
			case s.Node:
				from++
			case s.Peer:
				to++
			}
		}
		switch {
		case from+to < len(subjects):
			continue
		case from+to == n.each:
			return fmt.Sprintf("%s: all %d directions", node, n.each)
		case to == 0 && 2*from == n.each:
			return fmt.Sprintf("%s: all that it sends", node)
		case from == 0 && 2*to == n.each:
			return fmt.Sprintf("%s: all that it receives", node)
		}
		return fmt.Sprintf("%s: %d of %d directions", node, from+to, n.each)
	}
	return ""
}

func (n names) counted(count int) string {
	return fmt.Sprintf("%s of %s directions", grouped(count), grouped(n.pairs))
}

// family names the family of subjects that have one in common, where a run has
// several.
func (n names) family(subjects []verdict.Subject) string {
	family := subjects[0].Family
	for _, s := range subjects {
		if s.Family != family {
			return ""
		}
	}
	if family == 0 || len(n.families) < 2 {
		if family == 6 {
			return " over IPv6"
		}
		return ""
	}
	return fmt.Sprintf(" over IPv%d", family)
}

// one names a single subject.
func (n names) one(s verdict.Subject) string { return s.Named(n.families) }

// ofFindings words the subjects of findings.
func (n names) ofFindings(findings []verdict.Finding, count int) string {
	subjects := make([]verdict.Subject, len(findings))
	for i := range findings {
		subjects[i] = findings[i].Subject
	}
	return n.of(subjects, count)
}
