// Package check is the table of checks: what is true of a cluster whose pod
// traffic WireGuard encrypts, each row with its code, the evidence it reads and
// the function that judges it. Rows stand in causal order: what comes first
// can explain what comes later. The engine (package verdict) applies the laws
// that hold for all of them.
package check

import (
	"context"
	"fmt"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// Judgement is the result of a recording together with the profile it was
// judged against.
type Judgement struct {
	*verdict.Result
	Graph   *graph.Graph
	Profile profile.Profile
}

// Unit is the systemd unit that restarts the network plugin on a node, "" if it
// is not known.
func (j *Judgement) Unit(node string) string {
	if n := j.Graph.Node(node); n != nil {
		return j.Profile.Unit(n)
	}
	return ""
}

// Judge judges a recording.
func Judge(recording graph.Recorded) *Judgement { return judgeUntil(nil, recording) }

// JudgeWithin judges a recording, which may be hostile, unless ctx ends first.
// It returns as soon as that happens; what it began ends a little later.
func JudgeWithin(ctx context.Context, recording graph.Recorded) (*Judgement, error) {
	judged := make(chan *Judgement, 1)
	go func() { judged <- judgeUntil(ctx.Done(), recording) }()
	select {
	case j := <-judged:
		if j != nil {
			return j, nil
		}
	case <-ctx.Done():
	}
	return nil, fmt.Errorf("judging was interrupted: %w", context.Cause(ctx))
}

func judgeUntil(done <-chan struct{}, recording graph.Recorded) *Judgement {
	g := graph.NewUntil(done, recording)
	if g == nil {
		return nil
	}
	p := profile.Decide(g)
	return &Judgement{Result: judge(g, p, verdict.Detailed), Graph: g, Profile: p}
}

// judge runs the table over a graph that a profile was decided for.
func judge(g *graph.Graph, p profile.Profile, detailed int) *verdict.Result {
	return verdict.Judge(g, newView(g, p).table(), detailed)
}

// table binds the rows to what they look at, without those of which the run was not
// asked for anything.
func (v *view) table() []verdict.Check {
	var table []verdict.Check
	for _, r := range rows {
		if r.asked != nil && !r.asked(v) {
			continue
		}
		c := r.Check
		switch {
		case r.cluster != nil:
			c.Cluster = func() verdict.Outcome { return r.cluster(v) }
		case r.node != nil:
			c.Node = func(n *graph.Node) verdict.Outcome { return r.node(v, n) }
		case r.family != nil:
			c.NodeFamily = func(n *graph.Node, family int) verdict.Outcome { return r.family(v, n, family) }
		default:
			c.Edge = func(e *graph.Edge) verdict.Outcome { return r.edge(v, e) }
		}
		table = append(table, c)
	}
	return table
}

// Checks returns all checks, in causal order, without what judges.
func Checks() []verdict.Check {
	checks := make([]verdict.Check, len(rows))
	for i := range rows {
		checks[i] = rows[i].Check
	}
	return checks
}

// Find returns the check with that code, without what judges.
func Find(code string) (verdict.Check, bool) {
	for i := range rows {
		if rows[i].Code == code {
			return rows[i].Check, true
		}
	}
	for _, c := range preflight {
		if c.Code == code {
			return c, true
		}
	}
	return verdict.Check{}, false
}
