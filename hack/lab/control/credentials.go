package control

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/node"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// apiURL is the API server's address for everyone on the switch.
func apiURL() string {
	return fmt.Sprintf("https://%s:%d", topology.Control().IPv4.Addr(), topology.APIPort)
}

// WriteCredentials writes what the control plane's programs read, and the administrator's kubeconfig for the API server
// as it is seen on the machine's loopback.
func WriteCredentials(authority *Authority, dir, lab, adminPath string, port int) error {
	serving, err := authority.Server("kube-apiserver",
		[]string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		[]net.IP{
			net.IPv4(127, 0, 0, 1), net.IPv6loopback, net.ParseIP(topology.ServiceAPI), net.ParseIP(topology.ServiceAPI6),
			topology.Control().IPv4.Addr().AsSlice(), topology.Control().IPv6.Addr().AsSlice(),
		})
	if err != nil {
		return err
	}
	kubeletClient, err := authority.Client("kube-apiserver-kubelet-client", "system:masters")
	if err != nil {
		return err
	}
	signing, err := NewSigningKey()
	if err != nil {
		return err
	}
	files := map[string]string{
		"ca.crt":             authority.PEM,
		"apiserver.crt":      serving.Certificate,
		"apiserver.key":      serving.Key,
		"kubelet-client.crt": kubeletClient.Certificate,
		"kubelet-client.key": kubeletClient.Key,
		"service-account":    signing,
	}
	for file, user := range map[string]string{
		"controller-manager.kubeconfig": "system:kube-controller-manager",
		"scheduler.kubeconfig":          "system:kube-scheduler",
	} {
		if files[file], err = userKubeconfig(authority, user, apiURL(), user); err != nil {
			return err
		}
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return fmt.Errorf("writing credentials: %w", err)
		}
	}
	admin, err := userKubeconfig(authority, "lab-"+lab, fmt.Sprintf("https://127.0.0.1:%d", port), "admin", "system:masters")
	if err != nil {
		return err
	}
	if err := os.WriteFile(adminPath, []byte(admin), 0o600); err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return nil
}

// NodeFiles are a node's credentials, by their paths inside of it.
func NodeFiles(authority *Authority, name string, address topology.Address) (map[string]string, error) {
	kubelet, kubeletErr := userKubeconfig(authority, "kubelet", apiURL(), "system:node:"+name, "system:nodes")
	flannel, flannelErr := userKubeconfig(authority, "flannel", apiURL(), flannelUser)
	cilium, ciliumErr := userKubeconfig(authority, "cilium", apiURL(), ciliumUser)
	services, servicesErr := userKubeconfig(authority, "services", apiURL(), servicesUser)
	serving, servingErr := authority.Server(name, []string{name}, []net.IP{address.IPv4.Addr().AsSlice(), address.IPv6.Addr().AsSlice()})
	if err := errors.Join(kubeletErr, flannelErr, ciliumErr, servicesErr, servingErr); err != nil {
		return nil, err
	}
	return map[string]string{
		node.CAFile:             authority.PEM,
		node.KubeletKubeconfig:  kubelet,
		node.KubeletCertificate: serving.Certificate,
		node.KubeletKey:         serving.Key,
		node.FlannelKubeconfig:  flannel,
		node.CiliumKubeconfig:   cilium,
		node.ServicesKubeconfig: services,
	}, nil
}

func userKubeconfig(authority *Authority, name, server, user string, groups ...string) (string, error) {
	pair, err := authority.Client(user, groups...)
	if err != nil {
		return "", err
	}
	return Kubeconfig(name, server, authority.PEM, pair)
}
