//go:build linux

package host

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Paths says what was read of routing tables and rules before the watch began.
// From now on a rule or an entry that comes or goes and bears on packets to the
// pods of other nodes is a change: what was read no longer holds for packets that
// were sent meanwhile. That an entry is written again as it was is none. own is
// the index of this node.
func (w *Watch) Paths(links []evidence.Link, request evidence.ReadRequest, own int, entries []evidence.Route, rules []evidence.Rule) {
	w.bears = newBearing(links, request, own)
	w.paths = map[string]bool{}
	for _, e := range entries {
		w.paths[entryKey(&e)] = true
	}
	for _, r := range rules {
		w.paths[ruleKey(&r)] = true
	}
}

// Changed compares what is read once more at the end: what changed before the
// watch began, and stayed.
func (w *Watch) Changed(entries []evidence.Route, rules []evidence.Rule) {
	if w.bears == nil {
		return
	}
	for _, e := range entries {
		if w.ofOthers(e) && !w.paths[entryKey(&e)] {
			w.routeChanged("is new", &e)
		}
	}
	for _, r := range rules {
		if w.ofPods(&r) && !w.paths[ruleKey(&r)] {
			w.ruleChanged("is new", &r)
		}
	}
}

// Inventories say which changes of routes and rules there were; none if there
// were none.
func (w *Watch) Inventories() (list []evidence.Inventory) {
	for _, change := range []struct{ what, text string }{
		{evidence.InventoryRoutes, w.route1}, {evidence.InventoryRules, w.rule1},
	} {
		if change.text == "" {
			continue
		}
		for _, family := range families {
			inventory := evidence.Inventory{What: change.what, Family: family.number, Text: change.text}
			if change.what == evidence.InventoryRoutes {
				inventory.Family = 0
			}
			list = append(list, inventory)
		}
	}
	return list
}

// ofOthers reports whether an entry bears on packets to pods of other nodes.
func (w *Watch) ofOthers(e evidence.Route) bool { return w.bears.others.overlap(e.Destination) }

// ofPods reports whether a rule can apply to what a pod of this node sends to one
// of another.
func (w *Watch) ofPods(r *evidence.Rule) bool {
	if r.Not {
		return true
	}
	if r.To.IsValid() && !w.bears.others.overlap(r.To) {
		return false
	}
	return !r.From.IsValid() || slices.ContainsFunc(w.bears.pods, r.From.Overlaps)
}

// entry takes a notification about an entry of a routing table.
func (w *Watch) entry(entry fibEntry, removed bool) {
	if w.bears == nil || !w.bears.others.overlap(entry.destination) {
		return
	}
	names := map[int]string{}
	for index, link := range w.links {
		names[index] = link.name
	}
	for _, e := range entry.messages(names) {
		switch {
		case removed:
			w.routeChanged("was removed", &e)
		case !w.paths[entryKey(&e)]:
			w.routeChanged("was added", &e)
		}
	}
}

func (w *Watch) rule(message []byte, removed bool) {
	if w.bears == nil || len(message) == 0 {
		return
	}
	family := 4
	if message[0] == unix.AF_INET6 {
		family = 6
	} else if message[0] != unix.AF_INET {
		return
	}
	r := parseRule(message, family)
	if !w.ofPods(&r) {
		return
	}
	word := "was added"
	if removed {
		word = "was removed"
	}
	w.ruleChanged(word, &r)
}

// The first change is named.
func (w *Watch) routeChanged(word string, e *evidence.Route) {
	if w.route1 == "" {
		w.route1 = fmt.Sprintf("the route %s %s while packets were watched", entryKey(e), word)
	}
}

func (w *Watch) ruleChanged(word string, r *evidence.Rule) {
	if w.rule1 == "" {
		w.rule1 = fmt.Sprintf("the rule %s %s while packets were watched", ruleKey(r), word)
	}
}

// entryKey renders what makes two entries, or two hops of one, the same.
func entryKey(e *evidence.Route) string {
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

// ruleKey is the same of a rule; its conditions as JSON has them.
func ruleKey(r *evidence.Rule) string {
	conditions := *r
	conditions.Family, conditions.Priority, conditions.Table, conditions.Action = 0, 0, 0, ""
	text := ""
	if line, err := json.Marshal(conditions); err == nil {
		text = strings.Trim(string(line), "{}")
	}
	text = strings.TrimLeft(strings.TrimPrefix(text, `"family":0,"priority":0`), ",")
	return strings.Join(strings.Fields(fmt.Sprintf("%d of IPv%d %s %s %d", r.Priority, r.Family, text, r.Action, r.Table)), " ")
}
