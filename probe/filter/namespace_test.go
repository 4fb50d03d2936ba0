//go:build linux

package filter

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/host"
)

// enter moves the test into a network namespace of its own, which ends with
// the thread it is locked to.
func enter(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make a network namespace")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("needs to make a network namespace, which is refused here: %v", err)
	}
}

func run(t *testing.T, command string) {
	t.Helper()
	runInput(t, command, "")
}

// runInput runs a command that reads something.
func runInput(t *testing.T, command, input string) {
	t.Helper()
	words := strings.Fields(command)
	program := exec.Command(words[0], words[1:]...)
	program.Stdin = strings.NewReader(input)
	if out, err := program.CombinedOutput(); err != nil {
		t.Skipf("needs iproute2 and a kernel that does this: %s: %v: %s", command, err, out)
	}
}

// runScript runs a script of nft.
func runScript(t *testing.T, script string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rules")
	os.WriteFile(file, []byte(script), 0o600)
	run(t, "nft -f "+file)
}

// links are those of the namespace.
func links() []evidence.Link {
	read, _ := host.Reader{}.Links(nil)
	return read.Links
}
