package evidence

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrVersion is wrapped by the error for a schema of another major version.
var ErrVersion = errors.New("evidence schema not supported")

// ErrDamaged is wrapped by the error for a line that is not a message.
var ErrDamaged = errors.New("damaged evidence")

// Decoder reads messages from a stream that may be hostile: long lines, wrong
// types and endless input end in an error, never in memory without bound.
type Decoder struct {
	lines *bufio.Reader
	left  int64
	line  int
	last  int64 // bytes of the line that was read last
}

// NewDecoder reads from r and gives up after limit bytes.
func NewDecoder(r io.Reader, limit int64) *Decoder {
	return &Decoder{lines: bufio.NewReaderSize(r, decoderBuffer), left: limit}
}

// decoderBuffer is how much a decoder holds of a stream, in bytes: less than the
// longest line, since a run among many nodes has many decoders that wait.
const decoderBuffer = 2 << 10

// read returns the next line, bufio.ErrBufferFull if it is longer than any
// message's.
func (d *Decoder) read() ([]byte, error) {
	line, err := d.lines.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	long := append(make([]byte, 0, MaxMessage+2+decoderBuffer), line...)
	for errors.Is(err, bufio.ErrBufferFull) && len(long) < MaxMessage+2 {
		line, err = d.lines.ReadSlice('\n')
		long = append(long, line...)
	}
	return long, err
}

// Next returns the next message, io.EOF at the end, or an error that wraps
// ErrDamaged or ErrVersion. After an error the stream is not to be used.
func (d *Decoder) Next() (*Message, error) {
	for {
		line, err := d.read()
		d.line++
		d.last = int64(len(line))
		if d.left -= d.last; d.left < 0 {
			return nil, fmt.Errorf("%w: line %d: the stream is over its limit", ErrDamaged, d.line)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("%w: line %d is longer than %d bytes", ErrDamaged, d.line, MaxMessage)
		case errors.Is(err, io.EOF) && len(bytes.TrimSpace(line)) > 0:
			return nil, fmt.Errorf("%w: line %d is cut off", ErrDamaged, d.line)
		case err != nil:
			return nil, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		message, err := Decode(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", d.line, err)
		}
		return message, nil
	}
}

// Refund takes the last message off the limit: for one that is not kept, as the
// frames of a capture that goes on for hours.
func (d *Decoder) Refund() {
	d.left += d.last
	d.last = 0
}

// Line is the number of the line that was read last, from 1; 0 before the first.
func (d *Decoder) Line() int { return d.line }

// Decode reads one line. Unknown fields are ignored.
func Decode(line []byte) (*Message, error) {
	if len(bytes.TrimRight(line, "\n")) > MaxMessage {
		return nil, fmt.Errorf("%w: %d bytes are over the limit of %d", ErrDamaged, len(line), MaxMessage)
	}
	var m Message
	if err := json.Unmarshal(line, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if _, err := m.Kind(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if m.Hello != nil {
		if err := CheckSchema(m.Hello.Schema); err != nil {
			return nil, err
		}
	}
	return &m, nil
}

// CheckSchema accepts this major version only and says which side is older.
func CheckSchema(schema string) error {
	const prefix = "wg.evidence/v"
	if schema == Schema || strings.HasPrefix(schema, Schema+".") {
		return nil
	}
	if version, ok := strings.CutPrefix(schema, prefix); ok && version != "" && version[0] > '1' && version[0] <= '9' {
		return fmt.Errorf("%w: the other side speaks %.40q, this side %s: update this side", ErrVersion, schema, Schema)
	}
	return fmt.Errorf("%w: the other side speaks %.40q, this side %s: update the other side",
		ErrVersion, schema, Schema)
}
