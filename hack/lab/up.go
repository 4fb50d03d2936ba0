package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/build"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/ground"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/supervisor"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/synthetic"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

var backends = append([]string{"wireguard", "vxlan", "host-gw", topology.Calico}, topology.CiliumBackends...)

type upOptions struct {
	name, ground string
	network      topology.Network
	nodes        int
	hollow       *state.Hollow // instead of nodes, network and ground
	timeout      time.Duration
}

func newBuildCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "build [BACKEND...] [services]",
		Short: "Build all components, and those that only some labs need, or find them in the cache",
		RunE: func(command *cobra.Command, needs []string) error {
			start := time.Now()
			distribution, err := build.All(command.Context(), command.OutOrStdout(), needs...)
			if err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "all in %s (%s)\n", distribution.Dir, time.Since(start).Round(100*time.Millisecond))
			return nil
		},
	}
}

func newUpCommand() *cobra.Command {
	var options upOptions
	command := &cobra.Command{
		Use:   "up",
		Short: "Start a lab and wait until its nodes are Ready and its pods reach each other",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return up(command.Context(), command.OutOrStdout(), options)
		},
	}
	nameFlag(command, &options.name)
	command.Flags().IntVar(&options.nodes, "nodes", 2, "number of nodes")
	command.Flags().StringVar(&options.network.Backend, "backend", "wireguard", "flannel's backend, or another network: "+strings.Join(backends, ", "))
	command.Flags().StringVar((*string)(&options.network.Families), "families", string(topology.OnlyIPv4), "address families of nodes and pods: 4, 6, dual")
	command.Flags().StringVar((*string)(&options.network.Mode), "flannel-mode", "", "of the backend wireguard: separate, auto, ipv4, ipv6 (default separate, as K3s has it)")
	command.Flags().StringVar((*string)(&options.network.Distribution), "distribution", string(topology.K3s), "what runs flannel: k3s, rke2, none (its own manifest)")
	command.Flags().BoolVar(&options.network.Services, "services", false, "run kube-proxy and a network policy controller, as K3s does")
	command.Flags().StringVar(&options.ground, "ground", ground.Auto, "where the nodes run: auto, host, vm")
	command.Flags().DurationVar(&options.timeout, "timeout", 0, "limit of the start after the build (default 3m, of Cilium and on the ground vm 10m)")
	return command
}

func up(ctx context.Context, out io.Writer, options upOptions) error {
	lab, err := options.lab()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "ground: %s (%s)\n", lab.Ground, lab.GroundReason)
	distribution, err := build.All(ctx, out, build.Needs(lab.Network)...)
	if err != nil {
		return err
	}
	lab.Dist = distribution.Dir
	if err := lab.Save(); err != nil {
		return err
	}
	if options.timeout == 0 {
		options.timeout = 3 * time.Minute
		if lab.Ground == ground.VM || lab.Cilium() { // a processor is emulated, agents compile their programs
			options.timeout = 10 * time.Minute
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, options.timeout, fmt.Errorf("not up after %s", options.timeout))
	defer cancel()
	if err := start(ctx, out, lab); err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			printLogs(out, lab, nil)
		}
		fmt.Fprintf(out, "logs are in %s until `lab down --name %s`\n", lab.Path("logs"), lab.Name)
		return fmt.Errorf("starting lab %s: %w", lab.Name, err)
	}
	fmt.Fprintf(out, "KUBECONFIG=%s\n", lab.Kubeconfig())
	return nil
}

// lab checks the options and makes a state that is not saved yet.
func (o upOptions) lab() (*state.Lab, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("network namespaces and mounts need root")
	}
	if _, err := state.Load(o.name); !errors.Is(err, state.ErrNone) {
		if err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("lab %s exists already: `lab down --name %s` removes it, --name gives another", o.name, o.name)
	}
	if o.hollow != nil {
		return o.hollowLab()
	}
	if err := o.network.Check(backends); err != nil {
		return nil, err
	}
	if o.nodes < 1 || o.nodes > topology.MaxNodes {
		return nil, fmt.Errorf("%d nodes: want 1 to %d", o.nodes, topology.MaxNodes)
	}
	lab, err := state.New(o.name)
	if err != nil {
		return nil, err
	}
	lab.Network = o.network
	lab.Ground, lab.GroundReason, err = ground.Choose(o.ground, o.network.Backend)
	for n := range o.nodes {
		lab.Nodes = append(lab.Nodes, topology.NodeName(n+1))
	}
	return lab, err
}

// hollowLab is a lab whose nodes have no machines.
func (o upOptions) hollowLab() (*state.Lab, error) {
	var faults []synthetic.Fault
	for _, text := range o.hollow.Faults {
		fault, err := synthetic.ParseFault(text)
		if err != nil {
			return nil, err
		}
		faults = append(faults, fault)
	}
	if _, err := synthetic.NewWorld(o.hollow.Nodes, faults...); err != nil {
		return nil, err
	}
	lab, err := state.New(o.name)
	if err != nil {
		return nil, err
	}
	lab.Hollow, lab.Backend = o.hollow, "wireguard"
	lab.Ground, lab.GroundReason = "hollow", fmt.Sprintf("%d nodes without machines", o.hollow.Nodes)
	return lab, nil
}

// start hands the lab to a supervisor of its own and follows its events to the end of the start.
func start(ctx context.Context, out io.Writer, lab *state.Lab) error {
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	log, err := os.Create(lab.Path("supervisor.log"))
	if err != nil {
		return fmt.Errorf("opening the supervisor's log: %w", err)
	}
	defer log.Close()
	events, err := os.OpenFile(lab.Path(supervisor.EventsFile), os.O_CREATE|os.O_RDONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the supervisor's events: %w", err)
	}
	defer events.Close()
	command := exec.Command(executable, "supervise", lab.Name)
	command.Stdout, command.Stderr, command.Dir = log, log, "/"
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return fmt.Errorf("starting the supervisor: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	return follow(ctx, out, lab, events, ended)
}

func follow(ctx context.Context, out io.Writer, lab *state.Lab, events io.Reader, ended <-chan error) error {
	reader, partial, over := bufio.NewReader(events), "", false
	for {
		line, err := reader.ReadString('\n')
		partial += line
		if err == nil {
			var event supervisor.Event
			if err := json.Unmarshal([]byte(partial), &event); err != nil {
				return fmt.Errorf("reading the supervisor's events: %w", err)
			}
			partial = ""
			fmt.Fprintf(out, "%6.1fs %s\n", event.Elapsed.Seconds(), event.Message)
			switch {
			case event.Ready:
				return nil
			case event.Failed:
				printLogs(out, lab, event.Logs)
				return errors.New(event.Message)
			}
			continue
		}
		if over {
			printLogs(out, lab, []string{lab.Path("supervisor.log")})
			return errors.New("the supervisor ended")
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ended:
			over = true // but what it said last is still to be read
		case <-time.After(50 * time.Millisecond):
		}
	}
}
