package control

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/build"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

const ciliumUser = "cilium"

// ciliumOptions are the ConfigMap of the agents, in the words of Cilium's chart: no operator, no Envoy, no Hubble, no
// kube-proxy replacement, pod ranges from the Nodes, WireGuard.
var ciliumOptions = map[string]string{
	"identity-allocation-mode": "crd", "ipam": "kubernetes", "k8s-require-ipv4-pod-cidr": "true",
	"enable-ipv4": "true", "enable-ipv6": "false",
	"devices": topology.Uplink, "direct-routing-device": topology.Uplink,
	"enable-ipv4-masquerade": "false", "kube-proxy-replacement": "false",
	"enable-l7-proxy": "false", "enable-envoy-config": "false", "enable-hubble": "false",
	"enable-health-checking": "false", "enable-endpoint-health-checking": "false",
	"cni-chaining-mode": "none", "cni-exclusive": "false",
	"write-cni-conf-when-ready": "/etc/cni/net.d/05-cilium.conflist",
	"cluster-name":              "default", "cluster-id": "0", "debug": "false",
	"enable-wireguard": "true", "encrypt-node": "false",
}

// ciliumModes are the options that are not the same in both networks.
var ciliumModes = map[string]map[string]string{
	topology.Cilium: {
		"routing-mode": "native", "auto-direct-node-routes": "true", "ipv4-native-routing-cidr": topology.PodNetwork,
	},
	topology.CiliumVXLAN: {"routing-mode": "tunnel", "tunnel-protocol": "vxlan"},
}

// CreateCilium creates what Cilium's chart installs, as far as agents need it; the operator would create the kinds.
func CreateCilium(ctx context.Context, client kubernetes.Interface, network topology.Network, crds string) error {
	if err := createKinds(ctx, client, crds); err != nil {
		return err
	}
	binding := &rbac.ClusterRoleBinding{
		ObjectMeta: meta.ObjectMeta{Name: "cilium"},
		RoleRef:    rbac.RoleRef{APIGroup: rbac.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbac.Subject{{APIGroup: rbac.GroupName, Kind: rbac.UserKind, Name: ciliumUser}},
	}
	if _, err := client.RbacV1().ClusterRoleBindings().Create(ctx, binding, meta.CreateOptions{}); err != nil && !errors.IsAlreadyExists(err) {
		return fmt.Errorf("granting Cilium's role: %w", err)
	}
	options := maps.Clone(ciliumOptions)
	maps.Copy(options, ciliumModes[network.Backend])
	config := &core.ConfigMap{ObjectMeta: meta.ObjectMeta{Name: "cilium-config", Namespace: "kube-system"}, Data: options}
	if _, err := client.CoreV1().ConfigMaps("kube-system").Create(ctx, config, meta.CreateOptions{}); err != nil && !errors.IsAlreadyExists(err) {
		return fmt.Errorf("creating Cilium's configuration: %w", err)
	}
	if _, err := client.AppsV1().DaemonSets("kube-system").Create(ctx, ciliumDaemonSet(), meta.CreateOptions{}); err != nil && !errors.IsAlreadyExists(err) {
		return fmt.Errorf("creating Cilium's DaemonSet: %w", err)
	}
	return nil
}

// createKinds creates all CustomResourceDefinitions below a directory.
func createKinds(ctx context.Context, client kubernetes.Interface, dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".yaml") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading a kind of Cilium: %w", err)
		}
		err = client.Discovery().RESTClient().Post().AbsPath("/apis/apiextensions.k8s.io/v1/customresourcedefinitions").
			SetHeader("Content-Type", "application/yaml").Body(text).Do(ctx).Error()
		if err != nil && !errors.IsAlreadyExists(err) {
			return fmt.Errorf("creating the kind of %s: %w", entry.Name(), err)
		}
		return nil
	})
}

// ciliumPod stands for a pod of the agent, which itself is a process of the node: it ends that, but when the node has
// just started, and is Ready when the next one says that it is well.
const ciliumPod = `
if [ -e /run/lab/cilium.pod ]; then
  old=$(cat /run/lab/cilium.pid)
  kill $old
  while [ "$(cat /run/lab/cilium.pid)" = $old ]; do sleep 0.1; done
fi
hostname > /run/lab/cilium.pod
touch restarted
trap exit TERM
while :; do sleep 1; done
`

// The probes of such a pod: it has ended the agent that was there, and the agent that is there is well. A command of a probe
// runs in the container's working directory, as the container's own does.
var (
	ciliumStarted = core.Probe{
		ProbeHandler:  core.ProbeHandler{Exec: &core.ExecAction{Command: []string{"test", "-e", "restarted"}}},
		PeriodSeconds: 1, TimeoutSeconds: 5, FailureThreshold: 300,
	}
	ciliumWell = core.Probe{
		ProbeHandler: core.ProbeHandler{HTTPGet: &core.HTTPGetAction{
			Host: "127.0.0.1", Port: intstr.FromInt32(9879), Path: "/healthz",
		}},
		PeriodSeconds: 1, TimeoutSeconds: 5,
	}
)

// ciliumDaemonSet is the one that commands for Cilium restart.
func ciliumDaemonSet() *apps.DaemonSet {
	labels := map[string]string{"k8s-app": "cilium"}
	grace, off, two, user := int64(0), false, intstr.FromInt32(2), int64(0)
	return &apps.DaemonSet{
		ObjectMeta: meta.ObjectMeta{Name: "cilium", Namespace: "kube-system", Labels: labels},
		Spec: apps.DaemonSetSpec{
			Selector: &meta.LabelSelector{MatchLabels: labels},
			UpdateStrategy: apps.DaemonSetUpdateStrategy{
				Type: apps.RollingUpdateDaemonSetStrategyType, RollingUpdate: &apps.RollingUpdateDaemonSet{MaxUnavailable: &two},
			},
			Template: core.PodTemplateSpec{
				ObjectMeta: meta.ObjectMeta{Labels: labels},
				Spec: core.PodSpec{
					HostNetwork: true, HostPID: true, TerminationGracePeriodSeconds: &grace,
					AutomountServiceAccountToken: &off, EnableServiceLinks: &off,
					Tolerations: []core.Toleration{{Operator: core.TolerationOpExists}},
					Containers: []core.Container{{
						Name: "cilium-agent", Image: build.BusyboxImage, ImagePullPolicy: core.PullNever,
						Command:         []string{"sh", "-c", ciliumPod},
						SecurityContext: &core.SecurityContext{RunAsUser: &user},
						VolumeMounts:    []core.VolumeMount{{Name: "lab", MountPath: "/run/lab"}},
						StartupProbe:    &ciliumStarted,
						ReadinessProbe:  &ciliumWell,
					}},
					Volumes: []core.Volume{{
						Name: "lab", VolumeSource: core.VolumeSource{HostPath: &core.HostPathVolumeSource{Path: "/run/lab"}},
					}},
				},
			},
		},
	}
}
