//go:build linux

// Package perf measures the network between two agents: throughput over TCP and
// UDP and round trips, with what the processors of both machines did meanwhile.
// One side serves, the other sends. It also reads the counters of a network stack
// that explain what was measured. It must not judge, and configures nothing.
//
// A measurement begins with a TCP connection whose hello is authenticated by the
// run's key; only then is anything taken in or answered, so that a server in the
// network of a host serves nobody else. No answer is larger than its request, but
// for a result of some hundred bytes.
package perf

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Bounds of a measurement, whatever is asked for.
const (
	maxStreams  = 64
	maxDuration = 20 * time.Second
	maxCount    = 1000
	maxConns    = 4 * maxStreams // of a server
	maxHello    = 512
	maxResult   = 4 << 10
	dialTime    = 5 * time.Second
	resultTime  = 10 * time.Second // to take in what is under way, and to answer
	drainTime   = 200 * time.Millisecond
)

// hello begins a connection.
type hello struct {
	Kind   evidence.MeasureKind `json:"kind"`
	Stream int                  `json:"stream"` // of several connections
	// The first WarmUp milliseconds do not count, nor WarmBytes, whichever is less.
	WarmUp    int   `json:"warmUp"`
	WarmBytes int64 `json:"warmBytes"`
}

// ticket is the server's answer to the hello of a measurement by datagrams.
type ticket struct {
	ID uint64 `json:"id"`
}

// result is what arrived, after the warm-up unless it says otherwise.
type result struct {
	Bytes    int64          `json:"bytes"`
	Nanos    int64          `json:"nanos"`
	Begin    int64          `json:"begin"`    // of these, by the receiver's clock, which all connections share
	Received uint64         `json:"received"` // datagrams, all of them
	Busy     *evidence.Busy `json:"busy,omitempty"`
}

// rate is bits a second, 0 if nothing was counted.
func (r *result) rate() float64 {
	if r.Nanos <= 0 {
		return 0
	}
	return float64(r.Bytes) * 8 / (float64(r.Nanos) / 1e9)
}

var errForeign = errors.New("the hello of another run")

// writeHello writes a hello: its length, its code, its text.
func writeHello(w io.Writer, key []byte, h hello) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	frame := binary.BigEndian.AppendUint16(nil, uint16(len(text)))
	frame = append(frame, code(key, text)...)
	_, err = w.Write(append(frame, text...))
	return err
}

// readHello reads a hello and takes none without the run's code.
func readHello(r io.Reader, key []byte) (h hello, err error) {
	head := make([]byte, 2+sha256.Size)
	if _, err := io.ReadFull(r, head); err != nil {
		return h, err
	}
	length := binary.BigEndian.Uint16(head)
	if length > maxHello {
		return h, errForeign
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return h, err
	}
	if !hmac.Equal(head[2:], code(key, text)) {
		return h, errForeign
	}
	return h, json.Unmarshal(text, &h)
}

// code authenticates a hello. The run's key is used for nothing else in this form.
func code(key, text []byte) []byte {
	sum := hmac.New(sha256.New, key)
	sum.Write([]byte("perf hello\n"))
	sum.Write(text)
	return sum.Sum(nil)
}

// readLine reads one line of JSON, not more than a result has.
func readLine(r io.Reader, into any) error {
	if err := json.NewDecoder(io.LimitReader(r, maxResult)).Decode(into); err != nil {
		return fmt.Errorf("reading the other side's answer: %w", err)
	}
	return nil
}

func writeLine(w io.Writer, value any) error { return json.NewEncoder(w).Encode(value) }
