package control

import (
	"context"
	_ "embed" // of the DaemonSet
	"fmt"
	"path/filepath"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/build"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/flannel"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

var (
	//go:embed flannel.yaml
	flannelObjects string
	//go:embed rke2.yaml
	rke2Objects string
)

// CreateFlannel creates what runs flannel where K3s does not, and waits until it does on every node.
func CreateFlannel(ctx context.Context, kubectl Kubectl, network topology.Network) error {
	daemonSet, ok := network.DaemonSet()
	if !ok {
		return nil
	}
	conf, err := flannel.NetConf(network)
	if err != nil {
		return err
	}
	key, value, _ := strings.Cut(daemonSet.Label, "=")
	objects := strings.NewReplacer("NAMESPACE", daemonSet.Namespace, "NAME", daemonSet.Name, "CONFIG", daemonSet.Config,
		"KEY", key, "VALUE", value, "IMAGE", build.BusyboxImage, "NETCONFDIR", filepath.Dir(flannel.NetConfFile),
		"NETCONF", string(conf)).Replace(flannelObjects)
	if network.Distribution == topology.RKE2 {
		objects += "---\n" + rke2Objects
	}
	if err := kubectl.run(ctx, objects, "apply", "--filename", "-"); err != nil {
		return fmt.Errorf("creating flannel's DaemonSet: %w", err)
	}
	if err := kubectl.run(ctx, "", "rollout", "status", "--namespace", daemonSet.Namespace, "daemonset", daemonSet.Name); err != nil {
		return fmt.Errorf("waiting for flannel's DaemonSet: %w", err)
	}
	return nil
}
