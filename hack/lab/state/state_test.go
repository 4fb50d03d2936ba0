package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

func TestStateSurvivesItsFile(t *testing.T) {
	lab := fresh(t)
	lab.Backend, lab.Nodes, lab.Port = "wireguard", []string{"node-1", "node-2"}, 40001
	lab.NoteProcess(Process{Role: "etcd", PID: 10, Start: 1})
	lab.NoteProcess(Process{Role: "etcd", PID: 11, Start: 2})
	lab.NoteNamespace(Namespace{Name: "kwg-x-switch"})
	lab.NoteNamespace(Namespace{Name: "kwg-x-switch", Inode: 7})
	if err := lab.Save(); err != nil {
		t.Fatal(err)
	}
	got, err := Load(lab.Name)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(*got) != fmt.Sprint(*lab) {
		t.Errorf("got  %v\nwant %v", *got, *lab)
	}
	if process, ok := got.Process("etcd"); !ok || process.PID != 11 || len(got.Processes) != 1 {
		t.Errorf("processes %v: want the later etcd only", got.Processes)
	}
	if len(got.Namespaces) != 1 || got.Namespaces[0].Inode != 7 {
		t.Errorf("namespaces %v: want the later one only", got.Namespaces)
	}
	names, err := Names()
	if err != nil || len(names) != 1 || names[0] != lab.Name {
		t.Errorf("names %v (%v), want %s", names, err, lab.Name)
	}
}

func TestLoadNone(t *testing.T) {
	fresh(t)
	if _, err := Load("other"); !errors.Is(err, ErrNone) {
		t.Errorf("got %v, want %v", err, ErrNone)
	}
}

func TestCheckName(t *testing.T) {
	for name, valid := range map[string]bool{
		"wg": true, "w": true, "two-nodes": true, strings.Repeat("a", 24): true,
		"": false, "-wg": false, "wg-": false, "WG": false, "a/b": false, "..": false, "1wg": false, strings.Repeat("a", 25): false,
	} {
		if got := CheckName(name) == nil; got != valid {
			t.Errorf("%q: valid %t, want %t", name, got, valid)
		}
	}
}

func TestProcessIsKnownByItsStartTime(t *testing.T) {
	command := exec.Command("sleep", "60")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	process, err := Identify("sleep", command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if !process.Alive() {
		t.Error("a running process is not alive")
	}
	other := Process{Role: "other", PID: process.PID, Start: process.Start + 1}
	if other.Alive() {
		t.Error("a process with the same number and another start time is taken for the lab's")
	}
	if err := other.Signal(syscall.SIGKILL); err != nil || !process.Alive() {
		t.Errorf("a process that is not the lab's was killed (%v)", err)
	}
	if err := process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if !process.WaitGone(5 * time.Second) { // a zombie, until Wait below, counts as gone
		t.Error("a killed process is still alive")
	}
	_ = command.Wait() // killed on purpose
}

// A namespace of the lab's, one with the lab's name for it but not made by it, and one that is only noted:
//
//	kwgtest-mine    [sleep]   inode as noted      -> removed, with what lives in it
//	kwgtest-foreign [sleep]   another inode       -> left alone, and named in the error
//	kwgtest-early             not there           -> no error
func TestRemoveTakesOnlyItsOwn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to make network namespaces")
	}
	lab := fresh(t)
	name := func(what string) string { return fmt.Sprintf("kwgtest%d-%s", os.Getpid(), what) }
	for _, what := range []string{"mine", "foreign"} {
		if _, err := topology.CreateNetns(name(what)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = topology.DeleteNetns(name(what)) })
	}
	inode, err := topology.NetnsInode(name("mine"))
	if err != nil {
		t.Fatal(err)
	}
	inhabitant, stranger := sleepIn(t, name("mine")), sleepIn(t, name("foreign"))
	lab.Namespaces = []Namespace{{Name: name("mine"), Inode: inode}, {Name: name("foreign"), Inode: inode}, {Name: name("early")}}
	if err := lab.Save(); err != nil {
		t.Fatal(err)
	}
	err = Remove(lab)
	if err == nil || !strings.Contains(err.Error(), name("foreign")) {
		t.Fatalf("got %v, want a refusal to touch %s", err, name("foreign"))
	}
	if inhabitant.Alive() {
		t.Error("a process in the lab's namespace still runs")
	}
	if _, err := topology.NetnsInode(name("mine")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the lab's namespace is still there (%v)", err)
	}
	if !stranger.Alive() {
		t.Error("a process in someone else's namespace was killed")
	}
	if _, err := Load(lab.Name); err != nil {
		t.Errorf("the state is gone although something is left: %v", err)
	}
	lab.Namespaces = lab.Namespaces[:1]
	if err := errors.Join(lab.Save(), Remove(lab)); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(lab.Name); !errors.Is(err, ErrNone) {
		t.Errorf("got %v after the removal, want %v", err, ErrNone)
	}
}

// After a restart of the machine the numbers in the state are those of strangers.
func TestRemoveAfterReboot(t *testing.T) {
	lab := fresh(t)
	command := exec.Command("sleep", "60")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = command.Process.Kill(); _ = command.Wait() }()
	process, err := Identify("etcd", command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	lab.NoteProcess(process)
	lab.BootID = "another"
	if err := errors.Join(lab.Save(), Remove(lab)); err != nil {
		t.Fatal(err)
	}
	if !process.Alive() {
		t.Error("a process of another boot's number was killed")
	}
	if _, err := os.Stat(Dir(lab.Name)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is still there (%v)", err)
	}
}

func sleepIn(t *testing.T, netns string) Process {
	t.Helper()
	command := exec.Command("sleep", "60")
	if err := topology.In(netns, command.Start); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	process, err := Identify("sleep", command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return process
}

// fresh is a lab in a directory of the test's own.
func fresh(t *testing.T) *Lab {
	t.Helper()
	before := root
	root = filepath.Join(t.TempDir(), "labs")
	t.Cleanup(func() { root = before })
	lab, err := New("x")
	if err != nil {
		t.Fatal(err)
	}
	lab.Cgroup = fmt.Sprintf("kubectl-wg-lab-test%d", os.Getpid())
	return lab
}
