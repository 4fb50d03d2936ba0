//go:build linux

package host

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// paths are the entries of routing tables and the rules that were read before a
// watch began, and what changed since. The zero value watches nothing.
type paths struct {
	bears   *bearing
	known   map[string]bool // as they are described
	entries []evidence.Route
	rules   []evidence.Rule
	changes map[string]string // the first one, by what an Inventory is about
	objects map[uint32]string // nexthop objects that entries lead to by their number alone, as they were read
}

// Paths takes what was read of routing tables and rules before the watch began.
// From now on a rule or an entry that comes or goes and bears on packets to the
// pods of other nodes, or on those of an overlay that carry them, is a change: what was read no longer holds for
// packets that were sent meanwhile. An entry that is written again as it was is not one. own is the index of this node.
func (w *Watch) Paths(
	links []evidence.Link, request evidence.ReadRequest, own int, entries []evidence.Route, rules []evidence.Rule,
) {
	w.paths = paths{bears: newBearing(links, request, own), known: map[string]bool{}, changes: map[string]string{},
		entries: entries, rules: rules}
	for _, e := range entries {
		w.paths.known[describeEntry(&e)] = true
	}
	for _, r := range rules {
		w.paths.known[describeRule(&r)] = true
	}
	w.paths.objects = objectsOf(w.paths.bears)
}

// objectsOf are the nexthop objects behind entries that bear on packets to the pods
// of other nodes and name only a number, members of their groups included. What such
// an entry leads to changes without a notification about the entry. One that cannot
// be read is in no reading of the tables either.
func objectsOf(bears *bearing) map[uint32]string {
	conn, err := kernel.Open(unix.NETLINK_ROUTE)
	if err != nil {
		return nil
	}
	defer conn.Close()
	all, members := map[uint32]string{}, map[uint32][]uint32{}
	err = conn.Dump(rtmGetNexthop, make([]byte, sizeofNexthopHeader), func(message []byte) {
		id, text, group := describeObject(message)
		all[id] = text
		members[id] = group
	})
	if err != nil || len(all) == 0 {
		return nil
	}
	used := map[uint32]string{}
	for _, family := range families {
		request := make([]byte, sizeofRouteHeader)
		request[0] = family.kernel
		_ = conn.Dump(unix.RTM_GETROUTE, request, func(message []byte) {
			entry, ok := parseEntry(message)
			if !ok || entry.nexthop == 0 || !bears.others.overlap(entry.destination) {
				return
			}
			for _, id := range append(members[entry.nexthop], entry.nexthop) {
				used[id] = all[id]
			}
		})
	}
	return used
}

// describeObject renders a nexthop object, whose hop or members decide where it leads.
func describeObject(message []byte) (id uint32, text string, members []uint32) {
	id, hop, members := parseNexthop(message)
	if len(members) > 0 {
		return id, fmt.Sprintf("group %v", members), members
	}
	return id, strings.TrimSpace(fmt.Sprintf("via %s link %d %s", hop.gateway, hop.link, hop.encap)), nil
}

// object takes a notification about a nexthop object.
func (p paths) object(message []byte, removed bool) {
	id, text, _ := describeObject(message)
	was, used := p.objects[id]
	switch {
	case !used || !removed && text == was:
	case removed:
		p.noteText(evidence.InventoryRoutes, fmt.Sprintf("the nexthop object %d was removed", id))
	default:
		p.noteText(evidence.InventoryRoutes, fmt.Sprintf("the nexthop object %d was changed", id))
	}
}

// Changed compares what is read once more at the end: what changed before the
// watch began, and stayed so.
func (w *Watch) Changed(entries []evidence.Route, rules []evidence.Rule) {
	p := w.paths
	if p.bears == nil {
		return
	}
	still := map[string]bool{}
	for _, e := range entries {
		still[describeEntry(&e)] = true
	}
	for _, r := range rules {
		still[describeRule(&r)] = true
	}
	for _, e := range p.entries {
		if text := describeEntry(&e); !still[text] &&
			(p.bears.others.overlap(e.Destination) || p.bears.toEnds(e.Destination)) {
			p.note(evidence.InventoryRoutes, text, "is gone")
		}
	}
	for _, r := range p.rules {
		if text := describeRule(&r); !still[text] && p.ofPods(&r) {
			p.note(evidence.InventoryRules, text, "is gone")
		}
	}
	for _, e := range entries {
		if p.bears.toOthers(&e) && !p.known[describeEntry(&e)] {
			p.note(evidence.InventoryRoutes, describeEntry(&e), "is new")
		}
	}
	for _, r := range rules {
		if p.ofPods(&r) && !p.known[describeRule(&r)] {
			p.note(evidence.InventoryRules, describeRule(&r), "is new")
		}
	}
}

