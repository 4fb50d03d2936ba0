package compare

import (
	"fmt"
	"slices"
	"strings"
)

// notes are what limits the comparison, or explains it.
func notes(before, after *side) (all []string) {
	note := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if before.Run.ID == after.Run.ID {
		note("both are of the same run, %s", after.Run.ID)
	}
	if before.Run.Started > after.Run.Started && after.Run.Started != "" {
		note("the first run is later than the second: %s, %s", before.Run.Started, after.Run.Started)
	}
	if one, other := before.Cluster.Server, after.Cluster.Server; one != "" && other != "" && one != other {
		note("the runs were made against different API servers: %s, %s", one, other)
	}
	if before.Profile.Title != after.Profile.Title {
		note("the network is another: %s, now %s", before.Profile.Title, after.Profile.Title)
	}
	if gone := missing(before.Run.Nodes, after.nodes); len(gone) > 0 {
		note("not tested any more: %s", list(gone))
	}
	if added := missing(after.Run.Nodes, before.nodes); len(added) > 0 {
		note("not tested before: %s", list(added))
	}
	if !slices.Equal(before.Run.Families, after.Run.Families) {
		note("the address families are others: %s, now %s", families(before), families(after))
	}
	if some := newCodes(before, after); len(some) > 0 {
		note("not judged before: %s", list(some))
	}
	if some := newCodes(after, before); len(some) > 0 {
		note("not judged any more: %s", list(some))
	}
	return all
}

func missing(names []string, from map[string]bool) (some []string) {
	for _, name := range names {
		if !from[name] {
			some = append(some, name)
		}
	}
	return some
}

// newCodes are those that the second has and the first has not.
func newCodes(first, second *side) (some []string) {
	for _, c := range second.Totals.Checks {
		if first.checks[c.Code] == nil {
			some = append(some, c.Code)
		}
	}
	return some
}

func families(s *side) string {
	var names []string
	for _, family := range s.Run.Families {
		names = append(names, fmt.Sprintf("IPv%d", family))
	}
	return strings.Join(names, ", ")
}

// maxNamed bounds the names in one line.
const maxNamed = 8

func list(names []string) string {
	if len(names) <= maxNamed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), len(names)-maxNamed)
}
