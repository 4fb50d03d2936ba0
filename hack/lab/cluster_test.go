package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/build"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// Two labs side by side, each with a switch of its own, and the same addresses in both:
//
//	lab test-a, wireguard                   lab test-b, vxlan
//	control   node-1   node-2               control   node-1   node-2
//	   +---------+--------+                    +---------+--------+
//	   flannel-wg over 192.0.2.0/24            flannel.1 over 192.0.2.0/24
//
// A pod of each is used through the API server; then one lab is removed in good order, and the other after its
// supervisor was killed. Nothing may be left of either.
func TestTwoLabsSideBySide(t *testing.T) {
	lab := labCommand(t)
	kubectl := kubectlPath(t)
	names := map[string]string{"test-a": "wireguard", "test-b": "vxlan"}
	for name := range names {
		t.Cleanup(func() { _ = exec.Command(lab, "down", "--name", name).Run() })
	}
	for name, backend := range names {
		must(t, lab, "up", "--name", name, "--backend", backend, "--ground", "host")
	}
	for name, backend := range names {
		kubeconfig := "--kubeconfig=" + strings.TrimSpace(must(t, lab, "kubeconfig", "--name", name))
		must(t, kubectl, kubeconfig, "run", "pod-a", "--image="+build.BusyboxImage, "--image-pull-policy=Never",
			`--overrides={"spec":{"nodeName":"node-1","terminationGracePeriodSeconds":0}}`, "--", "sh", "-c", "echo started; sleep 600")
		must(t, kubectl, kubeconfig, "wait", "--for=condition=Ready", "--timeout=60s", "pod/pod-a")
		if got := must(t, kubectl, kubeconfig, "logs", "pod-a"); got != "started\n" {
			t.Errorf("%s: kubectl logs says %q", name, got)
		}
		// The first address of a node's pod range is its flannel device's: the way there is the tunnel.
		must(t, kubectl, kubeconfig, "exec", "pod-a", "--", "ping", "-c", "1", "-W", "5", topology.PodCIDR(2).Addr().String())
		want := map[string]string{"wireguard": "flannel-wg", "vxlan": "flannel.1"}[backend]
		if got := must(t, lab, "exec", "--name", name, "node-1", "--", "ip", "route", "get", "10.42.1.9"); !strings.Contains(got, "dev "+want+" ") {
			t.Errorf("%s: the way to node-2's pods is %s, want %s", name, got, want)
		}
		if exec.Command(kubectl, kubeconfig, "auth", "can-i", "create", "pods", "--as=system:serviceaccount:default:default").Run() == nil {
			t.Errorf("%s: the default service account may create pods", name)
		}
	}
	must(t, lab, "down", "--name", "test-a")
	expectNothingLeft(t, "test-a")

	crashed, err := state.Load("test-b")
	if err != nil {
		t.Fatal(err)
	}
	supervisor, _ := crashed.Process(state.Supervisor)
	if err := supervisor.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	must(t, lab, "down", "--name", "test-b")
	expectNothingLeft(t, "test-b")
	must(t, lab, "down", "--name", "test-b")
}

// expectNothingLeft looks for what bears the lab's name: namespaces, mounts, cgroups, directories, processes.
func expectNothingLeft(t *testing.T, name string) {
	t.Helper()
	for _, pattern := range []string{"/run/netns/kwg-" + name + "-*", "/sys/fs/cgroup/*/kubectl-wg-lab-" + name, "/sys/fs/cgroup/kubectl-wg-lab-" + name, state.Dir(name)} {
		if left, _ := filepath.Glob(pattern); len(left) > 0 {
			t.Errorf("left of lab %s: %v", name, left)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, "/kubectl-wg-lab/"+name+"/") || strings.Contains(line, "/kwg-"+name+"-") {
			t.Errorf("mount left of lab %s: %s", name, line)
		}
	}
	entries, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		arguments, err := os.ReadFile(entry)
		if err != nil {
			continue // it has ended
		}
		if pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(entry))); pid != os.Getpid() &&
			(bytes.Contains(arguments, []byte("/kubectl-wg-lab/"+name+"/")) || bytes.Contains(arguments, []byte("supervise\x00"+name+"\x00"))) {
			t.Errorf("process left of lab %s: %d %s", name, pid, bytes.ReplaceAll(arguments, []byte{0}, []byte{' '}))
		}
	}
}

func labCommand(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs half a minute to start clusters: run without -short")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root for network namespaces and mounts")
	}
	path := filepath.Join(t.TempDir(), "lab")
	must(t, "go", "build", "-o", path, ".")
	return path
}

func kubectlPath(t *testing.T) string {
	t.Helper()
	distribution, err := build.Cached()
	if err != nil {
		t.Skipf("needs the lab's components: run `lab build` first, it takes minutes: %v", err)
	}
	return distribution.Bin("kubectl")
}

func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	var stderr strings.Builder
	command := exec.Command(name, args...)
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(name), strings.Join(args, " "), err, output, stderr.String())
	}
	return string(output)
}
