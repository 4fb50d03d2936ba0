package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// event is a line of `go test -json`, see `go doc test2json`.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of a build
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

// tally holds the last outcome of each test. A test with subtests counts by
// its subtests, unless it failed on its own.
type tally struct {
	outcome map[string]string   // by package and test: pass, fail or skip
	why     map[string]string   // of a skip or a failure, one line
	parents map[string]bool     // tests that have subtests
	output  map[string][]string // of tests that have not ended, and of builds
}

func newTally() *tally {
	return &tally{map[string]string{}, map[string]string{}, map[string]bool{}, map[string][]string{}}
}

var (
	plain = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+)(?: \(.*\))?(?::? (.*))?$`)
	// row is of the table that `lab run` ends with: name, result, exit code, …
	row = regexp.MustCompile(`^(\S+)\s+(pass|FAIL|skip)\s+-?\d+\s`)
	// logged is the first line of a message that a test logged.
	logged = regexp.MustCompile(`^\s+[\w.-]+\.go:\d+: (.*)$`)
)

// line takes one line of a command's output.
func (t *tally) line(out io.Writer, line string) {
	var e event
	if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &e) == nil && e.Action != "" {
		t.event(out, e)
		return
	}
	fmt.Fprint(out, line)
	if m := plain.FindStringSubmatch(strings.TrimRight(line, "\r\n")); m != nil {
		t.add(strings.ToLower(m[1]), m[2], m[3])
	} else if m := row.FindStringSubmatch(line); m != nil {
		t.add(strings.ToLower(m[2]), m[1], "")
	}
}

func (t *tally) event(out io.Writer, e event) {
	key := strings.TrimSpace(e.Package + " " + e.Test)
	switch e.Action {
	case "output":
		t.output[key] = append(t.output[key], e.Output)
	case "build-output":
		t.output[e.ImportPath] = append(t.output[e.ImportPath], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.packageEnd(out, e)
			return
		}
		why := ""
		if e.Action == "skip" {
			why = reason(t.output[key])
		}
		t.add(e.Action, key, why)
		if e.Action == "fail" {
			fmt.Fprint(out, strings.Join(t.output[key], ""))
		}
		if e.Action != "fail" || strings.Contains(e.Test, "/") {
			delete(t.output, key)
		}
	}
}

// packageEnd shows what belongs to no test: a failed build, a panic, an exit.
func (t *tally) packageEnd(out io.Writer, e event) {
	lines := t.output[e.Package]
	delete(t.output, e.Package)
	if e.Action != "skip" { // no test files
		fmt.Fprintf(out, "%-4s %s (%.1fs)\n", e.Action, e.Package, e.Elapsed)
	}
	if e.Action != "fail" {
		return
	}
	broken := true
	for key, outcome := range t.outcome {
		if outcome == "fail" && strings.HasPrefix(key, e.Package+" ") {
			broken = false
		}
	}
	if broken {
		fmt.Fprint(out, strings.Join(t.output[e.FailedBuild], ""), strings.Join(lines, ""))
		t.add("fail", e.Package, "the package did not build, or ended before its tests did")
	}
}

func (t *tally) add(outcome, key, why string) {
	t.outcome[key], t.why[key] = outcome, why
	for at := strings.LastIndex(key, "/"); at > strings.LastIndex(key, " "); at = strings.LastIndex(key[:at], "/") {
		t.parents[key[:at]] = true
	}
}

func (t *tally) merge(other *tally) {
	for key, outcome := range other.outcome {
		for t.outcome[key] != "" { // the same test again, run in another way
			key += " (again)"
		}
		t.outcome[key], t.why[key] = outcome, other.why[strings.TrimSuffix(key, " (again)")]
	}
	maps.Copy(t.parents, other.parents)
}

func (t *tally) counts() (passed, failed, skipped int) {
	for key := range t.outcome {
		switch t.counted(key) {
		case "pass":
			passed++
		case "fail":
			failed++
		case "skip":
			skipped++
		}
	}
	return passed, failed, skipped
}

// counted is the outcome as far as it counts: a test that only holds subtests
// does not, nor does one that failed because a subtest did.
func (t *tally) counted(key string) string {
	if !t.parents[key] {
		return t.outcome[key]
	}
	if t.outcome[key] != "fail" {
		return ""
	}
	for other, outcome := range t.outcome {
		if outcome == "fail" && strings.HasPrefix(other, key+"/") {
			return ""
		}
	}
	return "fail"
}

func (t *tally) fails() []string { return t.named("fail") }
func (t *tally) skips() []string { return t.named("skip") }

func (t *tally) named(outcome string) []string {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(t.outcome)) {
		if t.counted(key) != outcome {
			continue
		}
		line := key
		if t.why[key] != "" {
			line += ": " + t.why[key]
		}
		lines = append(lines, line)
	}
	return lines
}

// reason returns the first line of the last message that a skipped test logged,
// without its file and line; empty if it logged none. The lines that follow are
// mostly the output of a command.
func reason(lines []string) string {
	for _, line := range slices.Backward(lines) {
		if m := logged.FindStringSubmatch(strings.TrimRight(line, "\r\n")); m != nil {
			return m[1]
		}
	}
	return ""
}
