package verdict

import (
	"cmp"
	"maps"
	"slices"
)

// Cause is one thing that is wrong and that nothing else explains: the findings
// of one check and variant, and how many others follow from them.
type Cause struct {
	Finding // of the first subject; its kind is plaintext if something leaked
	// Alike are further findings of the same check, status and variant that
	// nothing explains: a bounded number. Count is how many there are with the first.
	Alike []Finding
	Count int
	// Consequences count what this explains, by check, in the order of the table.
	Consequences []Consequence
	// Leaks are the subjects of which a packet was seen in clear: by this cause, or
	// because of it. A bounded number, LeakCount is how many there are.
	Leaks     []Subject
	LeakCount int
	// Leak is the first of them where this is not itself a leak.
	Leak *Finding
}

// Consequence counts the findings of one check and status that a cause explains.
type Consequence struct {
	Code   string `json:"code"`
	Status Status `json:"status"`
	Count  int    `json:"count"`
}

// Origin names the finding that explains another.
type Origin struct {
	Code string `json:"code"`
	Subject
}

// All returns the cause's findings, the first one first.
func (c *Cause) All() []Finding { return append([]Finding{c.Finding}, c.Alike...) }

// Explained counts all consequences.
func (c *Cause) Explained() int {
	sum := 0
	for _, one := range c.Consequences {
		sum += one.Count
	}
	return sum
}

// Bounds of what a result holds of its causes.
const (
	maxCauses = 50
	maxAlike  = 200 // findings of one cause
)

// group collects a cause while the findings are looked through.
type group struct {
	*judged
	status   Status
	variant  string
	kind     Kind // of what first found
	first    subject
	alike    []subject
	count    int
	explains map[consequence]int

	leaks     []found
	leakCount int
	leakedAt  int // place among the leaks in the order of the table, from 1; 0 if none
}

// groupKey names a cause: a check, by its place in the table, status and variant.
type groupKey struct {
	place   int
	status  Status
	variant string
}

// consequence is what is counted under a cause: a check, by its place, and status.
type consequence struct {
	place  int
	status Status
}

// explain finds which findings explain which, and groups those that nothing
// explains into causes. All was judged before.
func (j *judging) explain() {
	groups := map[groupKey]*group{}
	leaks := 0
	for i := range j.checks {
		k := &j.checks[i]
		if k.worst < Inconclusive {
			continue
		}
		for _, on := range j.subjects(k) {
			status := j.status(k, on)
			if status < Inconclusive {
				continue
			}
			root := j.root(found{k, on})
			group := j.groupOf(groups, root)
			if root.judged == k && root.on == on {
				group.add(on)
				k.unexplained[status]++
			} else {
				group.explains[consequence{i, status}]++
			}
			if status == Fail && k.leaks() {
				leaks++
				group.leak(found{k, on}, root.on, leaks)
			}
		}
	}
	for _, g := range groups {
		found := j.judge(g.judged, g.first)
		g.kind = g.kindOf(&found)
	}
	j.groups = slices.SortedFunc(maps.Values(groups), compareGroups)
}

// found is a finding by its place.
type found struct {
	*judged
	on subject
}

// root follows a finding to the one that explains it and that nothing explains:
// the finding itself if nothing does.
func (j *judging) root(f found) found {
	for range j.checks { // each cause stands above in the table
		before, on := j.causeOf(f.judged, j.status(f.judged, f.on), f.on)
		if before == nil {
			break
		}
		f = found{before, on}
	}
	return f
}

// groupOf returns the group that a finding belongs to, a new one if need be.
func (j *judging) groupOf(groups map[groupKey]*group, f found) *group {
	key := groupKey{f.place, j.status(f.judged, f.on), j.detail(f.judged, j.leading(f)).variant}
	if groups[key] == nil {
		groups[key] = &group{
			judged: f.judged, status: key.status, variant: key.variant, first: f.on,
			explains: map[consequence]int{},
		}
	}
	return groups[key]
}

// leading is the direction of an edge by whose variant a finding is grouped. What
// stops one direction mostly shows in the other as well, in another way: answers
// that do not come back. Both are one cause, named by the first that nothing explains.
func (j *judging) leading(f found) subject {
	back := subject{f.on.to, f.on.from, f.on.family}
	if f.Edge == nil || f.on.from < f.on.to || j.status(f.judged, back) != j.status(f.judged, f.on) {
		return f.on
	}
	if before, _ := j.causeOf(f.judged, j.status(f.judged, back), back); before != nil {
		return f.on
	}
	return back
}

func (g *group) add(on subject) {
	if g.count++; len(g.alike) < maxAlike {
		g.alike = append(g.alike, on)
	}
}

// leak notes that a packet was seen in clear because of root. The
// group is then about root first.
func (g *group) leak(seen found, root subject, at int) {
	if g.leakedAt == 0 {
		g.leakedAt = at
		g.first = root
	}
	if g.leakCount++; len(g.leaks) < maxAlike {
		g.leaks = append(g.leaks, seen)
	}
}

// rank is the order of causes: a leak that nothing explains, what explains a leak,
// what lets packets leave in plaintext of which none was seen, what else failed,
// what is inconclusive.
func (g *group) rank() int {
	switch {
	case g.status == Fail && g.judged.leaks():
		return 0
	case g.leakedAt > 0:
		return 1
	case g.status == Fail && g.kind == Plaintext:
		return 2
	case g.status == Fail:
		return 3
	}
	return 4
}

func compareGroups(a, b *group) int {
	return cmp.Or(
		cmp.Compare(a.rank(), b.rank()),
		cmp.Compare(a.leakedAt, b.leakedAt),
		cmp.Compare(a.place, b.place),
		slices.Compare(a.first.order(), b.first.order()),
		cmp.Compare(a.variant, b.variant),
	)
}

// order is how subjects of one check are ordered.
func (s subject) order() []int { return []int{s.from, s.to, s.family} }

// causes puts the groups into words.
func (j *judging) causes() (all []Cause) {
	for _, g := range j.groups[:min(len(j.groups), maxCauses)] {
		c := Cause{Finding: j.finding(g.judged, g.first), Count: g.count, LeakCount: g.leakCount}
		for _, on := range g.alike {
			if on != g.first {
				c.Alike = append(c.Alike, j.finding(g.judged, on))
			}
		}
		for _, seen := range g.leaks {
			c.Leaks = append(c.Leaks, j.named(seen.on))
		}
		if g.leakCount > 0 {
			c.Kind = Plaintext
			if first := g.leaks[0]; !g.judged.leaks() {
				leak := j.finding(first.judged, first.on)
				c.Leak = &leak
			}
		}
		c.Consequences = j.consequences(g)
		all = append(all, c)
	}
	return all
}

func (j *judging) consequences(g *group) (all []Consequence) {
	order := func(a, b consequence) int {
		return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(b.status, a.status))
	}
	for _, one := range slices.SortedFunc(maps.Keys(g.explains), order) {
		all = append(all, Consequence{j.checks[one.place].Code, one.status, g.explains[one]})
	}
	return all
}

// Decisive returns the causes that made the verdict: of a FAIL those that failed.
func (r *Result) Decisive() (some []Cause) {
	for i := range r.Causes {
		if r.Causes[i].Status == r.Verdict.decidedBy() {
			some = append(some, r.Causes[i])
		}
	}
	return some
}

// Kind is the gravest of the causes' kinds, "" if there is none.
func (r *Result) Kind() Kind {
	var worst Kind
	for i := range r.Causes {
		worst = Graver(worst, r.Causes[i].Kind)
	}
	return worst
}
