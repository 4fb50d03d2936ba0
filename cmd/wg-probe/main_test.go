//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary plays wg-probe when it is called by that name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "wg-probe" {
		main()
	}
	os.Exit(m.Run())
}

func TestUsage(t *testing.T) {
	for _, test := range []struct {
		args string
		code int
		out  string
	}{
		{"", 2, ""}, {"configure", 2, ""}, {"wait --bogus", 2, ""}, {"wait --help", 0, ""},
		{"version", 0, "devel\n"}, {"wait --deadline 1ms", 0, ""}, {"wait --idle 1ms", 0, ""},
		{"agent", 1, ""}, // its input ends at once
	} {
		var out bytes.Buffer
		if code := run(strings.Fields(test.args), strings.NewReader(""), &out, io.Discard); code != test.code ||
			out.String() != test.out {
			t.Errorf("%q: code %d, output %q", test.args, code, out.String())
		}
	}
}

// container starts "wg-probe wait" as the first process of a PID namespace and
// returns a way to start processes next to it, as a runtime's exec does.
func container(t *testing.T, args ...string) (first *exec.Cmd, alongside func(args ...string) *exec.Cmd) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make a PID namespace")
	}
	self, _ := os.Executable()
	program := filepath.Join(t.TempDir(), "wg-probe")
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	// unshare becomes the parent of the first process; --kill-child ends it with us.
	first = exec.Command("unshare",
		append([]string{"--pid", "--fork", "--mount-proc", "--kill-child", program, "wait"}, args...)...)
	if err := first.Start(); err != nil {
		t.Skip("needs unshare, of util-linux: ", err)
	}
	t.Cleanup(func() { first.Process.Kill(); first.Wait() })
	pid := 0
	for n := 0; pid == 0 && n < 100; n++ {
		time.Sleep(10 * time.Millisecond)
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", first.Process.Pid))
		fmt.Sscan(string(children), &pid)
	}
	if pid == 0 {
		t.Skip("needs to make a PID namespace, which is refused here")
	}
	time.Sleep(100 * time.Millisecond)
	return first, func(args ...string) *exec.Cmd {
		return exec.Command("nsenter", append([]string{"-t", fmt.Sprint(pid), "-p", "-m", program}, args...)...)
	}
}

func ended(t *testing.T, first *exec.Cmd, within time.Duration) bool {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- first.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("the first process ended with %v", err)
		}
		return true
	case <-time.After(within):
		return false
	}
}

// The dead-man switch: the end of the session's input ends the container.
func TestContainerEndsWithItsAgent(t *testing.T) {
	first, alongside := container(t)
	agent := alongside("agent")
	stdin, err := agent.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	start := time.Now()
	stdin.Close()
	agent.Wait()
	if !ended(t, first, 3*time.Second) {
		t.Fatal("the container outlives its agent")
	}
	t.Logf("it ended %s after its input", time.Since(start).Round(time.Millisecond))
}

func TestContainerEndsWhenItsAgentIsKilled(t *testing.T) {
	first, alongside := container(t)
	agent := alongside("agent")
	stdin, _ := agent.StdinPipe()
	defer stdin.Close()
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * look)
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", agent.Process.Pid))
	var pid int
	if fmt.Sscan(string(children), &pid); pid == 0 {
		pid = agent.Process.Pid
	}
	syscall.Kill(pid, syscall.SIGKILL)
	agent.Wait()
	if !ended(t, first, 5*time.Second) {
		t.Fatal("the container outlives its killed agent")
	}
}

func TestContainerEndsWithoutAgent(t *testing.T) {
	first, alongside := container(t, "--idle", "600ms")
	if out, err := alongside("version").Output(); err != nil || string(out) != "devel\n" {
		t.Error(string(out), err)
	}
	if !ended(t, first, 4*time.Second) {
		t.Fatal("the container waits for an agent that does not come")
	}
}

// Outside of a container of ours the first process is left alone.
func TestForeignFirstProcess(t *testing.T) {
	if runs(1, "wait") || runs(os.Getpid(), "agent") || runs(1<<30, "wait") {
		t.Error("a foreign process was taken for ours")
	}
}
