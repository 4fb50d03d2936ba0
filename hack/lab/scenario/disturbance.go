package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// Disturbance is what happens to the command while it runs.
type Disturbance func(context.Context, *Trial) error

// The phases of the command, as it names them.
const (
	surveying  = "reading cluster state"
	permission = "checking permissions"
	placing    = "starting probe pods"
	collecting = "testing"
	removing   = "cleaning up"
)

// send sends a signal in a phase, or some time into it.
func send(signal syscall.Signal, phase string, later time.Duration) Disturbance {
	return func(ctx context.Context, t *Trial) error {
		if err := t.await(ctx, phase+"\n"); err != nil {
			return err
		}
		pause(ctx, later)
		return t.signal(signal)
	}
}

// whileCapturing runs a line of a shell on a node, by its place, as soon as the captures run, and other lines before:
// canaries follow within a tenth of a second. It needs -v, with which the command reports its steps.
func whileCapturing(node int, before, line string) Disturbance {
	return func(ctx context.Context, t *Trial) error {
		if err := t.await(ctx, "name=planning"); err != nil {
			return err
		}
		input, start := io.Pipe()
		go func() {
			defer start.Close()
			if t.await(ctx, `name="starting the captures"`) == nil {
				fmt.Fprintln(start)
			}
		}()
		_, err := t.feed(ctx, t.lab.Nodes[node], before+"\nread go || exit\n"+line, input)
		return err
	}
}

// agentsWhere are lines that find the agents on a node: of the probe, whose network is the node's (=), or of the test pod (!=).
func agentsWhere(network string) string {
	return fmt.Sprintf(`
		agents=
		for agent in $(pgrep -f '^/wg-probe agent'); do
			[ "$(readlink /proc/$agent/ns/net)" %s "$(readlink /proc/self/ns/net)" ] && agents="$agents $agent"
		done
		[ "$agents" ] || exit 1`, network)
}

// captureKilled kills the agent of a probe.
var captureKilled = whileCapturing(0, agentsWhere("="), "kill -9 $agents")

// podStalls stops the agent of a test pod for longer than canaries are repeated.
var podStalls = whileCapturing(1, agentsWhere("!="), "kill -STOP $agents; sleep 12; kill -CONT $agents")

// outage is how long the API server is away.
const outage = 10 * time.Second

// freeze makes the API server hang: connections stay, and nobody answers.
func freeze(phase string) Disturbance {
	return func(ctx context.Context, t *Trial) error {
		return frozen(ctx, t, phase, func() error {
			pause(ctx, outage)
			return nil
		})
	}
}

// crash kills the API server: connections break and are refused until the next one is up.
func crash(phase string, later time.Duration) Disturbance {
	return func(ctx context.Context, t *Trial) error {
		if err := t.await(ctx, phase+"\n"); err != nil {
			return err
		}
		pause(ctx, later)
		server, err := t.apiserver()
		if err != nil {
			return err
		}
		return server.Signal(syscall.SIGKILL)
	}
}

// both is one and at once the other.
func both(first, second Disturbance) Disturbance {
	return func(ctx context.Context, t *Trial) error {
		if err := first(ctx, t); err != nil {
			return err
		}
		return second(ctx, t)
	}
}

// twice interrupts the command, and interrupts its removal too, which a frozen API server keeps from its end. The
// command has to end at once, and to say what is left.
func twice(ctx context.Context, t *Trial) error {
	return frozen(ctx, t, collecting, func() error {
		if err := t.signal(syscall.SIGINT); err != nil {
			return err
		}
		if err := t.await(ctx, removing+"\n"); err != nil {
			return err
		}
		pause(ctx, 200*time.Millisecond)
		began := time.Now()
		if err := t.signal(syscall.SIGINT); err != nil {
			return err
		}
		err := t.await(ctx, "kubectl wg cleanup ")
		if took := time.Since(began); err == nil && took > time.Second {
			err = fmt.Errorf("the second interrupt took %s", took)
		}
		return err
	})
}

// frozen does something while the API server hangs.
func frozen(ctx context.Context, t *Trial, phase string, do func() error) error {
	if err := t.await(ctx, phase+"\n"); err != nil {
		return err
	}
	server, err := t.apiserver()
	if err != nil {
		return err
	}
	if err := server.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return errors.Join(do(), server.Signal(syscall.SIGCONT))
}

// deaf closes the pipe that the command says its progress to, as `2>&1 | head -1` does.
func deaf(ctx context.Context, t *Trial) error {
	if err := t.await(ctx, placing+"\n"); err != nil {
		return err
	}
	t.said.stopReading()
	return nil
}

// hinted is the command that an interrupted run says to remove it.
var hinted = regexp.MustCompile(`kubectl wg cleanup ([a-z0-9]+)`)

// asHinted removes what is left in the way that the command said.
func asHinted(ctx context.Context, t *Trial) error {
	hint := hinted.FindStringSubmatch(t.said.String())
	if hint == nil {
		return errors.New("the command does not say how to remove what is left")
	}
	return t.cleanup(ctx, hint[1])
}

// deadMan is that the pods end by themselves within the given time, and cleanup removes the rest.
func deadMan(limit time.Duration) Disturbance {
	return func(ctx context.Context, t *Trial) error {
		began := time.Now()
		if err := until(ctx, limit, t.unfinished); err != nil {
			return err
		}
		t.note("all Jobs ended", began)
		return t.cleanup(ctx)
	}
}

// timeToLive is that the cluster itself removes the Jobs, and that the namespace stays for cleanup.
func timeToLive(ctx context.Context, t *Trial) error {
	began := time.Now()
	if err := until(ctx, 5*time.Second, t.probes); err != nil {
		return err
	}
	t.note("no probe ran", began)
	if err := until(ctx, 10*time.Second, t.unfinished); err != nil {
		return err
	}
	t.note("all Jobs ended", began)
	if err := until(ctx, time.Minute, t.jobs); err != nil {
		return err
	}
	t.note("all Jobs were removed", began)
	return t.cleanup(ctx)
}

// until waits for there to be nothing.
func until(ctx context.Context, limit time.Duration, list func(context.Context) ([]string, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	why := errors.New("nothing was seen")
	for {
		left, err := list(ctx)
		switch {
		case err == nil && len(left) == 0:
			return nil
		case err == nil:
			why = errors.New(strings.Join(left, ", "))
		case ctx.Err() == nil:
			why = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("left after %s: %w", limit, why)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
