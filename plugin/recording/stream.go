package recording

import (
	"bytes"
	"cmp"
	"compress/flate"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"sync"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A recording keeps maxOpen bytes of lines as they are. From then on a stream
// that has minChunk bytes is compressed, to about a third.
const (
	maxOpen  = 4 << 20
	minChunk = 8 << 10
)

// stream is one stream of a recording. It keeps lines: messages take some
// five times as much.
type stream struct {
	mu     sync.Mutex
	order  evidence.Sequence
	bySeq  map[uint32]uint64 // hashes of lines
	damage string
	chunks [][]byte // compressed lines
	open   []byte   // the last lines
}

// maxStreamNumbers bounds the evidence.Numbers of a stream: of a run among a
// thousand nodes they are a tenth of it.
const maxStreamNumbers = 1 << 20

// numbersIn returns how many evidence.Numbers a message has.
func numbersIn(m *evidence.Message) (sum int) {
	switch {
	case m.Witness != nil:
		for _, a := range m.Witness.Alike {
			sum += len(a.Sources) + len(a.Targets)
		}
	case m.Canaries != nil:
		sum = len(m.Canaries.Peers)
	case m.Controls != nil:
		sum = len(m.Controls.Peers)
	}
	return sum
}

var errNumbers = errors.New("it speaks of more nodes than any run has")

// seed makes hashes that nobody can foresee.
var seed = maphash.MakeSeed()

func (s *stream) add(r *Recording, m *evidence.Message) {
	line, err := evidence.Encode(m)
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
	s.order.Add(m)
	s.open = append(s.open, line...)
	if r.open.Add(int64(len(line))) > maxOpen && len(s.open) >= minChunk {
		r.open.Add(-int64(len(s.open)))
		s.compress()
	}
}

// What compresses and what expands is kept, since each needs much memory: the
// former a megabyte, so that there is one.
var (
	compressing sync.Mutex
	compressor  = sync.OnceValue(func() *flate.Writer {
		w, _ := flate.NewWriter(io.Discard, flate.BestSpeed) // fails for an unknown level only
		return w
	})
	expanders = sync.Pool{New: func() any { return flate.NewReader(bytes.NewReader(nil)) }}
)

// compress turns what is open into a chunk.
func (s *stream) compress() {
	var chunk bytes.Buffer
	compressing.Lock()
	defer compressing.Unlock()
	w := compressor()
	w.Reset(&chunk)
	_, err := w.Write(s.open)
	if err = cmp.Or(err, w.Close()); err != nil {
		s.damage = cmp.Or(s.damage, "it could not be kept: "+err.Error())
		return
	}
	s.chunks = append(s.chunks, bytes.Clone(chunk.Bytes()))
	s.open = nil
}

// messages returns all messages, in the order in which they came.
func (s *stream) messages(name string) []*evidence.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	messages := make([]*evidence.Message, 0, s.order.Len())
	numbers := 0
	read := func(lines []byte) error {
		for line := range bytes.Lines(lines) {
			m, err := evidence.Decode(line)
			if err != nil {
				return err
			}
			if numbers += numbersIn(m); numbers > maxStreamNumbers {
				return errNumbers
			}
			m.Stream = name
			messages = append(messages, m)
		}
		return nil
	}
	expander := expanders.Get().(io.ReadCloser)
	defer expanders.Put(expander)
	var lines bytes.Buffer
	for _, chunk := range s.chunks {
		lines.Reset()
		err := expander.(flate.Resetter).Reset(bytes.NewReader(chunk), nil)
		if err == nil {
			_, err = lines.ReadFrom(expander)
		}
		if err = cmp.Or(err, read(lines.Bytes())); err != nil {
			s.damage = cmp.Or(s.damage, err.Error())
		}
	}
	if err := read(s.open); err != nil {
		s.damage = cmp.Or(s.damage, err.Error())
	}
	return messages
}

func (s *stream) gap() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.damage, s.order.Gap())
}
