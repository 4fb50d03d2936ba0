package evidence

import (
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

// Gap says what is wrong with a stream's completeness: empty if it begins with
// Hello, ends with Bye and holds each message in between exactly once. Order
// and exact duplicates do not matter.
func Gap(messages []*Message) string {
	numbered := make([]*Message, 0, len(messages))
	for _, m := range messages {
		if m.Seq != 0 {
			numbered = append(numbered, m)
		} else if m.Progress == nil {
			return "it holds a message without a number"
		}
	}
	slices.SortStableFunc(numbered, func(a, b *Message) int { return int(int64(a.Seq) - int64(b.Seq)) })
	var last uint32
	var bye *Bye
	for _, m := range numbered {
		if m.Seq == last {
			continue // Merge has already told equal ones from conflicting ones
		}
		switch {
		case m.Seq != last+1:
			return fmt.Sprintf("message %d is missing", last+1)
		case bye != nil:
			return "it goes on after its end"
		case m.Seq == 1 && m.Hello == nil:
			return "it does not begin with hello"
		}
		last, bye = m.Seq, m.Bye
	}
	switch {
	case last == 0:
		return "it is empty"
	case bye == nil:
		return fmt.Sprintf("it broke off after message %d", last)
	case bye.Messages != last:
		return fmt.Sprintf("it has %d messages and says it has %d", last, bye.Messages)
	}
	return ""
}
