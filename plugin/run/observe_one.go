package run

import (
	"context"
	"fmt"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// AskOne makes a request of one agent and waits for its answer. It returns the
// ports that the agent has bound so far, and an error if there is no session with
// it any more. Of messages see Ask.
func (o *Observation) AskOne(
	ctx context.Context, what string, of Agent, request evidence.Request, hear func(*evidence.Message) bool,
) (ports map[string]uint16, err error) {
	for _, a := range o.run.agents.in(of.Role) {
		if a.node.Name != of.Node.Name {
			continue
		}
		if a.lost == nil {
			a.listen(nil)
			if hear != nil {
				a.listen(func(_ Agent, m *evidence.Message) bool { return hear(m) })
			}
			o.run.agents.ask(ctx, what, a, func(place) evidence.Request { return request })
		}
		return a.ports, a.lost
	}
	return nil, fmt.Errorf("there is no %s on %s", of.Role, of.Node.Name)
}
