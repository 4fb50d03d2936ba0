package verdict

import (
	"maps"
	"slices"
)

// MarkedLinks returns the names of all links on which marked packets that bear
// on the node were seen, controls included, sorted.
func (n *Node) MarkedLinks() []string {
	links := map[string]bool{}
	for at := range n.columns {
		links[at.link] = true
	}
	return slices.Sorted(maps.Keys(links))
}

// SeenOn returns what was seen on a link of a node of the marked packets that it
// sent to another, or if received is set of those that came from there.
func (c *Case) SeenOn(link string, n, other *Node, received bool, family int) Sightings {
	return c.seenIn(at32(n.columns[column{link, received, family}], other.at))
}

// MarkedOn counts the marked packets of all pairs, families and directions that
// were seen on a link of a node.
func (c *Case) MarkedOn(n *Node, link string) (sum uint64) {
	for at, column := range n.columns {
		if at.link != link {
			continue
		}
		for _, number := range column {
			s := c.seenIn(number)
			sum += uint64(s.Total()) + uint64(s.First)
		}
	}
	return sum
}

func (c *Case) seenIn(number uint32) Sightings { return (&Focus{Case: c}).sightings(number) }
