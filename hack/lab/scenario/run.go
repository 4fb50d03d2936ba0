package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/remote"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/supervisor"
)

// Verify is how the product is called.
type Verify struct {
	Path    string   // of kubectl-wg
	Args    []string // after `verify -o json`
	Timeout time.Duration
	Record  string // directory that recordings are kept in, empty for none
	Probe   string // archive of the probe's image, which the scenarios of lying probes tamper with
}

// Outcome is what a scenario came to.
type Outcome struct {
	Scenario Scenario
	Got      Want
	Took     time.Duration
	Gone     time.Duration // from the command's end, or that of its cleanup, until nothing was left
	Notes    []string      // what was measured meanwhile
	// Problem is why the outcome is not the expected one; nil if it is.
	Problem error
	// Undecided means that the Problem is this alone: the verdict should be PASS, and is INCONCLUSIVE.
	Undecided bool
	Output    string // what the command said on stderr
}

// Run applies the scenario to the lab, runs the command, and takes the sabotage back.
func Run(ctx context.Context, lab *state.Lab, scenario Scenario, verify Verify) (outcome Outcome) {
	outcome.Scenario = scenario
	client, err := connect(lab)
	if err != nil {
		outcome.Problem = err
		return outcome
	}
	trial := &Trial{lab: lab, api: client, verify: verify, said: newTranscript()}
	if scenario.Disturb != nil { // what is left in the end will be this run's
		if err := Empty(ctx, lab); err != nil {
			outcome.Problem = err
			return outcome
		}
	}
	if err := until(ctx, patience, trial.notReady); err != nil {
		outcome.Problem = fmt.Errorf("before the scenario: %w", err)
		return outcome
	}
	if err := settle(ctx, lab); err != nil {
		outcome.Problem = err
		return outcome
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), verify.Timeout) // as patient as with the command
		defer cancel()
		if err := apply(ctx, lab, scenario.Restore); err != nil {
			outcome.Problem = errors.Join(outcome.Problem, fmt.Errorf("taking the sabotage back: %w", err))
			outcome.Undecided = false
		}
	}()
	err = errors.Join(plant(ctx, lab, scenario.Lies, verify.Probe), apply(ctx, lab, scenario.Sabotage), scenario.Witness.begin(ctx, lab))
	if err != nil {
		outcome.Problem = fmt.Errorf("sabotaging: %w", err)
		return outcome
	}
	began := time.Now()
	outcome.Got, outcome.Problem = trial.run(ctx, scenario)
	outcome.Took = time.Since(began)
	outcome.Problem = errors.Join(outcome.Problem, scenario.Witness.testify(ctx, trial), trial.bounded(), trial.spoke(scenario.Says), trial.takeNotes(ctx, scenario))
	if outcome.Problem == nil {
		outcome.Problem = errors.Join(compareAny(outcome.Got, append([]Want{scenario.Want}, scenario.Or...)), scenario.examine(trial.report))
		if outcome.Problem != nil {
			outcome.Problem = errors.Join(outcome.Problem, trial.report.says())
			outcome.Undecided = scenario.Disturb == nil && scenario.Want.Verdict == "PASS" && outcome.Got.Verdict == "INCONCLUSIVE"
		}
	}
	if outcome.Problem == nil && scenario.Want.Verdict == "FAIL" && scenario.Unmendable == "" {
		outcome.Problem = trial.repair(ctx)
	}
	if scenario.After != nil {
		outcome.Problem = errors.Join(outcome.Problem, scenario.After(ctx, trial))
	}
	outcome.Notes, outcome.Output = trial.notes, trial.said.String()
	if scenario.Disturb == nil {
		return outcome // the cluster removes a namespace within seconds, which are not waited for each time
	}
	began = time.Now()
	if err := until(ctx, patience, trial.left); err != nil {
		outcome.Problem = errors.Join(outcome.Problem, err, trial.sweep(ctx))
	}
	outcome.Gone = time.Since(began)
	return outcome
}

// Empty waits until nothing of all runs is left in the lab. What stays is removed, and an error.
func Empty(ctx context.Context, lab *state.Lab) error {
	client, err := connect(lab)
	if err != nil {
		return err
	}
	trial := &Trial{lab: lab, api: client}
	if err := until(ctx, patience, trial.left); err != nil {
		return errors.Join(err, trial.sweep(ctx))
	}
	return nil
}

