package evidence

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// PluginStream is the name of the plugin's own stream.
const PluginStream = "plugin"

// StreamName returns the name of an agent's stream, e.g. "probe/node-1".
func StreamName(role, node string) string { return role + "/" + node }

// SplitStream is the inverse of StreamName; node is empty for the plugin.
func SplitStream(name string) (role, node string) {
	role, node, _ = strings.Cut(name, "/")
	return role, node
}

// Gap is the Gap of a Sequence of these messages.
func Gap(messages []*Message) string {
	var s Sequence
	for _, m := range messages {
		s.Add(m)
	}
	return s.Gap()
}

// Sequence is of a stream what its completeness rests on: the numbers of its
// messages, and where it says that it begins and ends. The zero value is a
// stream without messages.
type Sequence struct{ heads []head }

// head is what a Sequence keeps of one message.
type head struct {
	seq                  uint32
	hello, bye, progress bool
	messages             uint32 // of bye
}

// Add adds a message. Order and exact duplicates do not matter.
func (s *Sequence) Add(m *Message) {
	h := head{seq: m.Seq, hello: m.Hello != nil, bye: m.Bye != nil, progress: m.Progress != nil}
	if h.bye {
		h.messages = m.Bye.Messages
	}
	s.heads = append(s.heads, h)
}

// Len is the number of messages that were added.
func (s *Sequence) Len() int { return len(s.heads) }

// Gap reports what is wrong with the stream's completeness: empty if it begins
// with Hello, ends with Bye and holds each message in between exactly once.
func (s *Sequence) Gap() string {
	numbered := make([]head, 0, len(s.heads))
	for _, h := range s.heads {
		if h.seq != 0 {
			numbered = append(numbered, h)
		} else if !h.progress {
			return "it holds a message without a number"
		}
	}
	slices.SortStableFunc(numbered, func(a, b head) int { return cmp.Compare(a.seq, b.seq) })
	var last head
	for _, h := range numbered {
		if h.seq == last.seq {
			continue // whoever keeps the stream has already separated equal ones from conflicting ones
		}
		switch {
		case h.seq != last.seq+1:
			return fmt.Sprintf("message %d is missing", last.seq+1)
		case last.bye:
			return "it goes on after its end"
		case h.seq == 1 && !h.hello:
			return "it does not begin with hello"
		}
		last = h
	}
	switch {
	case last.seq == 0:
		return "it is empty"
	case !last.bye:
		return fmt.Sprintf("it broke off after message %d", last.seq)
	case last.messages != last.seq:
		return fmt.Sprintf("it has %d messages and says it has %d", last.seq, last.messages)
	}
	return ""
}
