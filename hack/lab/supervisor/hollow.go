package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/build"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/control"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/hollow"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/synthetic"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// hollow makes the control plane that of a cluster without machines, and adds the process that stands for all nodes. It
// lives in the control plane's namespace, which answers for the addresses of all nodes.
func (s *supervisor) hollow(programs []control.Program) ([]control.Program, error) {
	if err := topology.In(s.lab.Netns("control"), func() error { return topology.AnswerFor(synthetic.Underlay) }); err != nil {
		return nil, err
	}
	config := hollow.Config{
		Kubeconfig: s.lab.Path("credentials", "hollow.kubeconfig"), Nodes: s.lab.Hollow.Nodes, Version: build.KubernetesVersion + "+k3s1",
		Certificate: s.lab.Path("credentials", "nodes.crt"), Key: s.lab.Path("credentials", "nodes.key"),
	}
	for _, text := range s.lab.Hollow.Faults {
		fault, err := synthetic.ParseFault(text)
		if err != nil {
			return nil, err
		}
		config.Faults = append(config.Faults, fault)
	}
	data, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("encoding the configuration of the nodes: %w", err)
	}
	path := s.lab.Path("hollow.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return nil, fmt.Errorf("writing the configuration of the nodes: %w", err)
	}
	executable, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	programs, err = control.ForHollow(programs, s.lab.Path("credentials"), s.lab.Audit(), s.lab.Hollow.QPS)
	if err != nil {
		return nil, err
	}
	return append(programs, control.Program{Name: "hollow", Path: executable, Flags: []string{"hollow", path}, AfterAPI: true}), nil
}

func (s *supervisor) hollowCredentials(authority *control.Authority, port int) error {
	addresses := make([]string, s.lab.Hollow.Nodes)
	for i := range addresses {
		addresses[i] = synthetic.Address(i + 1).String()
	}
	return control.WriteHollowCredentials(authority, s.lab.Path("credentials"), s.lab.Operator(), port, addresses)
}

// awaitHollow waits until all nodes are Ready. Their number makes each look dear, so it is seldom.
func (s *supervisor) awaitHollow(ctx context.Context, client kubernetes.Interface) error {
	for {
		ready := 0
		list, err := client.CoreV1().Nodes().List(ctx, meta.ListOptions{ResourceVersion: "0"})
		if err == nil { // else the API server may be busy; whoever waits has the last word
			for _, n := range list.Items {
				if isReady(n) {
					ready++
				}
			}
		}
		if ready == s.lab.Hollow.Nodes {
			s.events.say("%d nodes are Ready", ready)
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the nodes, of which %d are Ready: %w", ready, context.Cause(ctx))
		case <-time.After(500 * time.Millisecond):
		}
	}
}
