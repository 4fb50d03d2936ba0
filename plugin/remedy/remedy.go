// Package remedy holds what fixes a failure, as data: by the check's code, the
// variant of the failure and the cluster's distribution. It fills in names and
// runs nothing.
package remedy

import (
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// Where a step is to be run, if not on a node by its name.
const (
	Operator   = "operator"    // where kubectl works
	EachServer = "each server" // every control-plane node, one after the other
	EachNode   = "each node"   // every node, servers first
)

// What runs the network plugin, and so how it is restarted and configured.
const (
	K3s     = "k3s"     // Flannel inside of K3s
	RKE2    = "rke2"    // Canal, as RKE2's chart installs it
	Flannel = "flannel" // Flannel by its own manifest
)

// Step is one command, ready to paste.
type Step struct {
	On      string `json:"on"` // a node's name, Operator, EachServer or EachNode
	Command string `json:"command"`
	Note    string `json:"note,omitempty"`
}

// noting returns the step with a note.
func (s Step) noting(note string) Step {
	s.Note = note
	return s
}

// Hint is what fixes one failure, the steps in order.
type Hint struct {
	Title string `json:"title"`
	// Disruption announces what the steps interrupt, empty if nothing.
	Disruption string `json:"disruption,omitempty"`
	Steps      []Step `json:"steps,omitempty"`
	// Note describes what no command can do.
	Note string `json:"note,omitempty"`
}

// row is one line of the table. Empty Variant or Distribution fit all.
type row struct {
	code, variant, distribution string
	hint                        Hint
}

// Entry is one remedy of a code, with what it is for; its {names} are not
// filled in.
type Entry struct {
	Variant, Distribution string // empty fit all
	Hint                  Hint
}

// Of returns all remedies of a code, in the order of the table.
func Of(code string) []Entry {
	var entries []Entry
	for _, r := range table {
		if r.code == code {
			entries = append(entries, Entry{r.variant, r.distribution, r.hint})
		}
	}
	return entries
}

// ForAll returns the hint for findings that share one cause: the first one's,
// with the steps for all of them, none twice.
func ForAll(findings []verdict.Finding, distribution string) (Hint, bool) {
	var all Hint
	found := false
	for _, f := range findings {
		hint, ok := For(f, distribution)
		if !ok {
			continue
		}
		if !found {
			all, found = hint, true
			continue
		}
		for _, step := range hint.Steps {
			if !slices.Contains(all.Steps, step) {
				all.Steps = append(all.Steps, step)
			}
		}
	}
	return all, found
}

// For returns the hint that fits a finding best: the row of its code with its
// variant and distribution, then with either, then the general one. A row is
// unusable if it names a fact that the finding does not have.
func For(f verdict.Finding, distribution string) (Hint, bool) {
	best, rank := Hint{}, -1
	for _, r := range table {
		if r.code != f.Code || r.variant != "" && r.variant != f.Variant || r.distribution != "" &&
			r.distribution != distribution {
			continue
		}
		specific := 0
		if r.variant != "" {
			specific += 2
		}
		if r.distribution != "" {
			specific++
		}
		if specific <= rank {
			continue
		}
		if filled, ok := fill(r.hint, f.Facts); ok {
			best, rank = filled, specific
		}
	}
	return best, rank >= 0
}

// fill puts facts in the place of {names}. Facts come from nodes, so only those
// that are safe in a shell are accepted. {module} is how the system named by
// the fact "system" comes to have the kernel module; that fact is only looked up.
func fill(h Hint, facts map[string]string) (Hint, bool) {
	pairs := []string{"{module}", moduleOf(facts["system"])}
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		if safe(facts[name]) {
			pairs = append(pairs, "{"+name+"}", facts[name])
		}
	}
	replacer, complete := strings.NewReplacer(pairs...), true
	text := func(s string) string {
		s = replacer.Replace(s)
		complete = complete && !placeholder(s)
		return s
	}
	filled := Hint{Title: text(h.Title), Disruption: text(h.Disruption), Note: text(h.Note)}
	for _, step := range h.Steps {
		filled.Steps = append(filled.Steps, Step{On: text(step.On), Command: text(step.Command), Note: text(step.Note)})
	}
	return filled, complete
}

// placeholder reports whether a {name} of lower-case letters is left.
func placeholder(s string) bool {
	for {
		_, after, found := strings.Cut(s, "{")
		if !found {
			return false
		}
		name, _, found := strings.Cut(after, "}")
		if found && name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") == "" {
			return true
		}
		s = after
	}
}

// safe accepts what names of nodes, links, tables, addresses and ports consist
// of: nothing in it means anything to a shell.
func safe(fact string) bool {
	return fact != "" && len(fact) < 254 && strings.Trim(fact,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/-") == "" && fact[0] != '-'
}
