//go:build linux

package agent

import (
	"context"

	"github.com/kubectl-wg/kubectl-wg/probe/canary"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// Newcomer is what a new pod is started with, see canary.FirstPackets.
type Newcomer struct {
	Index     int      // of its node
	Mark, Key string   // see wire.ParseRun
	Targets   []string // see canary.ParseTarget
}

// NewcomerFrom reads from the environment what is not a part of the command.
func NewcomerFrom(getenv func(string) string) Newcomer {
	return Newcomer{Mark: getenv(evidence.EnvMark), Key: getenv(evidence.EnvKey)}
}

// Send sends the first packets. Without a target it sends nothing.
func (n Newcomer) Send(ctx context.Context) error {
	if len(n.Targets) == 0 {
		return nil
	}
	run, err := wire.ParseRun(n.Mark, n.Key)
	if err != nil {
		return err
	}
	sender := canary.FirstPackets{Index: n.Index, Run: run}
	for _, text := range n.Targets {
		target, err := canary.ParseTarget(text)
		if err != nil {
			return err
		}
		sender.Targets = append(sender.Targets, target)
	}
	return sender.Send(ctx)
}
