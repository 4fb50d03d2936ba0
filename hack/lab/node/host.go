package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/remote"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// Host runs the nodes of a configuration until the context ends or one of them does, and serves commands for them.
func Host(ctx context.Context, configPath string) error {
	config, err := LoadConfig(configPath)
	if err != nil {
		return err
	}
	if config.Virtual {
		if err := topology.EnsureBridge(config.Bridge); err != nil {
			return err
		}
		if err := topology.AttachHardware(); err != nil {
			return err
		}
	}
	listener, err := topology.Listen("", "tcp", netip.AddrPortFrom(config.Bridge.IPv4.Addr(), topology.AgentPort).String())
	if err != nil {
		return err
	}
	defer listener.Close()

	host := &host{config: config, configPath: configPath, inits: map[string]int{}}
	server := &remote.Server{Token: config.Token, Command: host.command}
	go server.Serve(ctx, listener) //nolint:errcheck // ends with the listener, at the end of this function

	ended := make(chan error, len(config.Nodes))
	var running sync.WaitGroup
	for _, node := range config.Nodes {
		init, err := host.start(node)
		if err != nil {
			host.kill()
			return err
		}
		running.Go(func() { ended <- fmt.Errorf("node %s ended: %w", node.Name, init.Wait()) })
	}
	select {
	case <-ctx.Done():
		err = nil
	case err = <-ended:
	}
	host.kill()
	running.Wait()
	return err
}

type host struct {
	config     HostConfig
	configPath string
	mutex      sync.Mutex
	inits      map[string]int // process that is 1 in the node, by node
}

// start plugs the node in and starts its first process, in namespaces of its own.
func (h *host) start(node Node) (*exec.Cmd, error) {
	if h.config.Virtual {
		if _, err := topology.CreateNetns(node.Netns); err != nil {
			return nil, err
		}
	}
	if err := topology.Attach(node.Name, node.Netns, node.Address); err != nil {
		return nil, err
	}
	if err := topology.In(node.Netns, forward); err != nil {
		return nil, fmt.Errorf("preparing %s: %w", node.Name, err)
	}
	log, err := os.OpenFile(LogFile(h.config.Logs, node.Name, "node"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", node.Name, err)
	}
	defer log.Close()
	init := exec.Command(h.config.Executable, "node-init", h.configPath, node.Name)
	init.Stdout, init.Stderr = log, log
	init.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Setsid:     true,
	}
	if err := topology.In(node.Netns, init.Start); err != nil {
		return nil, fmt.Errorf("starting %s: %w", node.Name, err)
	}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.inits[node.Name] = init.Process.Pid
	return init, nil
}

// kill ends every node. The kernel ends all processes of a process table whose first has gone.
func (h *host) kill() {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	for _, pid := range h.inits {
		_ = syscall.Kill(pid, syscall.SIGKILL) // ESRCH: it has ended by itself
	}
}

// command enters a node the way a login would: all namespaces, the node's own environment.
func (h *host) command(request remote.Request) (*exec.Cmd, error) {
	argv := request.Argv
	if request.Node != "" {
		h.mutex.Lock()
		pid, ok := h.inits[request.Node]
		h.mutex.Unlock()
		if !ok {
			return nil, fmt.Errorf("no node %q in lab %s", request.Node, h.config.Lab)
		}
		argv = append([]string{"nsenter", "--target", strconv.Itoa(pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--"}, argv...)
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, fmt.Errorf("finding %s: %w", argv[0], err)
	}
	command := &exec.Cmd{Path: path, Args: argv, Dir: "/", Env: environment()}
	return command, nil
}

// forward makes a router out of the current network namespace, as every kubelet's machine is one.
func forward() error {
	for _, name := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
		path := filepath.Join("/proc/sys/net", name)
		if err := os.WriteFile(path, []byte("1"), 0o644); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("enabling forwarding: %w", err)
		}
	}
	return nil
}