// patience is how long a cluster may take to remove what the command asked it to. After its API server died, the
// controller manager may wait for half a minute before it watches namespaces again, and try a removal in steps of 5, 10
// and 20 s.
const patience = 2 * time.Minute

func apply(ctx context.Context, lab *state.Lab, commands func([]string) []Command) error {
	if commands == nil {
		return nil
	}
	for _, command := range commands(lab.Nodes) {
		if said, err := execute(ctx, lab, command); err != nil {
			return fmt.Errorf("on %s: %w\n%s", command.Node, err, said)
		}
	}
	return nil
}

// execute runs a command at its place and returns what it said. That it failed is an error.
func execute(ctx context.Context, lab *state.Lab, command Command) (string, error) {
	var said bytes.Buffer
	streams := remote.Streams{Stdin: bytes.NewReader(command.Stdin), Stdout: &said, Stderr: &said}
	var code int
	var err error
	switch command.Node {
	case operator:
		path := "PATH=" + filepath.Join(lab.Dist, "bin") + ":" + os.Getenv("PATH")
		local := exec.CommandContext(ctx, "env", append([]string{path}, command.Argv...)...)
		local.Env = append(os.Environ(), "KUBECONFIG="+lab.Kubeconfig(), "LAB="+lab.Name)
		local.Stdin, local.Stdout, local.Stderr = bytes.NewReader(command.Stdin), &said, &said
		err = local.Run()
	case network:
		code, err = supervisor.Exec(ctx, lab, "", append([]string{"env", "LAB=" + lab.Name}, command.Argv...), streams)
	default:
		code, err = supervisor.Exec(ctx, lab, command.Node, command.Argv, streams)
	}
	if err == nil && code != 0 {
		err = fmt.Errorf("exit status %d", code)
	}
	return strings.TrimSpace(said.String()), err
}

// settle waits until the tunnels carry traffic again: WireGuard repeats a handshake that was lost only after seconds.
func settle(ctx context.Context, lab *state.Lab) error {
	if lab.Calico() {
		return settleCalico(ctx, lab)
	}
	if lab.Cilium() {
		return settleCilium(ctx, lab)
	}
	if err := settleDaemonSet(ctx, lab); err != nil {
		return err
	}
	if lab.Backend != "wireguard" {
		return nil
	}
	for _, node := range lab.Nodes {
		script := ""
		for peer := range lab.Nodes {
			for _, address := range lab.Families.Inside(peer + 1) {
				script += untilAnswered(address)
			}
		}
		if said, err := execute(ctx, lab, shell(node, "%s", script)); err != nil {
			return fmt.Errorf("waiting for the tunnels of %s to work before the sabotage: %w\n%s", node, err, said)
		}
	}
	return nil
}

// report is the part of the command's JSON that the lab relies on.
type report struct {
	Verdict    string `json:"verdict"`
	FirstCause *struct {
		Code   string `json:"code"`
		Text   string `json:"text"`
		Remedy *struct {
			Title string `json:"title"`
			Steps []step `json:"steps"`
		} `json:"remedy"`
	} `json:"firstCause"`
	// Causes are the root causes. Reports of earlier versions have none.
	Causes []struct {
		Code string `json:"code"`
	} `json:"causes"`
	Classes []struct {
		Class string `json:"class"`
		Cell  string `json:"cell"`
		Why   string `json:"why"`
	} `json:"classes"`
	Pairs []struct {
		Node   string `json:"node"`
		Peer   string `json:"peer"`
		Family int    `json:"family"`
		Status string `json:"status"`
	} `json:"pairs"`
	Findings []struct {
		Code     string          `json:"code"`
		Status   string          `json:"status"`
		Text     string          `json:"text"`
		CausedBy json.RawMessage `json:"causedBy"` // a code or more of it; of a root cause nothing
	} `json:"findings"`
}

// roots are the codes of the root causes: as the report lists them, else of the findings that nothing
// explains.
func (r report) roots() []string {
	var codes []string
	for _, cause := range r.Causes {
		codes = append(codes, cause.Code)
	}
	if codes != nil {
		return codes
	}
	for _, f := range r.Findings {
		wrong := f.Status == "fail" || f.Status == "inconclusive"
		if wrong && f.CausedBy == nil && !slices.Contains(codes, f.Code) {
			codes = append(codes, f.Code)
		}
	}
	return codes
}

