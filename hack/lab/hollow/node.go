package hollow

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"sync"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/synthetic"
)

// register creates the nodes; those of an earlier process are taken over.
func register(ctx context.Context, client kubernetes.Interface, world *synthetic.World, version string) error {
	return each(world.Nodes, func(i int) error {
		node := nodeObject(world, i+1, version)
		status := node.Status
		created, err := client.CoreV1().Nodes().Create(ctx, node, meta.CreateOptions{})
		if errors.IsAlreadyExists(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("registering %s: %w", node.Name, err)
		}
		// What creates a node cannot say its conditions, as kubelet cannot.
		created.Status = status
		if _, err := client.CoreV1().Nodes().UpdateStatus(ctx, created, meta.UpdateOptions{}); err != nil && !errors.IsConflict(err) {
			return fmt.Errorf("saying that %s is Ready: %w", node.Name, err)
		}
		return nil
	})
}

// nodeObject is a Node as kubelet, K3s and flannel together leave it.
func nodeObject(world *synthetic.World, n int, version string) *core.Node {
	lease, _ := json.Marshal(map[string]any{"PublicKey": world.Key(n), "Port": synthetic.Port}) // of text and a number
	address, podRange := synthetic.Address(n).String(), synthetic.PodRange(n).String()
	room := core.ResourceList{
		core.ResourceCPU: resource.MustParse("4"), core.ResourceMemory: resource.MustParse("8Gi"), core.ResourcePods: resource.MustParse("110"),
	}
	return &core.Node{
		ObjectMeta: meta.ObjectMeta{
			Name: synthetic.Name(n),
			Labels: map[string]string{
				"kubernetes.io/os": "linux", "kubernetes.io/arch": runtime.GOARCH, "kubernetes.io/hostname": synthetic.Name(n),
				"node.kubernetes.io/instance-type": "k3s",
			},
			Annotations: map[string]string{
				"flannel.alpha.coreos.com/backend-type":        "wireguard",
				"flannel.alpha.coreos.com/backend-data":        string(lease),
				"flannel.alpha.coreos.com/backend-v6-data":     "null",
				"flannel.alpha.coreos.com/kube-subnet-manager": "true",
				"flannel.alpha.coreos.com/public-ip":           address,
				"k3s.io/node-args":                             `["agent"]`,
				"k3s.io/internal-ip":                           address,
			},
		},
		Spec: core.NodeSpec{PodCIDR: podRange, PodCIDRs: []string{podRange}, ProviderID: "k3s://" + synthetic.Name(n)},
		Status: core.NodeStatus{
			Capacity: room, Allocatable: room,
			Addresses: []core.NodeAddress{
				{Type: core.NodeInternalIP, Address: address}, {Type: core.NodeHostName, Address: synthetic.Name(n)},
			},
			DaemonEndpoints: core.NodeDaemonEndpoints{KubeletEndpoint: core.DaemonEndpoint{Port: Kubelet}},
			NodeInfo: core.NodeSystemInfo{
				KubeletVersion: version, OperatingSystem: "linux", Architecture: runtime.GOARCH,
				OSImage: "Debian GNU/Linux 13 (trixie)", KernelVersion: "6.12.0-synthetic", ContainerRuntimeVersion: "hollow://1",
			},
			Conditions: []core.NodeCondition{
				condition(core.NodeReady, core.ConditionTrue), condition(core.NodeMemoryPressure, core.ConditionFalse),
				condition(core.NodeDiskPressure, core.ConditionFalse), condition(core.NodePIDPressure, core.ConditionFalse),
			},
		},
	}
}

func condition(kind core.NodeConditionType, status core.ConditionStatus) core.NodeCondition {
	now := meta.Now()
	return core.NodeCondition{Type: kind, Status: status, Reason: "Hollow", Message: "a node without a machine", LastHeartbeatTime: now, LastTransitionTime: now}
}

// each calls do with 0 to n-1, several at a time, and returns the first error.
func each(n int, do func(int) error) (first error) {
	var once sync.Once
	var working sync.WaitGroup
	numbers := make(chan int)
	for range min(n, parallel) {
		working.Go(func() {
			for i := range numbers {
				if err := do(i); err != nil {
					once.Do(func() { first = err })
				}
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	working.Wait()
	return first
}
