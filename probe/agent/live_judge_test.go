//go:build linux

package agent

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// judge is the plugin, built once. It is run, not imported: the probe shares
// nothing with it but the contract.
var judge plugin

type plugin struct {
	build  sync.Once
	folder string
	err    error
}

const pluginPackage = "github.com/kubectl-wg/kubectl-wg/cmd/kubectl-wg"

func (p *plugin) path(t *testing.T) string {
	t.Helper()
	p.build.Do(func() {
		if p.folder, p.err = os.MkdirTemp("", "kubectl-wg-judge-"); p.err != nil {
			return
		}
		command := exec.Command("go", "build", "-trimpath", "-o", p.folder+"/", pluginPackage)
		command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off") // as `make build`, whose cache it shares
		var out []byte
		if out, p.err = command.CombinedOutput(); p.err != nil {
			p.err = fmt.Errorf("%w: %s", p.err, out)
		}
	})
	if p.err != nil {
		t.Fatalf("building the judge: %v", p.err)
	}
	return filepath.Join(p.folder, "kubectl-wg")
}

func (p *plugin) remove() {
	if p.folder != "" {
		os.RemoveAll(p.folder)
	}
}

// outcome is what these tests read of the plugin's report.
type outcome struct {
	Verdict    string
	FirstCause struct{ Code, Text string }
	Findings   []struct{ Code, Status, Text string }
	Classes    []struct{ Class, Cell, Why string }
}

// judged records the run and has the plugin judge it.
func (l *live) judged() (o outcome) {
	l.t.Helper()
	file := filepath.Join(l.t.TempDir(), "run.ndjson")
	if keep := os.Getenv("WG_TEST_RECORD"); keep != "" {
		file = filepath.Join(keep, "live-"+filepath.Base(l.t.Name())+".ndjson")
	}
	l.record(file)
	replay := exec.Command(judge.path(l.t), "replay", "-o", "json", file)
	out, err := replay.Output() // its exit code is that of the verdict
	if problem := json.Unmarshal(out, &o); problem != nil {
		l.t.Fatalf("judging: %v, %v", err, problem)
	}
	return o
}

// record writes what everyone said as the plugin records it: a message a line.
func (l *live) record(file string) {
	l.t.Helper()
	out, err := os.Create(file)
	if err != nil {
		l.t.Fatal(err)
	}
	defer out.Close()
	keep := func(m *evidence.Message) {
		line, err := evidence.Encode(m)
		if err != nil {
			l.t.Fatal(err)
		}
		if _, err := out.Write(line); err != nil {
			l.t.Fatal(err)
		}
	}
	messages := append(l.plugin(), evidence.Message{})
	for i := range messages {
		m := &messages[i]
		m.Stream, m.Seq = evidence.PluginStream, uint32(i+1)
		if i == len(messages)-1 {
			m.Bye = &evidence.Bye{Messages: m.Seq}
		}
		keep(m)
	}
	for i := range 2 {
		for _, m := range l.tests[i].stream {
			m.Stream = evidence.StreamName("pod", nodeName(i))
			keep(m)
		}
		for _, m := range l.probes[i].stream {
			m.Stream = evidence.StreamName("probe", nodeName(i))
			keep(m)
		}
	}
}

// want compares the outcome with the verdicts that are right, and the first
// causes that are; none for a PASS.
func (o outcome) want(t *testing.T, verdict string, causes ...string) {
	t.Helper()
	caused := slices.Contains(causes, o.FirstCause.Code)
	if len(causes) == 0 {
		caused = o.FirstCause.Code == ""
	}
	if caused && slices.Contains(strings.Fields(verdict), o.Verdict) {
		return
	}
	t.Errorf("got %s %s %q, want %s %v", o.Verdict, o.FirstCause.Code, o.FirstCause.Text, verdict, causes)
	for _, f := range o.Findings {
		if f.Status != "pass" && f.Status != "notApplicable" {
			t.Logf("%s %s: %s", f.Code, f.Status, f.Text)
		}
	}
}
