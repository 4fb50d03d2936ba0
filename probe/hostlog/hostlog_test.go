//go:build linux

package hostlog

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// now is a minute after the last line of the journal in probe/journal/testdata.
var now = time.UnixMicro(1764277200000000).Add(3 * time.Minute).Add(30 * time.Second)

const journalPath = "/var/log/journal/0123456789abcdef0123456789abcdef/system.journal"

// host is a folder with these files of a host, by their paths; a name of
// probe/journal/testdata stands for that file.
func host(t *testing.T, files map[string]string) Reader {
	t.Helper()
	folder := t.TempDir()
	for path, content := range files {
		if strings.HasSuffix(path, ".journal") {
			content = unpacked(t, content)
		}
		path = filepath.Join(folder, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return Reader{
		Folder: folder, Now: func() time.Time { return now },
		Kernel: func() (Messages, error) {
			return Messages{Up: time.Hour, Text: "<6>[ 3590.500000] wireguard: loaded\n<4>[    1.000000][    T1] booted\n<5>no time\n"}, nil
		},
	}
}

func unpacked(t *testing.T, name string) string {
	t.Helper()
	file, err := os.Open("../journal/testdata/" + name + ".journal.gz")
	if err != nil {
		return name // no journal
	}
	defer file.Close()
	packed, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(packed)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func read(t *testing.T, reader Reader, match string, last time.Duration) ([]string, evidence.HostLogs) {
	t.Helper()
	lines, logs, err := reader.Read(context.Background(), evidence.HostLogsRequest{Last: last.Milliseconds(), Match: match})
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	before := int64(0)
	for _, line := range lines {
		if line.Time < before {
			t.Errorf("%+v is out of order", line)
		}
		before = line.Time
		texts = append(texts, line.Source+": "+line.Text)
	}
	return texts, logs
}

func logOf(logs evidence.HostLogs, name string) evidence.HostLog {
	at := slices.IndexFunc(logs.Logs, func(l evidence.HostLog) bool { return l.Name == name })
	if at < 0 {
		return evidence.HostLog{}
	}
	return logs.Logs[at]
}

// Of a journal the lines of the wanted units and of the kernel are read, and what is
// compressed is counted. The kernel's own log is not read besides it.
func TestJournal(t *testing.T) {
	for _, folder := range []string{"/var/log", "/run/log"} {
		path := strings.Replace(journalPath, "/var/log", folder, 1)
		lines, logs := read(t, host(t, map[string]string{path: "compact-zstd"}), "", time.Hour)
		text := strings.Join(lines, "\n")
		for _, want := range []string{
			"k3s: level=fatal msg=\"flannel exited: ", "k3s-agent: line 2 of", "kernel: wireguard: WireGuard 1.0.0 loaded",
			"k3s: first line second line of wireguard",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is missing", folder, want)
			}
		}
		if strings.Contains(text, "ssh") || strings.Contains(text, "booted") {
			t.Errorf("%s: lines of others:\n%s", folder, text)
		}
		if journal := logOf(logs, "journal"); journal.Compressed != 1 || journal.Lines != uint64(len(lines)) || journal.Error != "" {
			t.Errorf("%s: %+v for %d lines", folder, journal, len(lines))
		}
		if len(logs.Logs) != 1 || logs.Left != 0 {
			t.Errorf("%s: %+v", folder, logs)
		}
	}
}

func TestMatchAndSince(t *testing.T) {
	reader := host(t, map[string]string{journalPath: "regular"})
	lines, logs := read(t, reader, "flannel exited", time.Hour)
	if len(lines) != 1 || logOf(logs, "journal").Lines != 1 {
		t.Errorf("%q, %+v", lines, logs)
	}
	if lines, _ = read(t, reader, "flannel exited", time.Minute); len(lines) > 0 {
		t.Errorf("%q is older than a minute", lines)
	}
	request := evidence.HostLogsRequest{Last: time.Hour.Milliseconds(), Words: []string{"nothing", "flannel exited"}}
	if found, _, err := reader.Read(context.Background(), request); err != nil || len(found) != 1 {
		t.Errorf("%+v have one of the words: %v", found, err)
	}
	_, _, err := reader.Read(context.Background(), evidence.HostLogsRequest{Match: "("})
	if err == nil {
		t.Error("( is no regular expression, and that is no error")
	}
}

// Where there is no systemd the log of K3s is a file, and the kernel is asked itself.
func TestWithoutSystemd(t *testing.T) {
	lines, logs := read(t, host(t, map[string]string{"/var/log/k3s.log": `before any time
time="2025-11-27T22:01:00+01:00" level=info msg="Starting flannel with backend wireguard-native"
E1127 22:02:00.000000    2345 main.go:359] could not create wireguard interface: operation not supported
  a second line of that
time="2025-11-27T20:00:00+01:00" level=info msg="too early"
`}), "", time.Hour)
	want := []string{
		"/var/log/k3s.log: before any time", "kernel: no time",
		`/var/log/k3s.log: time="2025-11-27T22:01:00+01:00" level=info msg="Starting flannel with backend wireguard-native"`,
		"/var/log/k3s.log: E1127 22:02:00.000000    2345 main.go:359] could not create wireguard interface: operation not supported",
		"/var/log/k3s.log:   a second line of that",
		"kernel: wireguard: loaded",
	}
	if booted := "kernel: booted"; slices.Contains(lines, booted) {
		lines = slices.DeleteFunc(lines, func(s string) bool { return s == booted })
	} else {
		t.Error("the line of 1 s after the start is missing")
	}
	if !slices.Equal(lines, want) {
		t.Errorf("%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if logOf(logs, "kernel").Lines != 3 || logOf(logs, "/var/log/k3s.log").Lines != 4 || len(logs.Logs) != 2 {
		t.Errorf("%+v", logs)
	}
}

// What cannot be read is said, with its path on the host, and hides nothing else.
func TestUnreadable(t *testing.T) {
	reader := host(t, map[string]string{
		journalPath: "regular", strings.Replace(journalPath, "system", "system@1", 1): "this is no journal",
	})
	if err := os.Symlink("/etc/passwd", reader.Folder+"/var/log/k3s.log"); err != nil {
		t.Fatal(err)
	}
	lines, logs := read(t, reader, "", time.Hour)
	broken := logOf(logs, "journal").Error
	if len(lines) < 20 || !strings.HasPrefix(broken, "reading /var/log/journal/") || !strings.Contains(broken, "system@1") {
		t.Errorf("%d lines, %q", len(lines), broken)
	}
	if link := logOf(logs, "/var/log/k3s.log"); link.Error == "" || link.Lines > 0 {
		t.Errorf("a link was followed: %+v", link)
	}
	reader = host(t, nil)
	reader.Kernel = func() (Messages, error) {
		return Messages{}, errors.New("reading the kernel's log: operation not permitted")
	}
	lines, logs = read(t, reader, "", time.Hour)
	if len(lines) > 0 || len(logs.Logs) != 1 || logOf(logs, "kernel").Error == "" {
		t.Errorf("%q, %+v", lines, logs)
	}
}

// The newest lines are kept, and the others counted.
func TestBounds(t *testing.T) {
	var n newest
	for i := range 3*maxLines + 7 {
		n.add(evidence.HostLine{Time: int64(i ^ 1), Text: "x"})
	}
	lines := n.take()
	if len(lines) != maxLines || n.left != 2*maxLines+7 || lines[0].Time < 2*maxLines {
		t.Errorf("%d lines from %d on, %d left", len(lines), lines[0].Time, n.left)
	}
	n = newest{}
	for i := range 5000 {
		n.add(evidence.HostLine{Time: int64(i), Text: plain(strings.Repeat("ü", 5000))})
	}
	if lines = n.take(); n.bytes > maxBytes || len(lines) != maxBytes/len(lines[0].Text) || n.left+uint64(len(lines)) != 5000 {
		t.Errorf("%d lines of %d bytes, %d left", len(lines), n.bytes, n.left)
	}
	if text := plain("a\x1b[31m\nb\xffc\x00" + strings.Repeat("<", 5000)); strings.ContainsAny(text, "\x1b\n\x00") || len(text) > evidence.MaxHostText {
		t.Errorf("%q", text)
	}
}

// The kernel's own log can be read where the test may.
func TestKernelMessages(t *testing.T) {
	messages, err := kernelMessages()
	if err != nil {
		t.Skip("needs CAP_SYSLOG: ", err)
	}
	if messages.Up <= 0 {
		t.Errorf("the kernel has been up for %s", messages.Up)
	}
}
