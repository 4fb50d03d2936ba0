package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/logs"
)

func TestLogsUsage(t *testing.T) {
	for line, want := range map[string]string{
		"logs --since 0s": "--since 0s is not positive", "logs --timeout 1ms": "--timeout 1ms is too short", "logs --nodes=": "--nodes is empty",
	} {
		code, _, stderr := main(t, strings.Fields(line)...)
		if code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, %s", line, code, stderr)
		}
	}
}

// fakeLogs has a log of each pod. A log that is followed ends, and has nothing
// new when it is opened again; the third time its pod is gone.
type fakeLogs struct {
	of     map[string]string
	mu     sync.Mutex
	opened map[string]int
}

func (f *fakeLogs) Log(ctx context.Context, s cluster.LogSource, _ time.Time, follow bool, each func(string)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.opened == nil {
		f.opened = make(map[string]int)
	}
	if f.opened[s.Pod]++; follow && f.opened[s.Pod] > 2 {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, s.Pod)
	}
	text, known := f.of[s.Pod]
	if !known {
		return errors.New("no such log")
	}
	for line := range strings.Lines(text) {
		each(strings.TrimSuffix(line, "\n"))
	}
	return nil
}

// buffer may be written to and read at the same time.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func testLogs() (*logReader, *buffer, *buffer) {
	out, notes := &buffer{}, &buffer{}
	return &logReader{
		client: &fakeLogs{of: map[string]string{
			"a": "2026-11-27T21:00:03Z could not create wireguard interface: operation not supported\n2026-11-27T21:00:01Z something else\n" +
				"2026-11-27T21:00:04Z could not create wireguard interface: operation not supported\n",
			"b": "2026-11-27T21:00:02Z wireguard with --token=K10abcdefabcdef::server:secret and \x1b[31mred\n",
		}},
		writer: logs.Writer{To: out, Show: shown}, note: func(text string) { fmt.Fprintln(notes, text) },
	}, out, notes
}

var testSources = []cluster.LogSource{{Node: "n1", Pod: "a"}, {Node: "n2", Pod: "b"}, {Node: "n3", Pod: "c"}}

// The decisive line comes first, and a log that cannot be read hides no other one.
func TestLogsOnce(t *testing.T) {
	l, out, notes := testLogs()
	if err := l.once(context.Background(), testSources); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if !strings.HasPrefix(text, "WG0201 n1: the kernel of this node has no WireGuard\n") || strings.Contains(text, "something else") {
		t.Error(text)
	}
	if strings.Contains(text, "K10abc") || strings.Contains(text, "\x1b") || !strings.Contains(text, "2026-11-27 21:00:02 n2 b: wireguard with") {
		t.Error(text)
	}
	if !strings.Contains(notes.String(), "n3 c: no such log") {
		t.Error(notes.String())
	}
	if err := l.once(context.Background(), testSources[2:]); err == nil {
		t.Error("no log could be read, and that is no error")
	}
}

// gone is a pipe whose reader has ended.
type gone struct{}

func (gone) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestLogsReaderGone(t *testing.T) {
	l, _, _ := testLogs()
	l.writer.To = gone{}
	if err := l.once(context.Background(), testSources); err != nil {
		t.Error(err)
	}
}

// Followed logs are in the order of time, each line once, though the streams end and
// are opened again.
func TestLogsFollow(t *testing.T) {
	l, out, _ := testLogs()
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(firstOrder+againTime+orderTime, cancel)
	err := l.follow(ctx, testSources[:2], func(context.Context) ([]cluster.LogSource, error) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	text := out.String()
	first, second := strings.Index(text, "21:00:02 n2"), strings.Index(text, "21:00:03 n1")
	if first < 0 || second < first || strings.Count(text, "operation not supported") != 2 ||
		strings.Count(text, "Fix:") != 1 || !strings.Contains(text, "    Fix: install the module") {
		t.Error(text)
	}
}
