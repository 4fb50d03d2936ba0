//go:build linux

package agent

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/hostlog"
)

// A session of an agent whose host has a journal file of systemd's own.
//
//	agent ── /host/var/log/journal/ID/system.journal (made by systemd-journal-remote)
func TestHostLogsOfAJournal(t *testing.T) {
	packed, err := os.Open("../journal/testdata/compact.journal.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	folder := filepath.Join(root, "var/log/journal/0123456789abcdef0123456789abcdef")
	if err := errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(filepath.Join(folder, "system.journal"), content, 0o640)); err != nil {
		t.Fatal(err)
	}
	reader := hostlog.Reader{Folder: root, Now: func() time.Time { return time.Unix(1764277500, 0) }}
	messages, err := talk(t, Options{Host: &fakeHost{}, HostLogs: reader.Read}, start("logs"),
		evidence.Request{ID: 2, HostLogs: &evidence.HostLogsRequest{Last: time.Hour.Milliseconds(), Match: "could not create wireguard"}},
		evidence.Request{ID: 3, End: &evidence.EndRequest{}})
	if err != nil {
		t.Fatal(err)
	}
	var lines []*evidence.HostLine
	for _, m := range messages {
		if m.HostLine != nil {
			lines = append(lines, m.HostLine)
		}
		if m.HostLogs != nil && (m.HostLogs.Logs[0].Name != "journal" || m.HostLogs.Logs[0].Lines != 1) {
			t.Errorf("%+v", m.HostLogs)
		}
	}
	if len(lines) != 1 || lines[0].Source != "k3s" || !strings.Contains(lines[0].Text, "wireguard interface: operation not supported") {
		t.Errorf("%+v", lines)
	}
}
