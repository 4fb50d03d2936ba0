package vm

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAwaitReady(t *testing.T) {
	for _, row := range []struct{ console, release, problem string }{
		{"[    0.1] Linux\nvm: ready 6.1.0-9-amd64\r\nmore\n", "6.1.0-9-amd64", ""},
		{"vm: broken: module 9p.ko\nKernel panic\n", "", "module 9p.ko"},
		{"Kernel panic - not syncing\n", "", "not syncing"},
		{"vm: ready 6.1", "", "before it was ready"}, // the line is not complete
	} {
		log := filepath.Join(t.TempDir(), consoleFile)
		if err := os.WriteFile(log, []byte(row.console), 0o644); err != nil {
			t.Fatal(err)
		}
		release, err := awaitReady(context.Background(), log, func() bool { return false })
		if release != row.release || (row.problem == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), row.problem) {
			t.Errorf("%q: %q, %v", row.console, release, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 120*time.Millisecond)
	defer cancel()
	if _, err := awaitReady(ctx, filepath.Join(t.TempDir(), "none"), func() bool { return true }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a silent machine: %v, want the deadline", err)
	}
}

// TestProcess stops a process that heeds SIGTERM and one that does not, and never a stranger with the same number.
func TestProcess(t *testing.T) {
	for _, script := range []string{"exec sleep 60", "trap '' TERM; while :; do sleep 0.1; done"} {
		cmd := exec.Command("/bin/sh", "-c", "echo; "+script)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil { // its trap is set after this, so give it a moment
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		p, err := identify(cmd.Process.Pid)
		if err != nil || !p.alive() {
			t.Fatalf("%+v, %v: not alive", p, err)
		}
		for _, stranger := range []process{{p.PID, p.Start + 1, p.Boot}, {p.PID, p.Start, "another boot"}} {
			if stranger.alive() {
				t.Errorf("%+v was taken for %+v", p, stranger)
			}
			if err := stranger.stop(time.Second); err != nil || !p.alive() {
				t.Fatalf("stopping a process that has gone: %v, and it hit another", err)
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		if err := p.wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting for a living process: %v", err)
		}
		cancel()
		if err := p.stop(300 * time.Millisecond); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait()
		if p.alive() {
			t.Error("alive after stop")
		}
		if err := errors.Join(p.wait(context.Background()), p.stop(time.Second)); err != nil {
			t.Errorf("a process that has gone: %v", err)
		}
	}
}

func TestWaitReadsTheExitStatus(t *testing.T) {
	m := &Machine{Dir: t.TempDir(), Name: "gone", QEMU: process{PID: 1 << 22, Boot: "none"}}
	if err := m.save(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(m.Dir)
	if err != nil || *again != *m || again.Running() {
		t.Fatalf("%+v, %v; want %+v, not running", again, err, m)
	}
	if err := os.WriteFile(filepath.Join(m.Dir, consoleFile), []byte("Kernel panic\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Wait(context.Background()); err == nil || !strings.Contains(err.Error(), "Kernel panic") {
		t.Errorf("a machine that ended without its command: %v, want its console", err)
	}
	if err := os.WriteFile(filepath.Join(m.Dir, exitFile), []byte("3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if status, err := m.Wait(context.Background()); status != 3 || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
	if err := errors.Join(m.Stop(), m.Stop()); err != nil {
		t.Errorf("stopping what has ended: %v", err)
	}
	if _, err := Open(m.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Stop the machine is still noted: %v", err)
	}
}

func TestVirtualising(t *testing.T) {
	for cpuinfo, want := range map[string]bool{
		"flags\t\t: fpu vmx sse\n":                       true,
		"model\t: svm\nflags\t\t: fpu svm\nflags\t: x\n": true,
		"vmx flags\t: vmx\nflags\t\t: fpu vmxish\n":      false,
		"": false,
	} {
		if virtualising(cpuinfo) != want {
			t.Errorf("%q: want %v", cpuinfo, want)
		}
	}
}

// TestUnpackedIsWhole looks for what an interrupted or failed unpacking leaves.
func TestUnpackedIsWhole(t *testing.T) {
	cache := t.TempDir()
	quiet := func(string) {}
	if err := os.MkdirAll(filepath.Join(cache, "thing.partial", "old"), 0o755); err != nil {
		t.Fatal(err)
	}
	fails := func(string) error { return errors.New("no network") }
	if _, err := unpacked(cache, "thing", quiet, fails); err == nil {
		t.Error("a failed unpacking was taken")
	}
	fills := func(dir string) error { return os.WriteFile(filepath.Join(dir, "new"), nil, 0o644) }
	dir, err := unpacked(cache, "thing", quiet, fills)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unpacked(cache, "thing", quiet, fails); err != nil {
		t.Errorf("what is there was fetched again: %v", err)
	}
	if names, _ := filepath.Glob(dir + "*/*"); len(names) != 1 || filepath.Base(names[0]) != "new" {
		t.Errorf("the cache holds %v", names)
	}
}
