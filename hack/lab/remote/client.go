package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
)

// Streams of a remote command; each may be nil.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Run has the request executed at the other end of the connection, which it closes, and returns the exit code. A command
// that ran and failed is not an error.
func Run(ctx context.Context, conn net.Conn, request Request, streams Streams) (int, error) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	out := &frames{to: conn}
	if err := out.writeJSON(frameRequest, request); err != nil {
		return -1, err
	}
	go func() {
		if streams.Stdin != nil {
			if _, err := io.Copy(stream{out, frameStdin}, streams.Stdin); err != nil {
				return
			}
		}
		_ = out.write(frameStdinEnd, nil) // a connection that has ended is noticed by the reader
	}()
	for {
		kind, payload, err := read(conn)
		if err != nil {
			return -1, errors.Join(fmt.Errorf("running %s: connection lost: %w", request.Argv[0], err), ctx.Err())
		}
		switch kind {
		case frameStdout:
			err = pass(streams.Stdout, payload)
		case frameStderr:
			err = pass(streams.Stderr, payload)
		case frameResult:
			var answer result
			if err := json.Unmarshal(payload, &answer); err != nil {
				return -1, fmt.Errorf("decoding the result: %w", err)
			}
			if answer.Error != "" {
				return -1, errors.New(answer.Error)
			}
			return answer.Code, nil
		}
		if err != nil {
			return -1, fmt.Errorf("passing output on: %w", err)
		}
	}
}

func pass(to io.Writer, data []byte) error {
	if to == nil {
		return nil
	}
	_, err := to.Write(data)
	return err
}
