package main

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
	"strconv"
	"strings"
	"syscall"
	"time"
)

// gremlins runs the program of that name.
type gremlins struct {
	path     string
	tests    string // regular expression of the tests to run, "" for all
	workers  int
	patience int
}

// mutant is one change that was tried, or could have been.
type mutant struct {
	File   string // below the package's directory
	Line   int
	Column int
	Type   string
	Status string
}

// What gremlins reports of a mutant.
const (
	killed     = "KILLED"
	lived      = "LIVED"
	timedOut   = "TIMED OUT"
	notViable  = "NOT VIABLE"
	notCovered = "NOT COVERED"
)

// operators are the kinds of mutants that gremlins does not make by itself.
// Those of INVERT_NEGATIVES are left out: ARITHMETIC_BASE makes the same ones.
var operators = []string{
	"--invert-logical", "--invert-bitwise", "--invert-assignments", "--invert-bwassign",
	"--invert-loopctrl", "--remove-self-assignments", "--invert-negatives=false",
}

// What a mutant may take at least, however fast the tests are: the first one
// builds all packages of the module that its tests need.
const (
	leastTime = time.Minute
	leastCPU  = 10 // seconds, of each process
)

// run tries all mutants of a package and of those below it.
func (g *gremlins) run(ctx context.Context, path string) ([]mutant, error) {
	scratch, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	environment, err := g.environment(scratch)
	if err != nil {
		return nil, err
	}
	// Tests that fail without a mutant kill every mutant. It also fills the
	// cache: gremlins takes the time of its own first run, builds and all, as
	// the measure of what a mutant may take.
	started := time.Now()
	before := exec.CommandContext(ctx, "go", "test", "-cover", "./"+path+"/...")
	before.Env = environment
	if output, err := before.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("its tests without a mutant: %w\n%s", err, output)
	}
	usage := before.ProcessState
	used := int((usage.UserTime() + usage.SystemTime()).Seconds())
	environment = append(environment, fmt.Sprintf("%s=%d", cpuLimit, leastCPU+3*used))
	times := max(g.patience, 1+int(leastTime/time.Since(started)))
	result := filepath.Join(scratch, "result.json")
	arguments := slices.Concat([]string{
		"unleash", "--output", result, "--output-statuses", "lt",
		"--workers", strconv.Itoa(g.workers), "--timeout-coefficient", strconv.Itoa(times),
	}, operators, []string{"./" + path})
	command := exec.CommandContext(ctx, g.path, arguments...)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) } // it removes its copies
	command.Env = environment
	command.Stdout = os.Stderr
	command.Stderr = os.Stderr
	if err := command.Run(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return readResult(result)
}

// environment is what gremlins runs in: with this program in the place of go,
// without go vet, and always with tests that run.
func (g *gremlins) environment(scratch string) ([]string, error) {
	program, err := exec.LookPath("go")
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.Symlink(self, filepath.Join(scratch, "go")); err != nil {
		return nil, err
	}
	flags := os.Getenv("GOFLAGS") + " -count=1 -vet=off"
	if g.tests != "" {
		flags += " -run=" + g.tests
	}
	module, err := exec.Command(program, "list", "-m").Output()
	if err != nil {
		return nil, fmt.Errorf("finding the module: %w", err)
	}
	path := os.Getenv("PATH")
	return append(os.Environ(),
		"PATH="+scratch+string(os.PathListSeparator)+path, "GOFLAGS="+flags,
		realGo+"="+program, realPath+"="+path, ofModule+"="+strings.TrimSpace(string(module))), nil
}

// readResult reads the file that gremlins wrote, none if there were no mutants.
func readResult(path string) ([]mutant, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var result struct {
		Files []struct {
			Name      string `json:"file_name"`
			Mutations []mutant
		}
	}
	if err := json.Unmarshal(b, &result); err != nil {
		return nil, fmt.Errorf("reading the result of gremlins: %w", err)
	}
	var mutants []mutant
	for _, file := range result.Files {
		for _, m := range file.Mutations {
			m.File = file.Name
			mutants = append(mutants, m)
		}
	}
	return mutants, nil
}

// Variables for the stand-in: where the go command is, the path without the
// stand-in, how many seconds of processor time a process may use, and the path
// of the module.
const (
	realGo   = "MUTANTS_GO"
	realPath = "MUTANTS_PATH"
	cpuLimit = "MUTANTS_CPU"
	ofModule = "MUTANTS_MODULE"
)

// mostMemory bounds each process of a mutant, in bytes: a loop that never ends
// and appends must not take the machine's memory.
const mostMemory = 3 << 30

// standIn is the go command for gremlins.
//
// Gremlins takes the exit code 1 of go test for a killed mutant and 2 for one
// that does not compile. The code is 1 in both cases, so that every mutant that
// does not compile would count as killed.
//
// It takes the conditions of cases for code that no test reaches, see addCases.
//
// It gives a mutant a time by the clock, which says little on a busy machine. So
// what a process may use of the processor is bounded as well: a mutant that
// never ends is killed by that, and its tests failed.
func standIn(arguments []string) int {
	command := exec.Command(os.Getenv(realGo), arguments...)
	command.Env = append(os.Environ(), "PATH="+os.Getenv(realPath))
	var output bytes.Buffer
	command.Stdout = &output
	command.Stderr = &output
	if slices.Contains(arguments, "-failfast") {
		if err := bound(); err != nil {
			fmt.Fprintln(os.Stderr, "mutants: bounding what a mutant may use:", err)
			return 3
		}
	}
	err := command.Run()
	if at := slices.Index(arguments, "-coverprofile"); at >= 0 && err == nil {
		err = addCases(arguments[at+1], os.Getenv(ofModule))
	}
	_, _ = os.Stdout.Write(output.Bytes())
	for _, mark := range []string{" [build failed]\n", " [setup failed]\n"} {
		if bytes.Contains(output.Bytes(), []byte(mark)) {
			return 2
		}
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		return 3
	}
	return 0
}

// bound sets the limits of this process and of those that it starts.
func bound() error {
	seconds, err := strconv.ParseUint(os.Getenv(cpuLimit), 10, 32)
	if err != nil {
		return err
	}
	for resource, most := range map[int]uint64{syscall.RLIMIT_CPU: seconds, syscall.RLIMIT_DATA: mostMemory} {
		if err := syscall.Setrlimit(resource, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
			return err
		}
	}
	return nil
}
