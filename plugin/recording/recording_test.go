package recording

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A large recording is compressed, and returns what it was given all the same:
// order, completeness, duplicates, conflicts.
func TestLarge(t *testing.T) {
	const streams, each = 40, 120
	r := New()
	name := func(i int) string { return evidence.StreamName("probe", fmt.Sprintf("node-%d", i)) }
	message := func(stream, seq int) *evidence.Message {
		m := &evidence.Message{Stream: name(stream), Seq: uint32(seq)}
		switch seq {
		case 1:
			m.Hello = &evidence.Hello{Schema: evidence.Schema}
		case each:
			m.Bye = &evidence.Bye{Messages: each}
		default:
			m.Problem = &evidence.Problem{Text: strings.Repeat(fmt.Sprintf("%d of %d ", seq, stream), 500)}
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
			got, _ := evidence.Encode(m)
			want, _ := evidence.Encode(message(stream, i+1))
			if !bytes.Equal(got, want) {
				t.Fatalf("%s has %.80s, want %.80s", name(stream), got, want)
			}
		}
	}
	var file bytes.Buffer
	if _, err := r.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	again, err := Read(&file)
	if err != nil || again.Gap(name(7)) != "" || len(again.Messages(name(7))) != each {
		t.Errorf("read again: %v, %d messages, gap %q", err, len(again.Messages(name(7))), again.Gap(name(7)))
	}
	other := message(3, 50)
	other.Problem.Text = "another"
	r.Add(other)
	if gap := r.Gap(name(3)); !strings.Contains(gap, "two different messages 50") {
		t.Errorf("a conflict with a compressed message: %q", gap)
	}
}

func TestRename(t *testing.T) {
	r := New()
	for i, stream := range []string{"early/one", "early/two"} {
		r.Add(&evidence.Message{Stream: stream, Seq: 1, Hello: &evidence.Hello{Schema: evidence.Schema}})
		r.Rename(stream, "probe/a")
		r.Add(&evidence.Message{Stream: []string{"probe/a", stream}[i], Seq: 2, Bye: &evidence.Bye{Messages: 2}})
	}
	if got := r.Streams(); !slices.Equal(got, []string{"early/two", "probe/a"}) {
		t.Errorf("%q; a name that is taken must not be given again", got)
	}
	if got := r.Messages("probe/a"); len(got) != 2 || got[0].Stream != "probe/a" || r.Gap("probe/a") != "" {
		t.Errorf("%d messages, gap %q", len(got), r.Gap("probe/a"))
	}
}

func TestRoundTrip(t *testing.T) {
	r := New()
	for _, name := range []string{"probe/b", evidence.PluginStream, "probe/a"} {
		r.Add(&evidence.Message{Stream: name, Seq: 1, Hello: &evidence.Hello{Schema: evidence.Schema, Node: name}})
		r.Add(&evidence.Message{Stream: name, Seq: 2, Link: &evidence.Link{Name: "eth0"}})
		r.Add(&evidence.Message{Stream: name, Seq: 3, Bye: &evidence.Bye{Messages: 3}})
	}
	var first, second bytes.Buffer
	if _, err := r.WriteTo(&first); err != nil {
		t.Fatal(err)
	}
	again, err := Read(bytes.NewReader(first.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.WriteTo(&second); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) || !strings.HasPrefix(first.String(), `{"stream":"plugin"`) {
		t.Errorf("read again it differs:\n%s\n%s", &first, &second)
	}
	for _, name := range again.Streams() {
		if gap := again.Gap(name); gap != "" {
			t.Errorf("%s: %s", name, gap)
		}
	}
	if _, err := Read(strings.NewReader("")); !errors.Is(err, evidence.ErrDamaged) {
		t.Errorf("an empty recording: %v", err)
	}
}
