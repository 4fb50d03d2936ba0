// Package check is the table of checks: what is true of a cluster whose pod
// traffic WireGuard encrypts, each row with its code, the evidence it reads and
// the function that judges it. Rows stand in causal order: what comes first
// can explain what comes later. The engine (package verdict) applies the laws
// that hold for all of them.
package check

import (
	"context"
	"fmt"

	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// Judgement is the result of a recording together with the profile it was
// judged against.
type Judgement struct {
	*verdict.Result
	Case    *verdict.Case
	Profile profile.Profile
}

// Judge judges a recording.
func Judge(recording verdict.Recorded) *Judgement { return judgeUntil(nil, recording) }

// JudgeWithin judges a recording, which may be hostile, unless ctx ends first.
// It returns as soon as that happens; what it began ends a little later.
func JudgeWithin(ctx context.Context, recording verdict.Recorded) (*Judgement, error) {
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

func judgeUntil(done <-chan struct{}, recording verdict.Recorded) *Judgement {
	c := verdict.NewCaseUntil(done, recording)
	if c == nil {
		return nil
	}
	p := profile.Decide(c)
	return &Judgement{Result: judge(c, p, Table(p), verdict.Detailed), Case: c, Profile: p}
}

// judge runs a table over a case that a profile was decided for.
func judge(c *verdict.Case, p profile.Profile, table []verdict.Check, detailed int) *verdict.Result {
	prepare(c, p)
	return verdict.Judge(c, table, detailed)
}

// Table returns all checks, in causal order, for a cluster of that profile.
func Table(p profile.Profile) []verdict.Check {
	v := &view{Profile: p}
	var table []verdict.Check
	for _, family := range [][]verdict.Check{
		v.clusterChecks(), v.configurationChecks(), v.instrumentChecks(), v.blindChecks(), v.hostChecks(), v.peerChecks(),
		v.routeChecks(), v.sizeChecks(), v.reachChecks(), v.wireChecks(), v.adviceChecks(),
	} {
		table = append(table, family...)
	}
	return table
}

// Find returns the check with that code.
func Find(code string) (verdict.Check, bool) {
	for _, c := range Table(profile.Profile{}) {
		if c.Code == code {
			return c, true
		}
	}
	return verdict.Check{}, false
}
