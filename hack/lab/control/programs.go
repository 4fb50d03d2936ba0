package control

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// Program is one program of the control plane.
type Program struct {
	Name  string
	Path  string // of the executable; empty for the distribution's of that name
	Flags []string
	// AfterAPI holds the program back until the API server is ready: until then it would only take its processor time.
	AfterAPI bool
}

// Programs lists the control plane. Flags that are not here have their defaults: Pod Security admission, the Job and
// TTL-after-finished controllers are on.
func Programs(credentials, data string, families topology.Families) []Program {
	at := func(name string) string { return filepath.Join(credentials, name) }
	// Addresses of the API server and of its service are of one family, the first.
	control, _, _ := strings.Cut(families.NodeIP(topology.Control()), ",")
	pods, services := strings.Join(families.PodNetworks(), ","), strings.Join(families.ServiceNetworks(), ",")
	return []Program{
		{Name: "etcd", Flags: []string{"--data-dir=" + filepath.Join(data, "etcd")}},
		{Name: "kube-apiserver", Flags: []string{
			"--etcd-servers=http://127.0.0.1:2379",
			"--secure-port=" + strconv.Itoa(topology.APIPort),
			"--advertise-address=" + control,
			"--service-cluster-ip-range=" + services,
			"--allow-privileged=true",
			"--authorization-mode=Node,RBAC",
			"--enable-admission-plugins=NodeRestriction",
			"--client-ca-file=" + at("ca.crt"),
			"--tls-cert-file=" + at("apiserver.crt"),
			"--tls-private-key-file=" + at("apiserver.key"),
			"--kubelet-certificate-authority=" + at("ca.crt"),
			"--kubelet-client-certificate=" + at("kubelet-client.crt"),
			"--kubelet-client-key=" + at("kubelet-client.key"),
			"--kubelet-preferred-address-types=InternalIP",
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			"--service-account-key-file=" + at("service-account"),
			"--service-account-signing-key-file=" + at("service-account"),
		}},
		{Name: "kube-controller-manager", AfterAPI: true, Flags: []string{
			"--kubeconfig=" + at("controller-manager.kubeconfig"),
			"--authentication-kubeconfig=" + at("controller-manager.kubeconfig"),
			"--authorization-kubeconfig=" + at("controller-manager.kubeconfig"),
			"--service-account-private-key-file=" + at("service-account"),
			"--use-service-account-credentials=true",
			"--root-ca-file=" + at("ca.crt"),
			"--cluster-cidr=" + pods,
			"--service-cluster-ip-range=" + services,
			"--allocate-node-cidrs=true",
			"--configure-cloud-routes=false",
			"--leader-elect=false",
			"--node-monitor-period=1s",
			"--kube-api-qps=200", "--kube-api-burst=400",
		}},
		{Name: "kube-scheduler", AfterAPI: true, Flags: []string{
			"--kubeconfig=" + at("scheduler.kubeconfig"),
			"--authentication-kubeconfig=" + at("scheduler.kubeconfig"),
			"--authorization-kubeconfig=" + at("scheduler.kubeconfig"),
			"--leader-elect=false",
			"--kube-api-qps=200", "--kube-api-burst=400",
		}},
	}
}
