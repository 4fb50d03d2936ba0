// Package remote runs commands in nodes over one TCP connection each: the way into nodes that may live in a VM, kept the
// same where they do not. It knows nothing of nodes but their names; whoever serves turns a request into a process.
package remote

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// Request is the first frame of a connection.
type Request struct {
	Token string   `json:"token"`
	Node  string   `json:"node"` // empty for the surroundings of the nodes: the machine, or the VM
	Argv  []string `json:"argv"`
}

// result is the last frame of a connection.
type result struct {
	Code  int    `json:"code"`
	Error string `json:"error,omitempty"`
}

// A frame is a kind, the length of its payload as four bytes, most significant first, and the payload.
const (
	frameRequest byte = iota
	frameStdin
	frameStdinEnd
	frameStdout
	frameStderr
	frameResult

	maxPayload = 64 << 10
)

// frames writes whole frames from any number of goroutines.
type frames struct {
	mutex sync.Mutex
	to    io.Writer
}

func (f *frames) write(kind byte, payload []byte) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	header := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(payload)))
	if _, err := f.to.Write(append(header, payload...)); err != nil {
		return fmt.Errorf("writing a frame: %w", err)
	}
	return nil
}

func (f *frames) writeJSON(kind byte, value any) error {
	payload, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encoding a frame: %w", err)
	}
	return f.write(kind, payload)
}

// stream is an io.Writer whose writes become frames of one kind.
type stream struct {
	frames *frames
	kind   byte
}

func (s stream) Write(data []byte) (int, error) {
	for sent := 0; sent < len(data); {
		chunk := data[sent:min(len(data), sent+maxPayload)]
		if err := s.frames.write(s.kind, chunk); err != nil {
			return sent, err
		}
		sent += len(chunk)
	}
	return len(data), nil
}

func read(from io.Reader) (kind byte, payload []byte, err error) {
	var header [5]byte
	if _, err := io.ReadFull(from, header[:]); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(header[1:])
	if length > maxPayload {
		return 0, nil, fmt.Errorf("frame of %d bytes exceeds %d", length, maxPayload)
	}
	payload = make([]byte, length)
	if _, err := io.ReadFull(from, payload); err != nil {
		return 0, nil, fmt.Errorf("reading a frame: %w", err)
	}
	return header[0], payload, nil
}
