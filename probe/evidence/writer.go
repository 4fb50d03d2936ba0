package evidence

import (
	"fmt"
	"io"
	"sync"
)

// Writer writes one stream: it numbers the messages and counts them for Bye.
// It is safe for use by several goroutines.
type Writer struct {
	mu   sync.Mutex
	w    io.Writer
	seq  uint32
	done bool
}

// NewWriter returns a writer of a new stream to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write numbers and writes m. A message too long to be sent is replaced by a
// Problem that says so, since a silent gap would be worse.
func (w *Writer) Write(m Message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return fmt.Errorf("writing after bye")
	}
	if m.Progress == nil {
		w.seq++
		m.Seq = w.seq
	}
	line, err := Encode(&m)
	if err != nil {
		line, err = Encode(&Message{Seq: m.Seq, Problem: &Problem{
			Class: ProblemInternal, What: ProblemEncode, Text: err.Error(),
		}})
		if err != nil {
			return err
		}
	}
	_, err = w.w.Write(line)
	return err
}

// Bye ends the stream.
func (w *Writer) Bye() error {
	w.mu.Lock()
	next := w.seq + 1
	w.mu.Unlock()
	err := w.Write(Message{Bye: &Bye{Messages: next}})
	w.mu.Lock()
	w.done = true
	w.mu.Unlock()
	return err
}
