package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/build"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// A lab whose nodes run in a VM, on a kernel that makes WireGuard devices itself:
//
//	machine │ control ── br0 ── tap ══ eth0 ── br0 ─┬─ node-1: flannel-wg  │ VM
//	                                                └─ node-2: flannel-wg
//
// The device must be the kernel's, what crosses the nodes' wire must be WireGuard's, commands and images must find
// their way, and after a crash nothing may be left.
func TestKernelWireGuardInVM(t *testing.T) {
	if os.Getenv("LAB_VM") == "" {
		t.Skip("needs time to boot a VM: set LAB_VM=1; takes a minute, by software emulation on a busy machine several")
	}
	lab, kubectl, name := labCommand(t), kubectlPath(t), "test-vm"
	t.Cleanup(func() { _ = exec.Command(lab, "down", "--name", name).Run() })
	t.Log(must(t, lab, "up", "--name", name, "--ground", "vm", "--backend", "wireguard"))
	node := func(command string) string {
		return must(t, lab, "exec", "--name", name, "node-1", "--", "sh", "-c", command)
	}

	if got := node("ip -d link show flannel-wg; ls /var/run/wireguard || true"); !strings.Contains(got, "    wireguard ") || strings.Contains(got, ".sock") {
		t.Errorf("the tunnel's device is not the kernel's:\n%s", got)
	}
	kubeconfig := "--kubeconfig=" + strings.TrimSpace(must(t, lab, "kubeconfig", "--name", name))
	kernel := strings.TrimSpace(must(t, lab, "exec", "--name", name, "host", "--", "uname", "-r"))
	if got := must(t, kubectl, kubeconfig, "get", "nodes", "-o", "jsonpath={.items[*].status.nodeInfo.kernelVersion}"); got != kernel+" "+kernel {
		t.Errorf("the nodes run kernels %q, the VM runs %q", got, kernel)
	}

	// The first address of a node's pod range is its flannel device's: the way there is the tunnel.
	seen := node("tcpdump -n -i eth0 -w /tmp/wire.pcap 2>/dev/null & sleep 3; ping -c 5 -i 0.2 " + topology.PodCIDR(2).Addr().String() +
		" >/dev/null || echo no answer; sleep 2; kill $!; wait; tcpdump -n -r /tmp/wire.pcap host 192.0.2.12 2>/dev/null")
	if n := strings.Count(seen, "192.0.2.11.51820 > 192.0.2.12.51820: UDP"); n < 5 || strings.Contains(seen, "ICMP echo") || strings.Contains(seen, "no answer") {
		t.Errorf("on the wire: %d packets of the tunnel, want 5 or more and no echo in clear:\n%s", n, seen)
	}

	distribution, err := build.Cached()
	if err != nil {
		t.Fatal(err)
	}
	must(t, lab, "load-image", "--name", name, filepath.Join(distribution.Dir, "images", "busybox.tar"))
	must(t, kubectl, kubeconfig, "run", "pod-a", "--image="+build.BusyboxImage, "--image-pull-policy=Never",
		`--overrides={"spec":{"nodeName":"node-1","terminationGracePeriodSeconds":0}}`, "--", "sh", "-c", "echo started; sleep 600")
	must(t, kubectl, kubeconfig, "wait", "--for=condition=Ready", "--timeout=120s", "pod/pod-a")
	must(t, kubectl, kubeconfig, "exec", "pod-a", "--", "ping", "-c", "1", "-W", "5", topology.PodCIDR(2).Addr().String())

	crashed, err := state.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	supervisor, _ := crashed.Process(state.Supervisor)
	if err := supervisor.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	must(t, lab, "down", "--name", name)
	expectNothingLeft(t, name)
}
