package remote

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 40_000) // many frames, and more than a socket holds
	for _, test := range []struct {
		name, stdin  string
		request      Request
		code         int
		stdout, fail string
	}{
		{name: "output", request: ask("echo out; echo err >&2"), stdout: "out\n"},
		{name: "exit code", request: ask("exit 7"), code: 7},
		{name: "killed", request: ask("kill -9 $$"), code: 137},
		{name: "stdin", request: ask("cat"), stdin: big, stdout: big},
		{name: "unread stdin", request: ask("echo done"), stdin: big, stdout: "done\n"},
		{name: "wrong token", request: Request{Token: "guess", Argv: []string{"true"}}, fail: "wrong token"},
		{name: "no command", request: Request{Token: "secret"}, fail: "no command"},
		{name: "unknown node", request: Request{Token: "secret", Node: "node-9", Argv: []string{"true"}}, fail: "no node"},
		{name: "unknown program", request: Request{Token: "secret", Argv: []string{"no-such-program"}}, fail: "no-such-program"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var stdout bytes.Buffer
			code, err := Run(t.Context(), dial(t), test.request, Streams{Stdin: strings.NewReader(test.stdin), Stdout: &stdout})
			if test.fail != "" {
				if err == nil || !strings.Contains(err.Error(), test.fail) {
					t.Fatalf("got %v, want an error with %q", err, test.fail)
				}
				return
			}
			if err != nil || code != test.code {
				t.Errorf("got exit code %d (%v), want %d", code, err, test.code)
			}
			if stdout.String() != test.stdout {
				t.Errorf("got %d bytes on stdout, want %d", stdout.Len(), len(test.stdout))
			}
		})
	}
}

// A caller that goes away must not leave a command running in a node: a capture, say.
func TestHangUpEndsTheCommand(t *testing.T) {
	mark := t.TempDir() + "/alive"
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := Run(ctx, dial(t), ask("while sleep 0.02; do date +%N > "+mark+"; done"), Streams{})
		ended <- err
	}()
	read := func() string { data, _ := os.ReadFile(mark); return string(data) }
	for read() == "" {
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	deadline := time.Now().Add(5 * time.Second)
	for before := ""; before != read(); time.Sleep(200 * time.Millisecond) {
		if before = read(); time.Now().After(deadline) {
			t.Fatal("the command still runs")
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func TestReadRefusesHugeFrames(t *testing.T) {
	if _, _, err := read(bytes.NewReader([]byte{frameStdout, 0xff, 0xff, 0xff, 0xff})); err == nil {
		t.Error("a frame of 4 GiB was accepted")
	}
}

func ask(script string) Request {
	return Request{Token: "secret", Argv: []string{"sh", "-c", script}}
}

func dial(t *testing.T) net.Conn {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	server := &Server{Token: "secret", Command: func(request Request) (*exec.Cmd, error) {
		if request.Node != "" {
			return nil, errors.New("no node " + request.Node)
		}
		return exec.Command(request.Argv[0], request.Argv[1:]...), nil
	}}
	go server.Serve(t.Context(), listener) //nolint:errcheck // ends with the listener
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}
