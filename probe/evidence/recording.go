package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
)

// MaxRecording is the largest recording that is read, in bytes.
const MaxRecording = 8 << 30

// Recording is the evidence of one run: the messages of all its streams. The
// zero value is not usable, see NewRecording. It is safe for use by several
// goroutines until it is judged.
type Recording struct {
	mu      sync.Mutex
	streams map[string]*recorded
}

type recorded struct {
	messages []*Message // as they came
	bySeq    map[uint32]int
	damage   string
}

// NewRecording returns an empty recording.
func NewRecording() *Recording { return &Recording{streams: map[string]*recorded{}} }

// Add keeps m under its stream. An exact duplicate is dropped; a different
// message with the same number damages the stream.
func (r *Recording) Add(m *Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.streams[m.Stream]
	if s == nil {
		s = &recorded{bySeq: map[uint32]int{}}
		r.streams[m.Stream] = s
	}
	if m.Seq != 0 {
		if at, ok := s.bySeq[m.Seq]; ok {
			if !equal(s.messages[at], m) {
				s.damage = fmt.Sprintf("it has two different messages %d", m.Seq)
			}
			return
		}
		s.bySeq[m.Seq] = len(s.messages)
	}
	s.messages = append(s.messages, m)
}

func equal(a, b *Message) bool {
	left, errA := Encode(a)
	right, errB := Encode(b)
	return errA == nil && errB == nil && bytes.Equal(left, right)
}

// Streams returns the names of all streams, sorted.
func (r *Recording) Streams() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.streams))
}

// Messages returns the messages of one stream in the order of their numbers,
// those without a number first.
func (r *Recording) Messages(stream string) []*Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.streams[stream]
	if s == nil {
		return nil
	}
	sorted := slices.Clone(s.messages)
	slices.SortStableFunc(sorted, func(a, b *Message) int { return int(int64(a.Seq) - int64(b.Seq)) })
	return sorted
}

// Gap says what makes a stream incomplete, empty if nothing does.
func (r *Recording) Gap(stream string) string {
	r.mu.Lock()
	s := r.streams[stream]
	r.mu.Unlock()
	switch {
	case s == nil:
		return "there is none"
	case s.damage != "":
		return s.damage
	}
	return Gap(s.messages)
}

// WriteTo writes the recording as NDJSON, stream by stream, the plugin's first.
func (r *Recording) WriteTo(w io.Writer) (int64, error) {
	names := r.Streams()
	slices.SortStableFunc(names, func(a, b string) int {
		return boolOrder(a != PluginStream) - boolOrder(b != PluginStream)
	})
	var written int64
	for _, name := range names {
		for _, m := range r.Messages(name) {
			line, err := Encode(m)
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

// ReadRecording reads what WriteTo wrote. With an error it returns what could
// be read before it.
func ReadRecording(from io.Reader) (*Recording, error) {
	recording := NewRecording()
	decoder := NewDecoder(from, MaxRecording)
	for {
		m, err := decoder.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return recording, fmt.Errorf("reading the recording: %w", err)
		}
		if m.Stream == "" {
			return recording, fmt.Errorf("reading the recording: line %d: %w: no stream is named", decoder.line, ErrDamaged)
		}
		recording.Add(m)
	}
	if len(recording.streams) == 0 {
		return recording, fmt.Errorf("reading the recording: %w: it is empty", ErrDamaged)
	}
	return recording, nil
}