// says is the first cause in the report's words, nil if there is none.
func (r report) says() error {
	if r.FirstCause == nil {
		return nil
	}
	return fmt.Errorf("the report says: %s", r.FirstCause.Text)
}

// run runs the command, disturbs it, and returns what it came to. A command that says nothing on stdout has no verdict.
func (t *Trial) run(ctx context.Context, scenario Scenario) (got Want, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.verify.Timeout)
	defer cancel()
	args := slices.Concat([]string{"verify", "-o", "json"}, t.verify.Args, scenario.Args)
	if scenario.Command != "" {
		args = slices.Concat([]string{scenario.Command}, scenario.Args)
	} else if t.verify.Record != "" && scenario.Disturb == nil {
		args = append(args, "--record", filepath.Join(t.verify.Record, t.lab.Ground+"-"+scenario.Name+".ndjson"))
	}
	command := exec.CommandContext(ctx, t.verify.Path, args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+t.lab.Kubeconfig())
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 20 * time.Second
	var stdout bytes.Buffer
	command.Stdout, command.Stderr = &stdout, t.said
	if err := command.Start(); err != nil {
		return got, fmt.Errorf("running %s: %w", t.verify.Path, err)
	}
	t.process = command.Process
	disturbed := make(chan error, 1)
	go func() {
		if scenario.Disturb == nil {
			disturbed <- nil
			return
		}
		disturbed <- scenario.Disturb(ctx, t)
	}()
	meanwhile := make(chan error, 1)
	go func() {
		if scenario.Meanwhile != nil {
			meanwhile <- scenario.Meanwhile(ctx, t)
		}
		close(meanwhile)
	}()
	err = command.Wait()
	late := context.Cause(ctx)
	t.said.end()
	got.Exit = command.ProcessState.ExitCode()
	if problem := <-disturbed; problem != nil {
		return got, fmt.Errorf("disturbing: %w", problem)
	}
	if problem := <-meanwhile; problem != nil {
		return got, fmt.Errorf("while the command ran: %w", problem)
	}
	if usage, ok := command.ProcessState.SysUsage().(*syscall.Rusage); ok {
		t.memory = usage.Maxrss << 10
	}
	var exit *exec.ExitError
	switch {
	case late != nil:
		return got, fmt.Errorf("it did not end within %s: %w", t.verify.Timeout, late)
	case err != nil && !errors.As(err, &exit) && !errors.Is(err, errDeaf):
		return got, fmt.Errorf("running %s: %w", t.verify.Path, err)
	case stdout.Len() == 0:
		return got, nil
	case scenario.Command != "":
		t.printed = stdout.String()
		return got, nil
	}
	t.report = report{}
	if err := json.Unmarshal(stdout.Bytes(), &t.report); err != nil {
		return got, fmt.Errorf("exit code %d, and no JSON on stdout: %w", got.Exit, err)
	}
	got.Verdict = t.report.Verdict
	if t.report.FirstCause != nil {
		got.FirstCause = t.report.FirstCause.Code
	}
	return got, nil
}

// compareAny returns nil if the outcome is one of those wanted, else what it lacks of the first.
func compareAny(got Want, wanted []Want) error {
	for _, want := range wanted[1:] {
		if compare(got, want) == nil {
			return nil
		}
	}
	return compare(got, wanted[0])
}

func compare(got, want Want) error {
	var problems []error
	if got.Exit != want.Exit {
		problems = append(problems, fmt.Errorf("exit code %d, want %d", got.Exit, want.Exit))
	}
	if got.Verdict != want.Verdict {
		problems = append(problems, fmt.Errorf("verdict %q, want %q", got.Verdict, want.Verdict))
	}
	switch {
	case want.FirstCause != "" && got.FirstCause != want.FirstCause:
		problems = append(problems, fmt.Errorf("first cause %q, want %q", got.FirstCause, want.FirstCause))
	case want.FirstCause == "" && want.Verdict == "FAIL" && got.FirstCause == "":
		problems = append(problems, errors.New("no first cause"))
	case want.Verdict == "PASS" && got.FirstCause != "":
		problems = append(problems, fmt.Errorf("first cause %q after a PASS", got.FirstCause))
	}
	return errors.Join(problems...)
}
