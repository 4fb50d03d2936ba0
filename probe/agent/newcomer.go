//go:build linux

package agent

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/kubectl-wg/kubectl-wg/probe/canary"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// Newcomer is what a new pod is told, see canary.FirstPackets.
type Newcomer struct {
	Index     int      // of its node
	Mark, Key string   // hex
	Targets   []string // see canary.ParseTarget
}

// NewcomerFrom reads from the environment what is no part of the command.
func NewcomerFrom(getenv func(string) string) Newcomer {
	return Newcomer{Mark: getenv(evidence.EnvMark), Key: getenv(evidence.EnvKey)}
}

// Send sends the first packets. Without a target it sends nothing.
func (n Newcomer) Send(ctx context.Context) error {
	if len(n.Targets) == 0 {
		return nil
	}
	sender := canary.FirstPackets{Index: n.Index}
	mark, err := hex.DecodeString(n.Mark)
	if err != nil || len(mark) != wire.MarkSize {
		return fmt.Errorf("the mark of a run is %d bytes in hex", wire.MarkSize)
	}
	sender.Mark = [wire.MarkSize]byte(mark)
	if sender.Key, err = hex.DecodeString(n.Key); err != nil || len(sender.Key) == 0 {
		return errors.New("the key of first packets is bytes in hex") // not what it was
	}
	for _, text := range n.Targets {
		target, err := canary.ParseTarget(text)
		if err != nil {
			return err
		}
		sender.Targets = append(sender.Targets, target)
	}
	return sender.Send(ctx)
}
