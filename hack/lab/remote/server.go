package remote

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"syscall"
	"time"
)

// Server runs the commands that it is asked for.
type Server struct {
	Token string
	// Command turns a request into a command, not started and without streams.
	Command func(Request) (*exec.Cmd, error)
}

// Serve answers until the listener is closed. A connection that ends takes its command with it.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return fmt.Errorf("accepting a connection: %w", err)
		}
		go s.handle(ctx, conn)
	}
}

func (s *Server) handle(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := &frames{to: conn}
	code, err := s.run(ctx, cancel, conn, out)
	answer := result{Code: code}
	if err != nil {
		answer.Error = err.Error()
	}
	_ = out.writeJSON(frameResult, answer) // the other side may have gone; nobody would read it
}

func (s *Server) run(ctx context.Context, hangUp func(), conn net.Conn, out *frames) (int, error) {
	kind, payload, err := read(conn)
	if err != nil || kind != frameRequest {
		return -1, errors.New("want a request first")
	}
	var request Request
	if err := json.Unmarshal(payload, &request); err != nil {
		return -1, fmt.Errorf("decoding the request: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(request.Token), []byte(s.Token)) != 1 {
		return -1, errors.New("wrong token")
	}
	if len(request.Argv) == 0 {
		return -1, errors.New("no command")
	}
	command, err := s.Command(request)
	if err != nil {
		return -1, err
	}
	command.Stdout, command.Stderr = stream{out, frameStdout}, stream{out, frameStderr}
	stdin, err := command.StdinPipe()
	if err != nil {
		return -1, fmt.Errorf("opening standard input: %w", err)
	}
	// What the command left in the background may hold its streams; that is not a reason to keep the caller.
	command.WaitDelay = time.Second
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		return -1, fmt.Errorf("starting %s: %w", request.Argv[0], err)
	}
	stop := context.AfterFunc(ctx, func() { _ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) })
	defer stop()
	go feed(conn, stdin, hangUp)
	err = command.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exitCode(exit), nil
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return -1, fmt.Errorf("running %s: %w", request.Argv[0], err)
	}
	return 0, nil
}

// feed passes standard input on; the end of the connection, but not the end of the input, hangs up.
func feed(conn net.Conn, stdin io.WriteCloser, hangUp func()) {
	defer hangUp()
	defer stdin.Close()
	for {
		kind, payload, err := read(conn)
		if err != nil {
			return
		}
		switch kind {
		case frameStdin:
			if _, err := stdin.Write(payload); err != nil {
				stdin.Close() // the command does not read any more; the connection still shows a hang-up
			}
		case frameStdinEnd:
			stdin.Close()
		}
	}
}

// exitCode is the shell's convention for a command that a signal ended.
func exitCode(exit *exec.ExitError) int {
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}
