package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// Bounds of a policy, beyond which nobody could review it. maxLabels keeps what a
// recording says of a node within one message.
const (
	maxWaivers = 500
	maxSets    = 100
	maxNames   = 5000
	maxLabels  = 8
	maxText    = 500 // of a name, a reason or an owner, in bytes
)

// reader collects what is wrong with a policy while its values are read.
type reader struct {
	tree     *yaml.Node
	problems []string
}

// wrong notes a problem with the field at a path.
func (r *reader) wrong(path []any, format string, args ...any) {
	var name strings.Builder
	for _, step := range path {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&name, "[%d]", step)
		case string:
			if name.Len() > 0 {
				name.WriteByte('.')
			}
			name.WriteString(step)
		}
	}
	text := fmt.Sprintf(format, args...)
	r.problems = append(r.problems, fmt.Sprintf("line %d: %s: %s", lineOf(r.tree, path...), name.String(), text))
}

// complete reads the values that have a form of their own. It returns what is
// wrong, nil if nothing is.
func (p *Policy) complete(tree *yaml.Node) []string {
	r := &reader{tree: tree}
	if p.APIVersion != APIVersion {
		r.wrong(at("apiVersion"), "it is %q, this version reads %s", p.APIVersion, APIVersion)
	}
	if p.Kind != Kind {
		r.wrong(at("kind"), "it is %q, not %s", p.Kind, Kind)
	}
	r.text(at("name"), p.Name)
	r.require(&p.Require)
	for i, code := range p.Warnings.Fail {
		if code != "all" || len(p.Warnings.Fail) > 1 {
			r.code(at("warnings", "fail", i), code)
		}
	}
	if len(p.Waivers) > maxWaivers {
		r.wrong(at("waivers"), "it has %d, at most %d are read", len(p.Waivers), maxWaivers)
		return r.problems
	}
	for i := range p.Waivers {
		p.granted = append(p.granted, r.waiver(at("waivers", i), &p.Waivers[i]))
	}
	return r.problems
}

func at(path ...any) []any { return path }

// below is the path of a field of what is at a path.
func below(path []any, field any) []any { return append(slices.Clone(path), field) }

// text requires that there is a text, and that it is one that can be shown.
func (r *reader) text(path []any, text string) {
	switch {
	case strings.TrimSpace(text) == "":
		r.wrong(path, "it is missing or empty")
	case len(text) > maxText:
		r.wrong(path, "it has %d bytes, at most %d are valid", len(text), maxText)
	}
}

func (r *reader) code(path []any, code string) {
	if _, known := check.Find(code); !known {
		r.wrong(path, "there is no check %q; kubectl wg explain lists all codes", code)
	}
}

func (r *reader) require(q *Require) {
	for i, family := range q.Families {
		if family != 4 && family != 6 || slices.Index(q.Families, family) != i {
			r.wrong(at("require", families, i), "valid are 4 and 6, each once")
		}
	}
	var err error
	if path := at("require", minimumKernel); q.MinimumKernel != "" {
		if q.kernel, err = parseRelease(q.MinimumKernel); err != nil {
			r.wrong(path, "%s", err)
		} else if scalar := child(child(r.tree, "require"), minimumKernel); scalar.Tag != "!!str" {
			r.wrong(path, "put the version in quotes: \"%s\"", q.MinimumKernel)
		}
	}
	if path := at("require", maximumHandshakeAge); q.MaximumHandshakeAge != "" {
		if q.age, err = time.ParseDuration(q.MaximumHandshakeAge); err != nil || q.age <= 0 {
			r.wrong(path, "%q is not a valid duration, e.g. 3m or 180s", q.MaximumHandshakeAge)
		}
	}
	if len(q.Nodes) > maxSets {
		r.wrong(at("require", nodes), "it has %d sets, at most %d are read", len(q.Nodes), maxSets)
		return
	}
	for i := range q.Nodes {
		r.set(at("require", nodes, i), &q.Nodes[i])
	}
	if names := labelsOf(q.Nodes); len(names) > maxLabels {
		r.wrong(at("require", nodes), "it selects by %d labels, at most %d are read", len(names), maxLabels)
	}
}

func (r *reader) set(path []any, s *NodeSet) {
	r.text(below(path, "name"), s.Name)
	ways := 0
	for _, used := range []bool{s.All, len(s.Names) > 0, s.Selector != ""} {
		if used {
			ways++
		}
	}
	if ways != 1 {
		r.wrong(path, "it needs one of all: true, names and selector")
	}
	if len(s.Names) > maxNames {
		r.wrong(below(path, "names"), "it has %d, at most %d are read", len(s.Names), maxNames)
	}
	if s.Pairs != "" && s.Pairs != "all" && s.Pairs != "tested" {
		r.wrong(below(path, "pairs"), "%q is not valid, one of: all, tested", s.Pairs)
	}
	if s.Selector != "" {
		var err error
		if s.selector, err = labels.Parse(s.Selector); err != nil {
			r.wrong(below(path, "selector"), "%s", err)
		}
	}
}

func (r *reader) waiver(path []any, w *Waiver) verdict.Waiver {
	switch {
	case (w.Code == "") == (w.Requirement == ""):
		r.wrong(path, "it needs a code or a requirement, and not both")
	case w.Code != "":
		r.code(below(path, "code"), w.Code)
	case !slices.Contains(waivable, w.Requirement):
		r.wrong(below(path, "requirement"), "%q is not valid, one of: %s", w.Requirement, strings.Join(waivable, ", "))
	}
	if w.Peer != "" && w.Node == "" {
		r.wrong(below(path, "peer"), "it needs a node too: what node sends to peer")
	}
	r.text(below(path, "reason"), w.Reason)
	r.text(below(path, "owner"), w.Owner)
	expires, err := parseExpiry(w.Expires)
	if err != nil {
		r.wrong(below(path, "expires"), "%s", err)
	}
	return verdict.Waiver{
		Code: w.Code, Requirement: w.Requirement, Node: w.Node, Peer: w.Peer,
		Reason: w.Reason, Owner: w.Owner, Expires: expires,
	}
}

// parseExpiry returns when a waiver ends: with the day that is named, or at a time.
func parseExpiry(text string) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	moment, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a valid day, e.g. 2027-01-31", text)
	}
	return moment.UTC(), nil
}

// labelsOf returns the names of the labels that sets select by, each once, in order.
func labelsOf(sets []NodeSet) []string {
	names := map[string]bool{}
	for i := range sets {
		if sets[i].selector == nil {
			continue
		}
		requirements, _ := sets[i].selector.Requirements()
		for _, requirement := range requirements {
			names[requirement.Key()] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
