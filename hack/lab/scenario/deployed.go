package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/flannel"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// deployed are faults of the tables before, in clusters where pods of a DaemonSet run flannel: what is printed as their fix
// deletes such pods, and what configures flannel is an object.
var deployed = slices.Concat(runBy(topology.RKE2), runBy(topology.None))

// runBy are these rows with Flannel run by a distribution.
func runBy(distribution topology.Distribution) []Scenario {
	rows := elsewhere(string(distribution), func(c *Cluster) { c.Distribution = distribution },
		"healthy-wireguard", "healthy-pods-mtu", "device-deleted", "device-down", "device-hangs", "published-key", "shared-key", "missing-peer",
		"endpoint-address", "endpoint-moved", "allowed-gap", "route-missing", "psk-one-side", "vxlan", "host-gw")
	for i, s := range rows {
		if s.Cluster.Backend != wireguard.Backend {
			rows[i].Restore = inTurn(backTo(s.Cluster.Network), on(unconfigured(s.Cluster.Network)...))
		}
	}
	return rows
}

// elsewhere are rows of other tables, by their names, in clusters that are not quite the same.
func elsewhere(prefix string, change func(*Cluster), names ...string) []Scenario {
	var rows []Scenario
	for _, s := range slices.Concat(healthy, sabotagedRoutes, sabotagedPeers, sabotagedDevices, sabotagedFilters, reportsReach, unencrypted) {
		if slices.Contains(names, s.Name) {
			s.Name = prefix + "-" + s.Name
			change(&s.Cluster)
			rows = append(rows, s)
		}
	}
	if len(rows) != len(names) {
		panic(fmt.Sprintf("scenario: of %d rows %d are in a table", len(names), len(rows)))
	}
	return rows
}

// unconfigured takes back what was configured in the objects of a network.
func unconfigured(network topology.Network) []Command {
	commands := []Command{configMap(network)}
	if network.Distribution == topology.RKE2 {
		commands = append(commands, kubectl("delete", "helmchartconfig", "rke2-canal", "--namespace=kube-system", "--ignore-not-found"))
	}
	return commands
}

// configMap has pods of the DaemonSet start flannel with a network's configuration.
func configMap(network topology.Network) Command {
	conf, err := flannel.NetConf(network)
	if err != nil {
		panic(err) // constants
	}
	patch, err := json.Marshal(map[string]any{"data": map[string]string{"net-conf.json": string(conf)}})
	if err != nil {
		panic(err) // strings
	}
	daemonSet, _ := network.DaemonSet()
	return kubectl("patch", "configmap", daemonSet.Config, "--namespace", daemonSet.Namespace, "--type=merge", "--patch", string(patch))
}

// editor does in the place of a person what the report asks for where it prints `kubectl edit`.
const editor = `sed -i 's/"Type":"[a-z-]*"/"Type":"wireguard"/'`

// upgradeChart does what RKE2's Helm controller does with the values of a HelmChartConfig.
func (t *Trial) upgradeChart(ctx context.Context) error {
	values, err := execute(ctx, t.lab, kubectl("get", "helmchartconfig", "rke2-canal", "--namespace=kube-system", "--ignore-not-found",
		"--output=jsonpath={.spec.valuesContent}"))
	if err != nil {
		return fmt.Errorf("reading the chart's values: %w\n%s", err, values)
	}
	network := t.lab.Network
	network.Backend = chartBackend(values)
	if network.Backend == "" {
		return nil
	}
	return t.apply(ctx, []Command{configMap(network)})
}

// chartBackend is flannel.backend among the values of a chart, "" if it is not set.
func chartBackend(values string) string {
	_, after, _ := strings.Cut(values, "backend:")
	backend, _, _ := strings.Cut(strings.TrimSpace(after), "}")
	return strings.TrimSpace(backend)
}

// settleDaemonSet waits until a pod of the DaemonSet that runs flannel, if there is one, has started it on every node.
func settleDaemonSet(ctx context.Context, lab *state.Lab) error {
	daemonSet, ok := lab.DaemonSet()
	if !ok {
		return nil
	}
	client, err := connect(lab)
	if err != nil {
		return err
	}
	return until(ctx, patience, func(ctx context.Context) ([]string, error) {
		pods, err := client.CoreV1().Pods(daemonSet.Namespace).List(ctx, meta.ListOptions{LabelSelector: daemonSet.Label})
		if err != nil {
			return nil, fmt.Errorf("looking for flannel's pods: %w", err)
		}
		waiting := slices.Clone(lab.Nodes)
		for _, pod := range pods.Items {
			ready := slices.ContainsFunc(pod.Status.Conditions, func(c core.PodCondition) bool {
				return c.Type == core.PodReady && c.Status == core.ConditionTrue
			})
			if ready && pod.DeletionTimestamp == nil {
				waiting = slices.DeleteFunc(waiting, func(node string) bool { return node == pod.Spec.NodeName })
			}
		}
		return waiting, nil
	})
}
