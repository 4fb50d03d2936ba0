// Package hollow is nodes without machines: real Node objects behind a real control plane, whose pods start as soon as
// they are scheduled, and in whose pods every command is the probe's agent over a synthetic host. One process holds them
// all. What the plugin meets is real: API server, scheduler, controllers, TLS, the streams of exec as kubelet serves
// them, and the agent's code; what is invented is what the agents read (package synthetic).
package hollow

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/synthetic"
)

// Config is what the process is started with.
type Config struct {
	Kubeconfig string            `json:"kubeconfig"`
	Nodes      int               `json:"nodes"`
	Faults     []synthetic.Fault `json:"faults"`
	// Certificate and Key are files; the certificate is for the addresses of all nodes.
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	Version     string `json:"version"` // kubelet's
}

// Kubelet is the port on which all nodes serve exec, each on its own address.
const Kubelet = 10250

// parallel bounds the requests to the API server that are under way at a time.
const parallel = 32

// Run registers the nodes and runs their pods until ctx ends. Its network namespace must answer for the addresses of all
// nodes.
func Run(ctx context.Context, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the configuration of the nodes: %w", err)
	}
	var config Config
	if err := json.Unmarshal(data, &config); err != nil {
		return fmt.Errorf("reading the configuration of the nodes: %w", err)
	}
	world, err := synthetic.NewWorld(config.Nodes, config.Faults...)
	if err != nil {
		return err
	}
	access, err := clientcmd.BuildConfigFromFlags("", config.Kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	access.QPS = -1
	client, err := kubernetes.NewForConfig(access)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	pods := newPods(client, world)
	server, err := listen(pods, config.Certificate, config.Key)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { cancel(server.serve(ctx)) }()
	if err := register(ctx, client, world, config.Version); err != nil {
		return err
	}
	return pods.follow(ctx)
}
