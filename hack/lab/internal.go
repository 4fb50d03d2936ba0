package main

import (
	"net"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/felix"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/flannel"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/hollow"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/node"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/supervisor"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/userspace"
)

// The commands of this file are started by the lab itself.

func newSuperviseCommand() *cobra.Command {
	return &cobra.Command{
		Use: "supervise NAME", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error { return supervisor.Run(command.Context(), args[0]) },
	}
}

func newNodeHostCommand() *cobra.Command {
	return &cobra.Command{
		Use: "node-host CONFIG", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error { return node.Host(command.Context(), args[0]) },
	}
}

func newNodeInitCommand() *cobra.Command {
	return &cobra.Command{
		Use: "node-init CONFIG NODE", Hidden: true, Args: cobra.ExactArgs(2),
		RunE: func(command *cobra.Command, args []string) error {
			return node.Init(command.Context(), args[0], args[1])
		},
	}
}

func newHollowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "hollow CONFIG", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error { return hollow.Run(command.Context(), args[0]) },
	}
}

func newFelixCommand() *cobra.Command {
	var name string
	command := &cobra.Command{
		Use: "felix", Hidden: true, Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return felix.Run(command.Context(), felix.Options{NodeName: name, Kubeconfig: node.FlannelKubeconfig})
		},
	}
	command.Flags().StringVar(&name, "node", "", "name of the node")
	return command
}

func newCalicoRoutesCommand() *cobra.Command {
	var name string
	command := &cobra.Command{
		Use: "calico-routes", Hidden: true, Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			addresses := map[string]net.IP{}
			for n := 1; n <= topology.MaxNodes; n++ {
				addresses[topology.NodeName(n)] = topology.Node(n).IPv4.Addr().AsSlice()
			}
			return felix.Routes(command.Context(), felix.Options{NodeName: name, Kubeconfig: node.FlannelKubeconfig}, addresses)
		},
	}
	command.Flags().StringVar(&name, "node", "", "name of the node")
	return command
}

func newFlannelCommand() *cobra.Command {
	var name string
	command := &cobra.Command{
		Use: "flannel", Hidden: true, Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			kernel, err := topology.KernelWireGuard()
			if err != nil {
				return err
			}
			return flannel.Run(command.Context(), flannel.Options{NodeName: name, Kubeconfig: node.FlannelKubeconfig, Userspace: !kernel, Interface: node.FlannelInterface()})
		},
	}
	command.Flags().StringVar(&name, "node", "", "name of the node")
	return command
}

func newCiliumCommand() *cobra.Command {
	var name, cgroup string
	command := &cobra.Command{
		Use: "cilium", Hidden: true, Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return node.RunCilium(command.Context(), name, cgroup)
		},
	}
	command.Flags().StringVar(&name, "node", "", "name of the node")
	command.Flags().StringVar(&cgroup, "cgroup", "", "group of the agent")
	return command
}

func newUserspaceCommand() *cobra.Command {
	return &cobra.Command{
		Use: "userspace DEVICE", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error { return userspace.Serve(command.Context(), args[0]) },
	}
}
