package main

import (
	"context"
	"io"
	"strings"
	"testing"
)

func TestTally(t *testing.T) {
	for _, test := range []struct {
		name                    string
		lines                   string
		passed, failed, skipped int
		shown                   string
	}{
		{"passes", `{"Action":"pass","Package":"a","Test":"TestA"}
{"Action":"pass","Package":"a","Elapsed":0.1}`, 1, 0, 0, "pass a (0.1s)"},
		{"a skipped test is not a passed test", `{"Action":"output","Package":"a","Test":"TestA","Output":"    a_test.go:3: needs root\n"}
{"Action":"output","Package":"a","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}
{"Action":"skip","Package":"a","Test":"TestA"}
{"Action":"pass","Package":"a"}`, 0, 0, 1, ""},
		{"a package without tests is none", `{"Action":"skip","Package":"a"}`, 0, 0, 0, ""},
		{"subtests count, their parent does not", `{"Action":"pass","Package":"a","Test":"TestA/x"}
{"Action":"skip","Package":"a","Test":"TestA/y"}
{"Action":"pass","Package":"a","Test":"TestA"}`, 1, 0, 1, ""},
		{"a parent that failed by its subtest", `{"Action":"fail","Package":"a","Test":"TestA/x"}
{"Action":"fail","Package":"a","Test":"TestA"}
{"Action":"fail","Package":"a"}`, 0, 1, 0, ""},
		{"a parent that failed by itself", `{"Action":"pass","Package":"a","Test":"TestA/x"}
{"Action":"fail","Package":"a","Test":"TestA"}
{"Action":"fail","Package":"a"}`, 1, 1, 0, ""},
		{"a failing test is shown", `{"Action":"output","Package":"a","Test":"TestA","Output":"    a_test.go:3: got 1\n"}
{"Action":"fail","Package":"a","Test":"TestA"}`, 0, 1, 0, "a_test.go:3: got 1"},
		{"a failed build is a failed test, and shown", `{"ImportPath":"a [a.test]","Action":"build-output","Output":"a.go:1: undefined: x\n"}
{"ImportPath":"a [a.test]","Action":"build-fail"}
{"Action":"fail","Package":"a","FailedBuild":"a [a.test]"}`, 0, 1, 0, "undefined: x"},
		{"a panic outside of a test", `{"Action":"pass","Package":"a","Test":"TestA"}
{"Action":"output","Package":"a","Output":"panic: boom\n"}
{"Action":"fail","Package":"a"}`, 1, 1, 0, "panic: boom"},
		{"the same test in two packages", `{"Action":"pass","Package":"a","Test":"TestA"}
{"Action":"pass","Package":"b","Test":"TestA"}`, 2, 0, 0, ""},
		{"plain lines", "starting\n--- PASS: healthy (1.2s)\n--- FAIL: vxlan (0.1s)\n--- SKIP: kernel (0.0s): no module\n", 1, 1, 1, "starting"},
		{"the lab's table", "SCENARIO           RESULT  EXIT  VERDICT  FIRST CAUSE  TIME\nhealthy-wireguard  pass    0     PASS     -            2.1s\n" +
			"udp-blocked        FAIL    -1    -        -            60.0s\n1 passed, 1 failed\n", 1, 1, 0, "RESULT"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var shown strings.Builder
			tally := newTally()
			for line := range strings.Lines(test.lines) {
				tally.line(&shown, line)
			}
			passed, failed, skipped := tally.counts()
			if passed != test.passed || failed != test.failed || skipped != test.skipped {
				t.Errorf("%d passed, %d failed, %d skipped; want %d, %d, %d", passed, failed, skipped, test.passed, test.failed, test.skipped)
			}
			if !strings.Contains(shown.String(), test.shown) {
				t.Errorf("shown %q, want %q in it", shown.String(), test.shown)
			}
		})
	}
}

func TestSkipKeepsItsReason(t *testing.T) {
	for _, test := range []struct {
		name    string
		outputs []string
		want    string
	}{
		{"one line", []string{"    a_test.go:3: needs root\\n"}, "a TestA: needs root"},
		{"the first line of a command's output",
			[]string{"    a_test.go:3: needs tc: exit status 1: Error: unknown\\n", "        We have an error.\\n", "        \\n"},
			"a TestA: needs tc: exit status 1: Error: unknown"},
		{"the last message", []string{"    a_test.go:3: trying\\n", "    b_test.go:4: needs tc\\n"}, "a TestA: needs tc"},
		{"no message", nil, "a TestA"},
	} {
		t.Run(test.name, func(t *testing.T) {
			tally := newTally()
			for _, output := range append(test.outputs, "--- SKIP: TestA (0.00s)\\n") {
				tally.line(io.Discard, `{"Action":"output","Package":"a","Test":"TestA","Output":"`+output+`"}`)
			}
			tally.line(io.Discard, `{"Action":"skip","Package":"a","Test":"TestA"}`)
			if skips := tally.skips(); len(skips) != 1 || skips[0] != test.want {
				t.Errorf("skips %q, want %q", skips, test.want)
			}
		})
	}
}

func TestSteps(t *testing.T) {
	for _, test := range []struct {
		name                 string
		step                 step
		code, passed, failed int
	}{
		{"a check is not a test", step{command: "true"}, 0, 0, 0},
		{"a failed check is a failed test", step{command: "exit 7"}, 7, 0, 1},
		{"tests pass", step{command: "echo '--- PASS: a (0s)'", tests: true}, 0, 1, 0},
		{"its exit status is passed on", step{command: "echo '--- FAIL: a (0s)'; exit 3", tests: true}, 3, 0, 1},
		{"passed, and then it crashed", step{command: "echo '--- PASS: a (0s)'; exit 2", tests: true}, 2, 1, 1},
		{"no tests at all", step{command: "true", tests: true}, 1, 0, 1},
		{"no such program", step{command: "no-such-program-of-ours", tests: true}, 127, 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			total := newTally()
			code := test.step.run(t.Context(), io.Discard, total)
			passed, failed, _ := total.counts()
			if code != test.code || passed != test.passed || failed != test.failed {
				t.Errorf("exit %d, %d passed, %d failed; want %d, %d, %d", code, passed, failed, test.code, test.passed, test.failed)
			}
		})
	}
}

func TestEndedStepIsAFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	total := newTally()
	if code := (step{command: "true", tests: true}).run(ctx, io.Discard, total); code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
	if _, failed, _ := total.counts(); failed != 1 {
		t.Errorf("%d failed, want 1", failed)
	}
}
