package command

import (
	"context"
	"errors"

	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/run"
)

// observe places agents, has them used, and removes them again, whatever
// happened: the frame of all commands that start pods and prove nothing. Of an
// interrupt, use's context is done, and what use returns then counts: nil for a
// command that goes on until it is interrupted.
func (r *root) observe(
	ctx context.Context, o run.Options, use func(context.Context, *run.Observation, *progress) error,
) error {
	client, err := r.connect()
	if err != nil {
		return err
	}
	o.Cluster = client
	o.Context, o.Server = r.identity()
	progress, end := r.begin(&o)
	defer end()

	observation, failed := run.Observe(ctx, o)
	if failed == nil {
		failed = use(ctx, observation, progress)
	}
	left := observation.Close(ctx)
	if failed != nil {
		return errors.Join(interruption(failed, observation, left, o.Keep), left)
	}
	return left
}

// begin shows the progress of what creates objects, and lets a second interrupt name
// what they are removed by, until end is called.
func (r *root) begin(o *run.Options) (p *progress, end func()) {
	if !o.Keep {
		r.interrupts.Left(cluster.CleanupCommand(o.Objects))
	}
	p = r.progress()
	o.Progress = p
	return p, func() {
		p.stop()
		r.interrupts.Left("")
	}
}
