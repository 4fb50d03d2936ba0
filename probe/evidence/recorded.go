package evidence

import (
	"bytes"
	"cmp"
	"compress/flate"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"sync"
)

// A recording keeps maxOpen bytes of messages as they came. From then on a
// stream that has said minChunk bytes is compressed, to about a third.
const (
	maxOpen  = 16 << 20
	minChunk = 16 << 10
)

// recorded is one stream of a recording.
type recorded struct {
	mu     sync.Mutex
	heads  []head
	bySeq  map[uint32]uint64 // hashes of lines
	damage string
	chunks [][]byte   // compressed lines
	open   []*Message // the last ones, as they came
	size   int        // of these as lines
}

// seed makes hashes that nobody can foresee.
var seed = maphash.MakeSeed()

func (s *recorded) add(r *Recording, m *Message) {
	line, err := Encode(m)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.damage = cmp.Or(s.damage, fmt.Sprintf("it has a message that cannot be kept: %v", err))
		return
	}
	if m.Seq != 0 {
		sum := maphash.Bytes(seed, line)
		if known, ok := s.bySeq[m.Seq]; ok {
			if known != sum {
				s.damage = fmt.Sprintf("it has two different messages %d", m.Seq)
			}
			return
		}
		s.bySeq[m.Seq] = sum
	}
	s.heads = append(s.heads, headOf(m))
	s.open = append(s.open, m)
	s.size += len(line)
	if r.open.Add(int64(len(line))) > maxOpen && s.size >= minChunk {
		r.open.Add(-int64(s.size))
		s.compress()
	}
}

// compressors are kept, since each needs much memory.
var compressors = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(io.Discard, flate.BestSpeed) // fails for an unknown level only
	return w
}}

// compress turns what is open into a chunk.
func (s *recorded) compress() {
	var chunk bytes.Buffer
	w := compressors.Get().(*flate.Writer)
	defer compressors.Put(w)
	w.Reset(&chunk)
	for _, m := range s.open {
		line, err := Encode(m)
		if err == nil {
			_, err = w.Write(line)
		}
		if err != nil {
			s.damage = cmp.Or(s.damage, "it could not be kept: "+err.Error())
			return
		}
	}
	if err := w.Close(); err != nil {
		s.damage = cmp.Or(s.damage, "it could not be kept: "+err.Error())
		return
	}
	s.chunks = append(s.chunks, slices.Clip(chunk.Bytes()))
	s.open, s.size = nil, 0
}

// messages returns all messages, as they came.
func (s *recorded) messages() []*Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	messages := make([]*Message, 0, len(s.heads))
	for _, chunk := range s.chunks {
		decoder := NewDecoder(flate.NewReader(bytes.NewReader(chunk)), MaxRecording)
		for {
			m, err := decoder.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				s.damage = cmp.Or(s.damage, err.Error())
				break
			}
			messages = append(messages, m)
		}
	}
	return append(messages, s.open...)
}

func (s *recorded) gap() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.damage, gap(s.heads))
}
