package preflight

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/golden"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// goldens are clusters of which the whole output is kept.
func goldens() map[string]said {
	oldSystems := healthy(3)
	images := []string{"Rocky Linux 8.10 (Green Obsidian)", "Talos (v1.8.0)", "SUSE Linux Enterprise Server 15 SP5"}
	for i, image := range images {
		name := []string{"node-1", "node-2", "node-3"}[i]
		oldSystems.each("plugin", func(m *evidence.Message) bool {
			if m.Node != nil && m.Node.Name == name {
				m.Node.OSImage = image
			}
			return true
		})
		oldSystems.each("trial/"+name, func(m *evidence.Message) bool {
			if m.Trial != nil {
				m.Trial = &evidence.Trial{Missing: true, Error: "operation not supported"}
			}
			return true
		})
	}
	all := map[string]said{"k3s-ready": healthy(3), "k3s-no-module": oldSystems}
	for system, annotate := range map[string]func(*evidence.Node){
		"rke2": func(n *evidence.Node) {
			n.Kubelet = "v1.36.3+rke2r1"
			delete(n.Annotations, "k3s.io/node-args")
		},
		"flannel": func(n *evidence.Node) {
			n.Kubelet = "v1.36.3"
			delete(n.Annotations, "k3s.io/node-args")
		},
	} {
		s := healthy(2).each("plugin", func(m *evidence.Message) bool {
			if m.Node != nil {
				annotate(m.Node)
			}
			if m.Cluster != nil {
				m.Cluster = &evidence.Cluster{Version: "v1.36.3"}
			}
			return true
		})
		all[system+"-ready"] = s
	}
	return all
}

func TestGolden(t *testing.T) {
	for name, s := range goldens() {
		r := Judge(s.recorded())
		var text, document bytes.Buffer
		if err := r.Text(&text, Options{}); err != nil {
			t.Fatal(err)
		}
		if err := report.WriteData(&document, "json", r.Document()); err != nil {
			t.Fatal(err)
		}
		for extension, got := range map[string]string{".txt": text.String(), ".json": document.String(), ".sh": r.Script()} {
			golden.Compare(t, name+extension, []byte(got))
		}
	}
}

// Each script is one that the shell reads, and asks before each step.
func TestScriptIsAShells(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("needs a shell")
	}
	for name, s := range goldens() {
		script := Judge(s.recorded()).Script()
		command := exec.Command(shell, "-n")
		command.Stdin = strings.NewReader(script)
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
		lines := strings.Split(script, "\n")
		for i, line := range lines {
			if strings.HasPrefix(line, "run_on '") && !strings.HasPrefix(lines[i-1], "ask ") {
				t.Errorf("%s: not asked before %s", name, line)
			}
		}
	}
}

// What a cluster says of itself cannot leave its place: neither a comment nor a quoted
// word of the script, nor a line of the text.
func TestHostileNames(t *testing.T) {
	const evil = "Debian'\n; touch /tmp/owned #\x1b[2J\u202e$(reboot)"
	s := healthy(2).each("plugin", func(m *evidence.Message) bool {
		if m.Node != nil {
			m.Node.OSImage, m.Node.Kernel = evil, evil
		}
		return true
	}).each("trial/node-2", func(m *evidence.Message) bool {
		if m.Trial != nil {
			m.Trial = &evidence.Trial{Missing: true, Error: evil}
		}
		return true
	})
	r := Judge(s.recorded())
	for _, line := range strings.Split(r.Script(), "\n") {
		if strings.Contains(line, "touch /tmp/owned") && !strings.HasPrefix(line, "#") {
			t.Errorf("the script has the line %q", line)
		}
	}
	var written bytes.Buffer
	err := errors.Join(r.Text(&written, Options{}), report.WriteData(&written, "json", r.Document()),
		report.WriteData(&written, "yaml", r.Document()))
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(written.String()+r.Script(), "\x1b\u202e") {
		t.Error("an escape sequence or a mark that changes the order was written")
	}
}
