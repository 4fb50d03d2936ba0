package scenario

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/flannel"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// step is a command of the report, with where it is to be run: a node's name, "operator", "each node", "each server".
type step struct {
	On      string `json:"on"`
	Command string `json:"command"`
}

// repair executes the commands that the report printed, to the letter, and has the cluster judged again. What a
// NetworkPolicy or a firewall kept closed before must be closed after.
func (t *Trial) repair(ctx context.Context) (err error) {
	cause := t.report.FirstCause
	if cause == nil || cause.Remedy == nil || len(cause.Remedy.Steps) == 0 {
		return errors.New("the report prints no commands that fix it, and the scenario does not say why")
	}
	began := time.Now()
	for _, node := range t.lab.Nodes {
		if err := t.standIn(ctx, node); err != nil {
			return err
		}
	}
	var guard guard = standInGuard{t.lab}
	if t.lab.Calico() || t.lab.Cilium() || t.lab.Services {
		guard = policyGuard{t.lab}
	}
	defer func() {
		err = errors.Join(err, guard.remove(context.WithoutCancel(ctx)))
	}()
	closed, err := guard.before(ctx)
	if err != nil {
		return err
	}
	return t.repaired(ctx, cause.Remedy.Steps, began, closed)
}

// repaired executes the steps, looks whether what was closed still is, and has the cluster judged again.
func (t *Trial) repaired(ctx context.Context, steps []step, began time.Time, closed func(context.Context) error) error {
	done, err := t.execute(ctx, steps)
	if err != nil {
		return err
	}
	settled := settle(ctx, t.lab)
	kept := closed(ctx)
	again := &Trial{lab: t.lab, api: t.api, verify: t.verify, said: newTranscript()}
	again.verify.Record = ""
	after, err := again.run(ctx, Scenario{})
	if err == nil {
		err = compare(after, pass)
	}
	if err != nil {
		err = fmt.Errorf("it does not pass: %w", errors.Join(err, again.report.says(), settled))
	}
	if err = errors.Join(kept, err); err != nil {
		return fmt.Errorf("repaired by\n  %s\n%w", strings.Join(done, "\n  "), err)
	}
	t.note(fmt.Sprintf("PASS by %d of its commands, what was closed stays closed", len(done)), began)
	return nil
}

// execute runs the steps where they are to be run, and returns what was run where.
func (t *Trial) execute(ctx context.Context, steps []step) (done []string, err error) {
	for _, s := range steps {
		for _, place := range t.places(s.On) {
			command := Command{Node: place, Argv: []string{"sh", "-c", s.Command}}
			if place == operator { // `kubectl wg` is the product under test
				command.Argv = append([]string{"env", "PATH=" + t.path(), "KUBE_EDITOR=" + editor}, command.Argv...)
			}
			if err := t.distribution(ctx, place); err != nil {
				return done, err
			}
			answer, err := execute(ctx, t.lab, command)
			if err != nil {
				return done, fmt.Errorf("repairing: on %s: %s: %w\n%s", place, s.Command, err, answer)
			}
			done = append(done, place+": "+s.Command)
		}
	}
	return done, nil
}

// distribution does what that of the cluster does by itself, before a command at a place.
func (t *Trial) distribution(ctx context.Context, place string) error {
	switch {
	case t.lab.Distribution == topology.RKE2:
		return t.upgradeChart(ctx)
	case t.lab.Distribution == "" && place != operator:
		return t.follow(ctx, place)
	}
	return nil
}

// path lets the operator's commands find kubectl and the product.
func (t *Trial) path() string {
	return filepath.Join(t.lab.Dist, "bin") + ":" + filepath.Dir(t.verify.Path) + ":/usr/local/bin:/usr/bin:/bin"
}

// places are those where a step is to be run, servers first; the lab's first node is its server.
func (t *Trial) places(on string) []string {
	switch on {
	case "each node":
		return t.lab.Nodes
	case "each server":
		return t.lab.Nodes[:1]
	}
	return []string{on}
}

//go:embed standin
var standIns embed.FS

// standIn gives a node the programs that commands for K3s rely on and that the lab does not have, and what starts the
// policy engine.
func (t *Trial) standIn(ctx context.Context, node string) error {
	unit := "k3s-agent"
	switch {
	case t.lab.Distribution != "":
		unit = "none"
	case slices.Index(t.lab.Nodes, node) == 0:
		unit = "k3s"
	}
	script := fmt.Sprintf("echo %s >/run/lab/unit\n", unit)
	for _, name := range []string{"systemctl", "reboot", "modprobe", "policy"} {
		text, err := standIns.ReadFile("standin/" + name)
		if err != nil {
			return fmt.Errorf("reading the stand-in for %s: %w", name, err)
		}
		script += fmt.Sprintf("cat >/usr/local/sbin/%[1]s <<'END OF FILE'\n%[2]sEND OF FILE\nchmod 755 /usr/local/sbin/%[1]s\n", name, text)
	}
	said, err := execute(ctx, t.lab, Command{Node: node, Argv: []string{"sh", "-e"}, Stdin: []byte(script)})
	if err != nil {
		return fmt.Errorf("giving %s its stand-ins: %w\n%s", node, err, said)
	}
	return nil
}

// follow does what K3s does when it starts: an agent asks its server for the backend, and the server notes how it was
// configured. It is done before each command, since any may restart K3s.
func (t *Trial) follow(ctx context.Context, node string) error {
	config, err := t.shell(ctx, t.lab.Nodes[0], "cat /etc/rancher/k3s/config.yaml 2>/dev/null || true")
	if err != nil {
		return err
	}
	backend := ""
	for line := range strings.Lines(config) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "flannel-backend:"); ok {
			backend = strings.TrimSuffix(strings.TrimSpace(value), "-native")
		}
	}
	if backend == "" {
		return nil
	}
	network := t.lab.Network
	network.Backend = backend
	commands := []Command{netConf(node, network, "")}
	if node == t.lab.Nodes[0] {
		commands = append(commands, nodeArgs(node, backend))
	}
	return t.apply(ctx, commands)
}

func (t *Trial) apply(ctx context.Context, commands []Command) error {
	return apply(ctx, t.lab, func([]string) []Command { return commands })
}

// netConf gives a node the flannel configuration of a network as K3s writes it; the backend's settings, as JSON, take
// the place of those that K3s makes.
func netConf(node string, network topology.Network, settings string) Command {
	conf, err := flannel.NetConf(network)
	if err != nil {
		panic(err) // constants
	}
	if settings != "" {
		conf = bytes.Replace(conf, []byte(`"PersistentKeepaliveInterval":25`), []byte(settings), 1)
	}
	return Command{Node: node, Argv: []string{"cp", "/dev/stdin", flannel.NetConfFile}, Stdin: bytes.TrimSpace(conf)}
}

// nodeArgs is the annotation in which a K3s server says what it was started with.
func nodeArgs(node, backend string) Command {
	if backend == "wireguard" {
		backend = "wireguard-native"
	}
	return kubectl("annotate", "--overwrite", "node", node, fmt.Sprintf(`k3s.io/node-args=["server","--flannel-backend",%q]`, backend))
}

// kubectl is a command of the operator.
func kubectl(argv ...string) Command {
	return Command{Node: operator, Argv: append([]string{"kubectl"}, argv...)}
}
