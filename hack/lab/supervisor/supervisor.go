package supervisor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/build"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/control"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/ground"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/node"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// EventsFile is the name, in a lab's directory, of the file of Events.
const EventsFile = "events.ndjson"

type supervisor struct {
	lab    *state.Lab
	mutex  sync.Mutex // guards lab
	dist   build.Distribution
	events *events
}

// Run brings the lab up and owns it until the context ends.
func Run(ctx context.Context, name string) error {
	lab, err := state.Load(name)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(lab.Path(EventsFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the file of events: %w", err)
	}
	s := &supervisor{lab: lab, dist: build.Distribution{Dir: lab.Dist}, events: &events{file: file, start: time.Now()}}
	ctx, cancel := context.WithCancelCause(ctx)
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel(nil)
	if err := s.up(ctx, func(task func() error) {
		background.Go(func() {
			if err := task(); err != nil {
				s.events.send(Event{Message: err.Error(), Failed: true, Logs: s.logs()})
				cancel(err)
			}
		})
	}); err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			return cause // a component failed, and has said so
		}
		s.events.send(Event{Message: err.Error(), Failed: true, Logs: s.logs()})
		return err
	}
	s.events.send(Event{Message: "the lab is up", Ready: true})
	<-ctx.Done()
	return nil
}

// up is the order of a start. Tasks given to spawn live as long as the lab.
func (s *supervisor) up(ctx context.Context, spawn func(func() error)) error {
	if err := s.note(state.Supervisor, os.Getpid()); err != nil {
		return err
	}

	// 1. The wires.
	if err := s.wire(); err != nil {
		return err
	}

	// 2. The door: a port of the machine's loopback that leads to the API server.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("opening the API server's port on the loopback: %w", err)
	}
	context.AfterFunc(ctx, func() { listener.Close() })
	api := netip.AddrPortFrom(topology.Control().IPv4.Addr(), topology.APIPort).String()
	spawn(func() error { forward(ctx, listener, s.lab.Netns("control"), api); return nil })

	// 3. Who is who.
	config, err := s.credentials(listener.Addr().(*net.TCPAddr).Port)
	if err != nil {
		return err
	}
	client, err := s.client()
	if err != nil {
		return err
	}

	// 4. Nodes and control plane, at the same time: a node waits for the API server by itself.
	programs := control.Programs(s.lab.Path("credentials"), s.lab.Path(), s.lab.Families)
	if s.lab.Hollow != nil {
		if programs, err = s.hollow(programs); err != nil {
			return err
		}
	} else if err := s.startNodes(ctx, config, spawn); err != nil {
		return err
	}
	for _, program := range programs {
		spawn(func() error {
			if program.AfterAPI && awaitAPI(ctx, client) != nil {
				return nil
			}
			return s.keep(ctx, program)
		})
	}
	if err := awaitAPI(ctx, client); err != nil {
		return fmt.Errorf("waiting for the API server: %w", err)
	}
	s.events.say("API server ready on 127.0.0.1:%d", s.lab.Port)
	if s.lab.Hollow != nil {
		return s.awaitHollow(ctx, client)
	}

	// 5. What the distribution, or an installation of Calico or Cilium, would have written.
	kubectl := control.Kubectl{Path: s.dist.Bin("kubectl"), Kubeconfig: s.lab.Kubeconfig()}
	if s.lab.Calico() {
		if err := control.CreateCalico(ctx, client, kubectl, s.dist.CalicoCRDs()); err != nil {
			return err
		}
	}
	if s.lab.Cilium() {
		if err := control.CreateCilium(ctx, client, s.lab.Network, s.dist.CiliumCRDs()); err != nil {
			return err
		}
	}
	if s.lab.Services {
		if err := control.CreateServices(ctx, kubectl); err != nil {
			return err
		}
	}
	if err := control.CreateObjects(ctx, client, s.lab.Network, config.Nodes); err != nil {
		return err
	}

	// 6. The proof.
	if err := s.awaitNodes(ctx, client, config.Nodes); err != nil {
		return err
	}
	if err := control.CreateFlannel(ctx, kubectl, s.lab.Network); err != nil {
		return err
	}
	return s.checkPods(ctx, client, config.Nodes)
}

