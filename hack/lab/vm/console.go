package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// awaitReady follows a console log until the machine says that it is ready, and returns its kernel's release. alive
// reports whether QEMU still runs; without it nothing more will be said.
func awaitReady(ctx context.Context, log string, alive func() bool) (release string, err error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		running := alive() // asked before reading: what was said last is then in the log
		raw, err := os.ReadFile(log)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("reading the VM's console: %w", err)
		}
		said, found := heard(string(raw), sayBroken)
		if found {
			return "", fmt.Errorf("the VM could not set itself up: %s", said)
		}
		if release, found := heard(string(raw), sayReady); found {
			return release, nil
		}
		if !running {
			return "", fmt.Errorf("the VM ended before it was ready, console:\n%s", lastLines(string(raw), 20))
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("waiting for the VM, console:\n%s: %w", lastLines(string(raw), 20), ctx.Err())
		case <-tick.C:
		}
	}
}

// heard looks for a whole line with the given words and returns the rest of it.
func heard(console, words string) (rest string, found bool) {
	_, after, found := strings.Cut(console, words)
	if !found {
		return "", false
	}
	rest, _, found = strings.Cut(after, "\n")
	return strings.TrimSpace(rest), found
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
