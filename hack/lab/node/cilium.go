package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// Paths of Cilium inside of a node.
const (
	CiliumKubeconfig = "/etc/kubernetes/cilium.kubeconfig"

	ciliumDir     = labDir + "/cilium" // its BPF sources, as --lib-dir wants them
	ciliumState   = "/run/cilium"
	ciliumConfig  = ciliumState + "/config" // the ConfigMap, a file for each option
	ciliumBPF     = "/sys/fs/bpf"
	ciliumCNIFile = "05-cilium.conflist"
	ciliumDevice  = "cilium_wg0"
	// clangDir has clang under the name by which the agent calls it.
	clangDir = "/usr/lib/llvm-19/bin"
)

// bootCilium starts the agent, and does not wait for it, as its DaemonSet does not: a node is Ready once the agent has
// written its CNI configuration.
func bootCilium(ctx context.Context, config HostConfig, node Node, services *services, logs map[string]*os.File) error {
	if err := holdService("wireguard"); err != nil { // until the agent's configuration asks for it
		return err
	}
	go services.keep(ctx, "wireguard", logs["wireguard"], selfPath, "userspace", ciliumDevice)
	go services.keep(ctx, "cilium", logs["cilium"], selfPath, "cilium", "--node", node.Name, "--cgroup",
		config.ciliumCgroup(node.Name))
	go rewriteCNI(ctx)
	return nil
}

// ciliumCgroup is the group of a node's agent.
func (c HostConfig) ciliumCgroup(node string) string { return filepath.Join(c.Cgroup, node, "cilium") }

// holdService keeps a service from being started, see services.keep.
func holdService(name string) error {
	return os.WriteFile("/run/lab/"+name+".hold", nil, 0o644)
}

// rewriteCNI writes the agent's CNI configuration once more after it is there: containerd can miss the first time, since
// the agent moves the file in.
func rewriteCNI(ctx context.Context) {
	path := filepath.Join(cniDir, ciliumCNIFile)
	if await(ctx, func() bool { return exists(path) }) != nil {
		return
	}
	for range 5 {
		time.Sleep(time.Second)
		next := filepath.Join(cniDir, "."+ciliumCNIFile)
		if text, err := os.ReadFile(path); err == nil && os.WriteFile(next, text, 0o600) == nil {
			_ = os.Rename(next, path) // the agent's own is complete
		}
	}
}

// RunCilium becomes the agent of a node, configured as its pod would be: by the ConfigMap, resolved by Cilium's own
// command. Where the configuration asks for WireGuard and the kernel has none, the agent finds wireguard-go's device
// under its name, and uses that. The cgroup is there.
func RunCilium(ctx context.Context, name, cgroup string) error {
	if err := os.RemoveAll(ciliumConfig); err != nil {
		return fmt.Errorf("removing the agent's configuration: %w", err)
	}
	resolve := exec.CommandContext(ctx, "cilium-dbg", "build-config", "--node-name="+name, "--dest="+ciliumConfig,
		"--source=config-map:kube-system/cilium-config", "--k8s-kubeconfig-path="+CiliumKubeconfig)
	resolve.Stdout, resolve.Stderr = os.Stdout, os.Stderr
	if err := resolve.Run(); err != nil {
		return fmt.Errorf("resolving the agent's configuration: %w", err)
	}
	kernel, err := topology.KernelWireGuard()
	if err != nil {
		return err
	}
	if !kernel {
		if err := standIn(ctx, option("enable-wireguard") == "true"); err != nil {
			return err
		}
	}
	if err := enterCgroup(cgroup); err != nil {
		return err
	}
	path, err := exec.LookPath("cilium-agent")
	if err != nil {
		return fmt.Errorf("finding the agent: %w", err)
	}
	argv := []string{
		"cilium-agent", "--config-dir=" + ciliumConfig, "--k8s-kubeconfig-path=" + CiliumKubeconfig,
		"--state-dir=" + ciliumState, "--lib-dir=" + ciliumDir, "--bpf-root=" + ciliumBPF,
	}
	for key, value := range map[string]string{
		"PATH": clangDir + ":" + os.Getenv("PATH"), "K8S_NODE_NAME": name, "CILIUM_K8S_NAMESPACE": "kube-system",
	} {
		if err := os.Setenv(key, value); err != nil {
			return fmt.Errorf("setting %s: %w", key, err)
		}
	}
	return syscall.Exec(path, argv, os.Environ())
}

func option(name string) string {
	text, _ := os.ReadFile(filepath.Join(ciliumConfig, name)) // an option that is not set has no file
	return strings.TrimSpace(string(text))
}

// standIn starts or ends wireguard-go, whose device must be there before the agent.
func standIn(ctx context.Context, wanted bool) error {
	const hold = "/run/lab/wireguard.hold"
	if !wanted {
		if err := holdService("wireguard"); err != nil {
			return fmt.Errorf("holding wireguard-go: %w", err)
		}
		return endService("wireguard")
	}
	if err := os.Remove(hold); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("releasing wireguard-go: %w", err)
	}
	return await(ctx, func() bool {
		_, err := netlink.LinkByName(ciliumDevice)
		return err == nil && exists("/var/run/wireguard/"+ciliumDevice+".sock")
	})
}

// endService ends a service that runs.
func endService(name string) error {
	text, err := os.ReadFile("/run/lab/" + name + ".pid")
	if err != nil {
		return nil // it was never started
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("reading the process of %s: %w", name, err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("ending %s: %w", name, err)
	}
	return nil
}

// enterCgroup moves this process into a group of its own, where that is of version 2, and makes it the root of all that
// it sees: the agent attaches programs to that.
func enterCgroup(name string) error {
	runtime.LockOSThread() // which the agent takes the place of
	for _, hierarchy := range []string{cgroupRoot, filepath.Join(cgroupRoot, "unified")} {
		if !exists(filepath.Join(hierarchy, "cgroup.controllers")) {
			continue
		}
		procs := filepath.Join(hierarchy, name, "cgroup.procs")
		if err := os.WriteFile(procs, []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
			return fmt.Errorf("entering the agent's cgroup: %w", err)
		}
	}
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("leaving the machine's cgroups: %w", err)
	}
	return nil
}
