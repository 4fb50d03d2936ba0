package command

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/logs"
	"github.com/kubectl-wg/kubectl-wg/plugin/run"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func TestLogsHostUsage(t *testing.T) {
	for line, want := range map[string]string{
		"logs --host -f": "--host reads once", "logs --image x": "--image is about pods that only --host starts",
		"logs --node-selector a=b":            "--node-selector is about pods",
		"logs --host --image-pull-policy Now": "invalid value", "logs --host --timeout 2s": "the minimum is 5s",
	} {
		code, _, stderr := main(t, strings.Fields(line)...)
		if code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, %s", line, code, stderr)
		}
	}
}

// Lines of nodes and of pods are one list in the order of time, without secrets, the
// decisive line first. What a node sends beyond is not shown.
func TestLogsOfHosts(t *testing.T) {
	l, out, _ := testLogs()
	pods, err := l.read(t.Context(), testSources[1:2])
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 27, 21, 0, 0, 0, time.UTC).UnixNano()
	host := &hostLogs{}
	agent := run.Agent{Node: &evidence.Node{Name: "n3"}}
	for i, text := range []string{
		"Starting flannel with backend wireguard-native",
		"not about it",
		"wireguard private_key=aGVsbG8gdGhpcyBpcyBhIHNlY3JldCBrZXkgMTIzNDU2Nzg= \x1b[31m",
		"wireguard aGVsbG8gdGhpcyBpcyBhIHNlY3JldCBrZXkgMTIzNDU2Nzg= in prose",
		`level=fatal msg="flannel exited: could not create wireguard interface: operation not supported"`,
	} {
		line := &evidence.HostLine{Source: "k3s", Text: text, Time: at + int64(i)*int64(time.Second)}
		if host.hear(agent, &evidence.Message{HostLine: line}) {
			t.Error("a line was recorded")
		}
	}
	if err := l.write(append(pods, host.lines...)); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if !strings.HasPrefix(text, "WG0201 n3: the kernel of this node has no WireGuard\n  n3 host k3s: ") {
		t.Errorf("the decisive line is not the first:\n%s", text)
	}
	for _, secret := range []string{"aGVsbG8", "\x1b", "K10abc", "not about it"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is shown:\n%s", secret, text)
		}
	}
	list := text[strings.Index(text, "\n\n")+1:]
	first, second := strings.Index(text, "21:00:00 n3 host k3s: Starting"), strings.Index(text, "21:00:02 n2 b: wireguard with")
	if first < 0 || second < first || strings.Count(list, "(hidden)") < 3 {
		t.Error(text)
	}
}

// What was not read of a node's logs is said.
func TestMissingOfHosts(t *testing.T) {
	notes := missingOf("n1", &evidence.HostLogs{Left: 7, Logs: []evidence.HostLog{
		{Name: "journal", Compressed: 2, Error: "reading /var/log/journal: permission denied"},
		{Name: "kernel", Error: "operation not permitted"},
	}})
	text := fmt.Sprint(strings.Join(notes, "\n"))
	for _, want := range []string{
		"n1: of the log journal not all could be read: reading /var/log/journal: permission denied",
		"n1: long messages that the journal has compressed and that were not read: 2", "n1: of the log kernel not all", "n1: 7 older lines",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing:\n%s", want, text)
		}
	}
	if notes = missingOf("n1", &evidence.HostLogs{Logs: []evidence.HostLog{{Name: "kernel"}}}); len(notes) != 1 {
		t.Errorf("%q", notes)
	}
	host := &hostLogs{all: true}
	host.lines = make([]logs.Line, maxLogLines)
	host.hear(run.Agent{Node: &evidence.Node{Name: "a"}}, &evidence.Message{HostLine: &evidence.HostLine{}})
	if host.left != 1 || len(host.lines) != maxLogLines {
		t.Errorf("%d left", host.left)
	}
}