// Inventories name the first change of routes, of filters and of rules; none if
// there was none.
func (w *Watch) Inventories() (list []evidence.Inventory) {
	for _, what := range []string{evidence.InventoryRoutes, evidence.InventoryTC} {
		if text := w.paths.changes[what]; text != "" {
			list = append(list, evidence.Inventory{What: what, Text: text})
		}
	}
	if text := w.paths.changes[evidence.InventoryRules]; text != "" {
		for _, family := range families {
			list = append(list, evidence.Inventory{What: evidence.InventoryRules, Family: family.number, Text: text})
		}
	}
	return list
}

// note keeps the first change of a kind.
func (p paths) note(what, description, change string) {
	name := strings.TrimSuffix(what, "s")
	p.noteText(what, fmt.Sprintf("the %s %s %s", name, description, change))
}

func (p paths) noteText(what, text string) {
	if p.bears != nil && p.changes[what] == "" {
		p.changes[what] = text + " while packets were watched"
	}
}

// ofPods reports whether a rule can apply to what a pod of this node sends to one
// of another, or to what an overlay sends for it.
func (p paths) ofPods(r *evidence.Rule) bool {
	if r.Not {
		return true
	}
	switch {
	case !r.To.IsValid() || p.bears.others.overlap(r.To):
	case p.bears.toEnds(r.To):
		return true
	default:
		return false
	}
	return !r.From.IsValid() || slices.ContainsFunc(p.bears.pods, r.From.Overlaps)
}

// entry takes a notification about an entry of a routing table.
func (p paths) entry(entry fibEntry, removed bool, links *state) {
	if p.bears == nil {
		return
	}
	for _, e := range entry.messages(links.name) {
		text := describeEntry(&e)
		switch {
		case removed &&
			(p.bears.others.overlap(e.Destination) || e.Table != unix.RT_TABLE_LOCAL && p.bears.toEnds(e.Destination)):
			p.note(evidence.InventoryRoutes, text, "was removed")
		case !removed && p.bears.toOthers(&e) && !p.known[text]:
			p.note(evidence.InventoryRoutes, text, "was added")
		}
	}
}

// rule takes a notification about a rule.
func (p paths) rule(message []byte, removed bool) {
	if p.bears == nil || len(message) == 0 {
		return
	}
	at := slices.IndexFunc(families, func(f addressFamily) bool { return f.kernel == message[0] })
	if at < 0 {
		return
	}
	r := parseRule(message, families[at].number)
	if !p.ofPods(&r) {
		return
	}
	change := "was added"
	if removed {
		change = "was removed"
	}
	p.note(evidence.InventoryRules, describeRule(&r), change)
}

// describeEntry renders what distinguishes two entries, or two hops of one, as
// `ip route` does.
func describeEntry(e *evidence.Route) string {
	words := []string{e.Type, e.Destination.String()}
	add := func(set bool, format string, value any) {
		if set {
			words = append(words, fmt.Sprintf(format, value))
		}
	}
	add(e.From.IsValid() && e.From.Bits() > 0, "from %s", e.From)
	add(e.TOS != 0, "tos %#x", e.TOS)
	add(e.Encap != "", "encap %s", e.Encap)
	add(e.Gateway.IsValid(), "via %s", e.Gateway)
	add(e.Link != "", "dev %s", e.Link)
	add(e.Table != unix.RT_TABLE_MAIN, "table %d", e.Table)
	add(e.Metric != 0, "metric %d", e.Metric)
	return strings.TrimPrefix(strings.Join(words, " "), "unicast ")
}

// describeRule does the same for a rule; its conditions as JSON has them.
func describeRule(r *evidence.Rule) string {
	conditions := *r
	conditions.Family = 0
	conditions.Priority = 0
	conditions.Table = 0
	conditions.Action = ""
	line, _ := json.Marshal(conditions) // a Rule has nothing that JSON cannot render
	text := strings.TrimPrefix(strings.Trim(string(line), "{}"), `"family":0,"priority":0`)
	text = fmt.Sprintf("%d of IPv%d %s %s %d", r.Priority, r.Family, strings.TrimLeft(text, ","), r.Action, r.Table)
	return strings.Join(strings.Fields(text), " ")
}
