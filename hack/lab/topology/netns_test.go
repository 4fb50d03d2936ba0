package topology

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNetnsBesideIproute2: the first `ip netns add` since the machine started may come after the lab. It runs itself
// with mounts of its own, where /run is as empty as then.
func TestNetnsBesideIproute2(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to make network namespaces")
	}
	const fresh = "LAB_TEST_FRESH_RUN"
	if os.Getenv(fresh) == "" {
		again := exec.Command("unshare", "--mount", os.Args[0], "-test.run=^TestNetnsBesideIproute2$", "-test.v")
		again.Env = append(os.Environ(), fresh+"=1")
		if said, err := again.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		return
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := CreateNetns("kwg-test-first"); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command("ip", "netns", "add", "kwg-test-second").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for _, name := range []string{"kwg-test-first", "kwg-test-second"} {
		if err := DeleteNetns(name); err != nil {
			t.Error(err)
		}
	}
}
