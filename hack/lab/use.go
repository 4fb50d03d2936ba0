package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/build"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/remote"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/supervisor"
)

func newStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "List labs and what runs of them",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			names, err := state.Names()
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(command.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "NAME\tGROUND\tNETWORK\tNODES\tAGE\tAPI\tRUNNING\tENDED")
			for _, name := range names {
				lab, err := state.Load(name)
				if err != nil {
					return err
				}
				var running, ended []string
				for _, process := range lab.Processes {
					if process.Alive() {
						running = append(running, process.Role)
					} else {
						ended = append(ended, process.Role)
					}
				}
				nodes := len(lab.Nodes)
				if lab.Hollow != nil {
					nodes = lab.Hollow.Nodes
				}
				fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t127.0.0.1:%d\t%s\t%s\n", lab.Name, lab.Ground, lab.Label(), nodes,
					time.Since(lab.Created).Round(time.Second), lab.Port, list(running), list(ended))
			}
			return table.Flush()
		},
	}
}

func list(words []string) string {
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, ",")
}

func newKubeconfigCommand() *cobra.Command {
	var name string
	command := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print the path of a kubeconfig that works on this machine",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			lab, err := state.Load(name)
			if err != nil {
				return err
			}
			fmt.Fprintln(command.OutOrStdout(), lab.Kubeconfig())
			return nil
		},
	}
	nameFlag(command, &name)
	return command
}

func newExecCommand() *cobra.Command {
	var name string
	command := &cobra.Command{
		Use:   "exec NODE -- COMMAND [ARGUMENT...]",
		Short: "Run a command as root in a node; the node `host` is what runs the nodes: the machine, or the VM",
		Args:  cobra.MinimumNArgs(2),
		RunE: func(command *cobra.Command, args []string) error {
			lab, err := state.Load(name)
			if err != nil {
				return err
			}
			node := args[0]
			if node == "host" {
				node = ""
			}
			code, err := supervisor.Exec(command.Context(), lab, node, args[1:], remote.Streams{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
			if err != nil {
				return err
			}
			if code != 0 {
				return exitCode(code)
			}
			return nil
		},
	}
	nameFlag(command, &name)
	return command
}

func newLoadImageCommand() *cobra.Command {
	var name string
	command := &cobra.Command{
		Use:   "load-image FILE.tar",
		Short: "Load an image archive into every node's containerd, for Kubernetes",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			lab, err := state.Load(name)
			if err != nil {
				return err
			}
			return loadImage(command.Context(), command.OutOrStdout(), lab, args[0])
		},
	}
	nameFlag(command, &name)
	command.Long = fmt.Sprintf("%s. Every node has %s from the start.", command.Short, build.BusyboxImage)
	return command
}

func loadImage(ctx context.Context, out io.Writer, lab *state.Lab, path string) error {
	archive, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the image: %w", err)
	}
	for _, node := range lab.Nodes {
		var said bytes.Buffer
		code, err := supervisor.Exec(ctx, lab, node, []string{"ctr", "images", "import", "-"},
			remote.Streams{Stdin: bytes.NewReader(archive), Stdout: &said, Stderr: &said})
		if err != nil {
			return fmt.Errorf("loading the image into %s: %w", node, err)
		}
		if code != 0 {
			return fmt.Errorf("loading the image into %s: exit status %d\n%s", node, code, said.String())
		}
		fmt.Fprintf(out, "%s: %s loaded\n", node, filepath.Base(path))
	}
	return nil
}
