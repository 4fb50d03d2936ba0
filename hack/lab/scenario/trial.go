package scenario

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/remote"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/supervisor"
)

// Trial is one run of the command, as that which disturbs it sees it.
type Trial struct {
	lab     *state.Lab
	api     kubernetes.Interface
	verify  Verify
	process *os.Process
	said    *transcript // on stderr
	printed string      // on stdout, by a command that is not verify
	report  report
	memory  int64    // that the command took at most, in bytes
	notes   []string // what was measured
}

// errUndisturbed is the error of a disturbance that came too late.
var errUndisturbed = errors.New("the command ended before it was disturbed")

// await waits until the command says the text on stderr.
func (t *Trial) await(ctx context.Context, text string) error {
	for {
		grown, said, over := t.said.state()
		switch {
		case strings.Contains(said, text):
			return nil
		case over:
			return fmt.Errorf("waiting for %q: %w", text, errUndisturbed)
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %q: %w", text, context.Cause(ctx))
		}
	}
}

func (t *Trial) signal(signal syscall.Signal) error {
	if err := t.process.Signal(signal); err != nil {
		return fmt.Errorf("%s: %w", signal, errors.Join(err, errUndisturbed))
	}
	return nil
}

// apiserver is the process of the lab's API server as it is now; its supervisor starts another when it ends.
func (t *Trial) apiserver() (state.Process, error) {
	lab, err := state.Load(t.lab.Name)
	if err != nil {
		return state.Process{}, err
	}
	process, ok := lab.Process("kube-apiserver")
	if !ok || !process.Alive() {
		return process, errors.New("the lab has no API server")
	}
	return process, nil
}

// shell runs a line in a node and returns its output.
func (t *Trial) shell(ctx context.Context, node, line string) (string, error) {
	return t.feed(ctx, node, line, nil)
}

// feed runs a line in a node, which reads an input, and returns its output.
func (t *Trial) feed(ctx context.Context, node, line string, input io.Reader) (string, error) {
	var said bytes.Buffer
	streams := remote.Streams{Stdin: input, Stdout: &said, Stderr: &said}
	code, err := supervisor.Exec(ctx, t.lab, node, []string{"sh", "-c", line}, streams)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit status %d: %s", code, said.String())
	}
	if err != nil {
		return "", fmt.Errorf("on %s: %w", node, err)
	}
	return strings.TrimSpace(said.String()), nil
}

// cleanup runs the product's cleanup, of the runs given or of all, which has to find and remove something.
func (t *Trial) cleanup(ctx context.Context, runs ...string) error {
	command := exec.CommandContext(ctx, t.verify.Path, append([]string{"cleanup"}, runs...)...)
	command.Env = append(os.Environ(), "KUBECONFIG="+t.lab.Kubeconfig())
	var stderr bytes.Buffer
	command.Stderr = &stderr
	said, err := command.Output()
	if err != nil {
		return fmt.Errorf("cleanup: %w\n%s", err, stderr.String())
	}
	if !strings.HasPrefix(string(said), "removed namespace") {
		return fmt.Errorf("cleanup did not remove the namespaces:\n%s", said)
	}
	return nil
}

func (t *Trial) note(what string, began time.Time) {
	t.notes = append(t.notes, fmt.Sprintf("%s after %.1f s", what, time.Since(began).Seconds()))
}

// transcript keeps what a command says, and wakes those who wait for it.
type transcript struct {
	mu    sync.Mutex
	text  bytes.Buffer
	grown chan struct{} // closed when there is more
	over  bool          // nothing more will come
	deaf  bool
}

// errDeaf closes the pipe that the command writes to.
var errDeaf = errors.New("nobody reads this any more")

func newTranscript() *transcript { return &transcript{grown: make(chan struct{})} }

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.deaf {
		return 0, errDeaf
	}
	t.text.Write(p)
	t.wake()
	return len(p), nil
}

func (t *transcript) wake() {
	close(t.grown)
	t.grown = make(chan struct{})
}

func (t *transcript) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	t.wake()
}

func (t *transcript) stopReading() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deaf = true
}

func (t *transcript) state() (grown <-chan struct{}, said string, over bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.grown, t.text.String(), t.over
}

func (t *transcript) String() string {
	_, said, _ := t.state()
	return said
}
