package wire

import (
	"bytes"
	"strings"
	"testing"
)

// What Hex writes, ParseRun reads. A mark or a key of another length is not a run's,
// and the error shows neither.
func TestRun(t *testing.T) {
	run, err := NewRun(testMark[:], testKey)
	if err != nil || run.Mark != testMark || !bytes.Equal(run.Key, testKey) {
		t.Fatal(run, err)
	}
	first := run.First()
	mark, key := first.Hex()
	again, err := ParseRun(mark, key)
	if err != nil || again.Mark != testMark || !bytes.Equal(again.Key, first.Key) || bytes.Equal(first.Key, testKey) {
		t.Errorf("%q, %q: %v, %v", mark, key, again, err)
	}
	for _, wrong := range [][2]string{
		{"", key}, {mark, ""}, {mark[2:], key}, {mark, key[2:]}, {mark + "00", key}, {mark, key + "00"},
		{"x" + mark[1:], key}, {mark, "x" + key[1:]},
	} {
		_, err := ParseRun(wrong[0], wrong[1])
		if err == nil || strings.Contains(err.Error(), mark[2:]) || strings.Contains(err.Error(), key[2:]) {
			t.Errorf("mark %q, key %q: %v", wrong[0], wrong[1], err)
		}
	}
}
