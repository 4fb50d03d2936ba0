//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	longest = 4 * time.Minute  // of a line
	watched = 20 * time.Second // how long what goes on forever does so
)

// shell runs lines with the plugin on its PATH.
type shell struct {
	root  string // of the documents' folders
	names *strings.Replacer
	path  string // of programs
}

func newShell(plugin string, nodes []string) (*shell, error) {
	if len(nodes) != 2 || os.Getenv("KUBECONFIG") == "" {
		return nil, errors.New("two nodes and KUBECONFIG are needed")
	}
	plugin, err := filepath.Abs(plugin)
	if err != nil {
		return nil, err
	}
	root, err := os.MkdirTemp("", "documents")
	if err != nil {
		return nil, err
	}
	s := &shell{root: root, names: strings.NewReplacer("node1", nodes[0], "node2", nodes[1])}
	s.path = filepath.Join(root, "bin") + ":" + os.Getenv("PATH")
	if err := os.Mkdir(filepath.Join(root, "bin"), 0o755); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := os.Symlink(plugin, filepath.Join(root, "bin", "kubectl-wg")); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close removes what the lines wrote.
func (s *shell) Close() error { return os.RemoveAll(s.root) }

// folder makes a document's folder, with the files that a reader has by then: the
// recordings of two runs.
func (s *shell) folder(ctx context.Context, document string) (string, error) {
	folder := filepath.Join(s.root, document)
	if err := os.Mkdir(folder, 0o755); err != nil {
		return "", err
	}
	recording := filepath.Join(s.root, "recording.ndjson")
	if _, err := os.Stat(recording); err != nil {
		first := line{command: "kubectl wg verify -q --record " + recording}
		if output, err := s.run(ctx, s.root, first); err != nil {
			return "", fmt.Errorf("recording a run: %w\n%s", err, output)
		}
	}
	for _, name := range []string{"evidence.ndjson", "a.ndjson", "b.ndjson"} {
		if err := os.Link(recording, filepath.Join(folder, name)); err != nil {
			return "", err
		}
	}
	return folder, nil
}

// run runs a line in a folder and returns what it printed; an error if it failed.
// In a lab two lines end otherwise than a reader hopes: warnings that count as
// failures are there, and there is no kube-proxy to translate a Service's address.
func (s *shell) run(ctx context.Context, folder string, l line) (string, error) {
	limit := longest
	if l.goesOn() {
		limit = watched
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	arguments := []string{"bash", "-o", "pipefail", "-c", s.names.Replace(l.command)}
	if strings.Contains(l.command, "kubectl wg perf") { // it asks on a terminal before it makes load
		arguments = []string{"script", "-qec", s.names.Replace(l.command), "/dev/null"}
	}
	command := exec.CommandContext(limited, arguments[0], arguments[1:]...)
	command.Dir = folder
	command.Env = append(os.Environ(), "PATH="+s.path)
	command.Stdin = strings.NewReader("y\n")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGINT) }
	command.WaitDelay = time.Minute // for what it removes
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	err := command.Run()
	code := command.ProcessState.ExitCode()
	switch {
	case l.goesOn() && limited.Err() != nil && (code == 0 || code == 130):
		return output.String(), nil
	case limited.Err() != nil:
		return output.String(), fmt.Errorf("it did not end within %s", limit)
	case code == 1 && strings.Contains(l.command, "--fail-on warn"),
		code == 3 && strings.Contains(output.String(), "is there a kube-proxy?"):
		return output.String(), nil
	}
	return output.String(), err
}