// wire makes the namespaces and the switch. A name that is taken is someone else's.
func (s *supervisor) wire() error {
	roles := []string{"switch", "control"}
	if s.lab.Ground == ground.Host {
		roles = append(roles, s.lab.Nodes...)
	}
	for _, role := range roles {
		name := s.lab.Netns(role)
		if _, err := topology.NetnsInode(name); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("network namespace %s exists already, and is not this lab's", name)
		}
		s.lab.NoteNamespace(state.Namespace{Name: name})
		if err := s.lab.Save(); err != nil {
			return err
		}
		inode, err := topology.CreateNetns(name)
		if err != nil {
			return err
		}
		s.lab.NoteNamespace(state.Namespace{Name: name, Inode: inode})
		if err := s.lab.Save(); err != nil {
			return err
		}
	}
	return topology.In(s.lab.Netns("switch"), func() error {
		if err := topology.EnsureBridge(topology.HostBridge()); err != nil {
			return err
		}
		return topology.Attach("control", s.lab.Netns("control"), topology.Control())
	})
}

// credentials makes the lab's authority and all that it signs, and the configuration of the node host.
func (s *supervisor) credentials(port int) (node.HostConfig, error) {
	executable, err := os.Executable()
	if err != nil {
		return node.HostConfig{}, fmt.Errorf("finding this program: %w", err)
	}
	bridge, virtual := topology.HostBridge(), s.lab.Ground == ground.VM
	if virtual {
		bridge = topology.VMBridge()
	}
	config := node.HostConfig{
		Lab: s.lab.Name, Virtual: virtual, Bridge: bridge, Token: rand.Text(),
		Executable: executable, Dist: s.dist.Dir,
		Scratch: s.lab.Path("nodes"), Logs: s.lab.Path("logs"), Cgroup: s.lab.Cgroup,
		Network: s.lab.Network,
	}
	for _, dir := range []string{"credentials", "logs", "nodes", "ground"} {
		if err := os.MkdirAll(s.lab.Path(dir), 0o700); err != nil {
			return config, fmt.Errorf("creating the lab's directories: %w", err)
		}
	}
	authority, err := control.NewAuthority("lab-" + s.lab.Name)
	if err != nil {
		return config, err
	}
	for i, name := range s.lab.Nodes {
		address := topology.Node(i + 1)
		files, err := control.NodeFiles(authority, name, address)
		if err != nil {
			return config, err
		}
		var ranges []string
		for _, podCIDR := range s.lab.Families.PodCIDRs(i + 1) {
			ranges = append(ranges, podCIDR.String())
		}
		config.Nodes = append(config.Nodes, node.Node{Name: name, Netns: s.lab.Netns(name), Address: address, PodCIDRs: ranges, Files: files})
	}
	if err := control.WriteCredentials(authority, s.lab.Path("credentials"), s.lab.Name, s.lab.Kubeconfig(), port); err != nil {
		return config, err
	}
	if s.lab.Hollow != nil {
		if err := s.hollowCredentials(authority, port); err != nil {
			return config, err
		}
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.lab.Port, s.lab.Token = port, config.Token
	s.lab.Agent = netip.AddrPortFrom(bridge.IPv4.Addr(), topology.AgentPort).String()
	return config, s.lab.Save()
}

// startNodes hands the configuration to the ground.
func (s *supervisor) startNodes(ctx context.Context, config node.HostConfig, spawn func(func() error)) error {
	path := s.lab.Path("node-host.json")
	if err := node.WriteConfig(path, config); err != nil {
		return err
	}
	cache, err := build.CacheDir()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(s.log("node-host"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the log of the node host: %w", err)
	}
	defer log.Close()
	running, err := ground.ByName()[s.lab.Ground].Start(ctx, ground.Spec{
		Lab: s.lab.Name, Argv: []string{config.Executable, "node-host", path},
		Netns: topology.NetnsPath(s.lab.Netns("switch")), Nodes: len(config.Nodes),
		Dir: s.lab.Path("ground"), Cache: cache, Writable: config.Logs, Scratch: config.Scratch,
		Output: log, Progress: func(message string) { s.events.say("%s: %s", s.lab.Ground, message) },
	})
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() {
		if err := running.Stop(); err != nil {
			s.events.say("%v", err)
		}
	})
	if err := s.note("node-host", running.PID()); err != nil && ctx.Err() == nil {
		return err
	}
	spawn(func() error {
		err := running.Wait(ctx)
		if ctx.Err() != nil {
			return running.Stop()
		}
		return fmt.Errorf("the nodes ended: %w", err)
	})
	return nil
}

func (s *supervisor) client() (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", s.lab.Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.QPS, config.Burst = 200, 400
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return client, nil
}
