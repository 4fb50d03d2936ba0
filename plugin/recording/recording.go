// Package recording keeps the evidence of one run: what all its streams said, in
// the order of their numbers, and whether each is complete. It writes a run to a
// file and reads it again.
//
// It must not interpret a message: what is recorded is what was said.
package recording

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// MaxSize is the largest recording that is read, in bytes.
const MaxSize = 8 << 30

// Recording is the evidence of one run: the messages of all its streams. The
// zero value is not usable, see New. It is safe for use by several goroutines.
// Of a large run it keeps most compressed.
type Recording struct {
	mu      sync.Mutex
	streams map[string]*stream
	open    atomic.Int64 // bytes of lines that are not compressed
}

// Add keeps m under its stream. An exact duplicate is dropped; a different
// message with the same number damages the stream.
func (r *Recording) Add(m *evidence.Message) {
	r.mu.Lock()
	s := r.streams[m.Stream]
	if s == nil {
		s = &stream{bySeq: map[uint32]uint64{}}
		r.streams[m.Stream] = s
	}
	r.mu.Unlock()
	s.add(r, m)
}

// New returns an empty recording.
func New() *Recording { return &Recording{streams: map[string]*stream{}} }

func (r *Recording) stream(name string) *stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.streams[name]
}

// Rename gives a stream another name, which must be free and no longer than
// the one that it has.
func (r *Recording) Rename(stream, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, taken := r.streams[stream], r.streams[name]; s != nil && taken == nil {
		delete(r.streams, stream)
		r.streams[name] = s
	}
}

// Streams returns the names of all streams, sorted.
func (r *Recording) Streams() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.streams))
}

// Messages returns the messages of one stream in the order of their numbers,
// those without a number first.
func (r *Recording) Messages(stream string) []*evidence.Message {
	s := r.stream(stream)
	if s == nil {
		return nil
	}
	messages := s.messages(stream)
	slices.SortStableFunc(messages, func(a, b *evidence.Message) int { return cmp.Compare(a.Seq, b.Seq) })
	return messages
}

// Gap reports what makes a stream incomplete, empty if nothing does.
func (r *Recording) Gap(stream string) string {
	s := r.stream(stream)
	if s == nil {
		return "there is none"
	}
	return s.gap()
}

// WriteTo writes the recording as NDJSON, stream by stream, the plugin's first.
func (r *Recording) WriteTo(w io.Writer) (int64, error) {
	names := r.Streams()
	slices.SortStableFunc(names, func(a, b string) int {
		return boolOrder(a != evidence.PluginStream) - boolOrder(b != evidence.PluginStream)
	})
	var written int64
	for _, name := range names {
		for _, m := range r.Messages(name) {
			line, err := evidence.Encode(m)
			if err != nil {
				return written, fmt.Errorf("recording stream %s: %w", name, err)
			}
			n, err := w.Write(line)
			written += int64(n)
			if err != nil {
				return written, fmt.Errorf("writing the recording: %w", err)
			}
		}
	}
	return written, nil
}

func boolOrder(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Read reads what WriteTo wrote. With an error it returns what could be read
// before it.
func Read(from io.Reader) (*Recording, error) {
	recording := New()
	decoder := evidence.NewDecoder(from, MaxSize)
	for {
		m, err := decoder.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return recording, fmt.Errorf("reading the recording: %w", err)
		}
		if m.Stream == "" {
			return recording, fmt.Errorf("reading the recording: line %d: %w: no stream is named",
				decoder.Line(), evidence.ErrDamaged)
		}
		recording.Add(m)
	}
	if len(recording.streams) == 0 {
		return recording, fmt.Errorf("reading the recording: %w: it is empty", evidence.ErrDamaged)
	}
	return recording, nil
}
