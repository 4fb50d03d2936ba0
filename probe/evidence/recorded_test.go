package evidence

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A large recording is compressed, and says what it was told all the same:
// order, completeness, duplicates, conflicts.
func TestLargeRecording(t *testing.T) {
	const streams, each = 40, 120
	r := NewRecording()
	name := func(i int) string { return StreamName("probe", fmt.Sprintf("node-%d", i)) }
	message := func(stream, seq int) *Message {
		m := &Message{Stream: name(stream), Seq: uint32(seq)}
		switch seq {
		case 1:
			m.Hello = &Hello{Schema: Schema}
		case each:
			m.Bye = &Bye{Messages: each}
		default:
			m.Problem = &Problem{Text: strings.Repeat(fmt.Sprintf("%d of %d ", seq, stream), 500)}
		}
		return m
	}
	random := rand.New(rand.NewPCG(1, 2))
	for stream := range streams {
		for _, seq := range random.Perm(each) {
			r.Add(message(stream, seq+1))
			r.Add(message(stream, seq+1)) // an exact duplicate
		}
	}
	compressed := 0
	for _, s := range r.streams {
		compressed += len(s.chunks)
	}
	if compressed == 0 {
		t.Fatal("nothing is compressed, so nothing is tested")
	}
	for stream := range streams {
		if gap := r.Gap(name(stream)); gap != "" {
			t.Errorf("%s: %s", name(stream), gap)
		}
		for i, m := range r.Messages(name(stream)) {
			got, _ := Encode(m)
			want, _ := Encode(message(stream, i+1))
			if !bytes.Equal(got, want) {
				t.Fatalf("%s has %.80s, want %.80s", name(stream), got, want)
			}
		}
	}
	var file bytes.Buffer
	if _, err := r.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	again, err := ReadRecording(&file)
	if err != nil || again.Gap(name(7)) != "" || len(again.Messages(name(7))) != each {
		t.Errorf("read again: %v, %d messages, gap %q", err, len(again.Messages(name(7))), again.Gap(name(7)))
	}
	if err := takeAll(again); err != nil {
		t.Error(err)
	}
	other := message(3, 50)
	other.Problem.Text = "another"
	r.Add(other)
	if gap := r.Gap(name(3)); !strings.Contains(gap, "two different messages 50") {
		t.Errorf("a conflict with a compressed message: %q", gap)
	}
}

// takeAll takes every stream once, which leaves it complete, and once more,
// which must not look like a stream that said nothing.
func takeAll(r *Recording) error {
	for _, stream := range r.Streams() {
		want := len(r.Messages(stream))
		if got := len(r.Take(stream)); got != want || r.Gap(stream) != "" {
			return fmt.Errorf("%s: took %d of %d messages, gap %q", stream, got, want, r.Gap(stream))
		}
		if got := len(r.Messages(stream)); got != 0 || r.Gap(stream) == "" {
			return fmt.Errorf("%s: took %d messages twice, gap %q", stream, got, r.Gap(stream))
		}
	}
	return nil
}

func TestRename(t *testing.T) {
	r := NewRecording()
	for i, stream := range []string{"early/one", "early/two"} {
		r.Add(&Message{Stream: stream, Seq: 1, Hello: &Hello{Schema: Schema}})
		r.Rename(stream, "probe/a")
		r.Add(&Message{Stream: []string{"probe/a", stream}[i], Seq: 2, Bye: &Bye{Messages: 2}})
	}
	if got := r.Streams(); !slices.Equal(got, []string{"early/two", "probe/a"}) {
		t.Errorf("%q; a name that is taken must not be given again", got)
	}
	if got := r.Messages("probe/a"); len(got) != 2 || got[0].Stream != "probe/a" || r.Gap("probe/a") != "" {
		t.Errorf("%d messages, gap %q", len(got), r.Gap("probe/a"))
	}
}
