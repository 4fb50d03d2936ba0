package check

import (
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// streamsOf returns a recording's messages by stream, to be changed and
// recorded again.
func streamsOf(t *testing.T, name string) map[string][]evidence.Message {
	streams := map[string][]evidence.Message{}
	whole := load(t, name)
	for _, stream := range whole.Streams() {
		for _, m := range whole.Messages(stream) {
			if m.Bye != nil {
				continue
			}
			changed := *m
			changed.Seq = 0
			streams[stream] = append(streams[stream], changed)
		}
	}
	return streams
}

// edit calls change for every message of the probe on node-1.
func edit(change func(m *evidence.Message)) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) { each(s["probe/node-1"], change) }
}

func editLink(name string, change func(l *evidence.Link)) func(map[string][]evidence.Message) {
	return edit(func(m *evidence.Message) {
		if m.Link != nil && m.Link.Name == name {
			change(m.Link)
		}
	})
}

func editCapture(name string, change func(c *evidence.Capture)) func(map[string][]evidence.Message) {
	return edit(func(m *evidence.Message) {
		if m.Capture != nil && m.Capture.Link == name {
			change(m.Capture)
		}
	})
}

// twice adds, in front of and behind the messages of one kind, changed copies.
func twice(stream string, changed func(m evidence.Message) *evidence.Message) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) {
		for i := range s[stream] {
			if other := changed(s[stream][i]); other != nil {
				s[stream] = slices.Insert(s[stream], i, *other)
				return
			}
		}
	}
}

func add(stream string, messages ...evidence.Message) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) { s[stream] = append(s[stream], messages...) }
}

// swap exchanges the messages of one kind between the probes of two nodes.
func swap(which func(*evidence.Message) bool) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) {
		taken := map[string][]evidence.Message{}
		for _, stream := range []string{"probe/node-1", "probe/node-2"} {
			for _, m := range s[stream] {
				if which(&m) {
					taken[stream] = append(taken[stream], m)
				}
			}
			s[stream] = slices.DeleteFunc(s[stream], func(m evidence.Message) bool { return which(&m) })
		}
		s["probe/node-1"] = slices.Concat(taken["probe/node-2"], s["probe/node-1"])
		s["probe/node-2"] = slices.Concat(taken["probe/node-1"], s["probe/node-2"])
		for _, stream := range []string{"probe/node-1", "probe/node-2"} { // hello is the first
			slices.SortStableFunc(s[stream], func(a, b evidence.Message) int { return first(b) - first(a) })
		}
	}
}

func first(m evidence.Message) int {
	if m.Hello != nil {
		return 1
	}
	return 0
}
