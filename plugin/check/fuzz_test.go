package check

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// FuzzJudge changes values of a healthy run at random places, keeping it
// readable: whatever a recording holds, judging it ends, comes to the same
// result twice, and never passes with a gap in a stream.
//
// Every three bytes are one change: which message, which of its values, and
// what becomes of it.
func FuzzJudge(f *testing.F) {
	var all []*evidence.Message
	base := record(f, healthy(2))
	for _, stream := range base.Streams() {
		all = append(all, base.Messages(stream)...)
	}
	f.Add([]byte{0, 0, 0})
	f.Add([]byte{3, 1, 2, 9, 4, 7, 40, 3, 5})
	for i := range all {
		f.Add([]byte{byte(i), byte(i * 7), byte(i % 8)})
	}
	f.Fuzz(func(t *testing.T, changes []byte) {
		changed := slices.Clone(all)
		for ; len(changes) >= 3; changes = changes[3:] {
			at := int(changes[0]) % len(changed)
			if m := change(changed[at], int(changes[1]), changes[2]); m != nil {
				changed[at] = m
			}
		}
		said := recording.New()
		for _, m := range changed {
			said.Add(m)
		}
		j := Judge(said)
		if again := Judge(said); again.Verdict != j.Verdict || len(again.Findings) != len(j.Findings) {
			t.Fatalf("judged twice: %s, then %s", j.Verdict, again.Verdict)
		}
		if j.Verdict != verdict.Passed {
			return
		}
		for _, stream := range said.Streams() {
			if gap := said.Gap(stream); gap != "" {
				t.Fatalf("passes though %s is incomplete: %s", stream, gap)
			}
		}
	})
}

// change returns the message with its n-th value changed, nil if it cannot be
// read any more.
func change(m *evidence.Message, n int, how byte) *evidence.Message {
	line, err := json.Marshal(m)
	if err != nil {
		return nil
	}
	var tree any
	if json.Unmarshal(line, &tree) != nil {
		return nil
	}
	leaves := 0
	walk(tree, func(any) any { leaves++; return nil })
	if leaves == 0 {
		return nil
	}
	n %= leaves
	tree = walk(tree, func(leaf any) any {
		if n--; n == -1 {
			return other(leaf, how)
		}
		return leaf
	})
	if line, err = json.Marshal(tree); err != nil {
		return nil
	}
	read, err := evidence.Decode(line)
	if err != nil {
		return nil
	}
	return read
}

// walk replaces every leaf of a JSON value, in an order that is always the same.
func walk(tree any, replace func(any) any) any {
	switch v := tree.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			if next := walk(v[key], replace); next != nil {
				v[key] = next
			}
		}
		return v
	case []any:
		for i := range v {
			if next := walk(v[i], replace); next != nil {
				v[i] = next
			}
		}
		return v
	default:
		return replace(tree)
	}
}

func other(leaf any, how byte) any {
	switch v := leaf.(type) {
	case float64:
		return []any{0.0, v + 1, v - 1, -v, v * 1000, 1e9, -1.0, 4294967295.0}[how%8]
	case bool:
		return !v
	case string:
		return []any{"", "node-1", "node-9", "flannel-wg", "eth0", "10.42.0.2", v + v, "\x1b[2J"}[how%8]
	default:
		return leaf
	}
}
