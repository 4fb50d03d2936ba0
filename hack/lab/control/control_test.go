package control

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/node"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

func TestCredentialsFitTogether(t *testing.T) {
	authority, err := NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	admin := filepath.Join(dir, "kubeconfig")
	if err := WriteCredentials(authority, dir, "x", admin, 40001); err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM([]byte(authority.PEM))

	serving, err := tls.LoadX509KeyPair(filepath.Join(dir, "apiserver.crt"), filepath.Join(dir, "apiserver.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", topology.Control().IPv4.Addr().String(), topology.ServiceAPI, topology.ServiceAPI6, "kubernetes.default.svc"} {
		if _, err := serving.Leaf.Verify(x509.VerifyOptions{Roots: trusted, DNSName: host}); err != nil {
			t.Errorf("the API server as %s: %v", host, err)
		}
	}
	config, err := clientcmd.BuildConfigFromFlags("", admin)
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != "https://127.0.0.1:40001" {
		t.Errorf("the administrator is sent to %s", config.Host)
	}
	checkClient(t, trusted, config.CertData, "admin", "system:masters")
	if info, err := os.Stat(admin); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("kubeconfig: mode %v (%v), want 0600", info.Mode(), err)
	}

	files, err := NodeFiles(authority, "node-2", topology.Node(2))
	if err != nil {
		t.Fatal(err)
	}
	kubelet, err := clientcmd.RESTConfigFromKubeConfig([]byte(files[node.KubeletKubeconfig]))
	if err != nil {
		t.Fatal(err)
	}
	checkClient(t, trusted, kubelet.CertData, "system:node:node-2", "system:nodes")
	pair, err := tls.X509KeyPair([]byte(files[node.KubeletCertificate]), []byte(files[node.KubeletKey]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: trusted, DNSName: "192.0.2.12"}); err != nil {
		t.Errorf("kubelet of node-2: %v", err)
	}
}

func checkClient(t *testing.T, trusted *x509.CertPool, certificate []byte, user string, groups ...string) {
	t.Helper()
	parsed, err := parse(certificate)
	if err != nil {
		t.Fatal(err)
	}
	if parsed.Subject.CommonName != user || !slices.Equal(parsed.Subject.Organization, groups) {
		t.Errorf("certificate of %s in %v, want %s in %v", parsed.Subject.CommonName, parsed.Subject.Organization, user, groups)
	}
	if _, err := parsed.Verify(x509.VerifyOptions{Roots: trusted, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Errorf("%s: %v", user, err)
	}
}

func TestNodesLookLikeThoseOfK3s(t *testing.T) {
	for _, test := range []struct {
		network topology.Network
		server  bool
		args    []string
		ip      string
	}{
		{topology.Network{Backend: "wireguard"}, true, []string{"server", "--flannel-backend", "wireguard-native", "--node-ip", "192.0.2.11"}, "192.0.2.11"},
		{topology.Network{Backend: "vxlan"}, true, []string{"server", "--flannel-backend", "vxlan", "--node-ip", "192.0.2.11"}, "192.0.2.11"},
		{topology.Network{Backend: "wireguard"}, false, []string{"agent", "--node-ip", "192.0.2.11"}, "192.0.2.11"},
		{topology.Network{Backend: "wireguard", Families: topology.Dual}, true, []string{
			"server", "--flannel-backend", "wireguard-native", "--cluster-cidr", "10.42.0.0/16,2001:db8:42::/56",
			"--service-cidr", "10.43.0.0/16,2001:db8:43::/112", "--node-ip", "192.0.2.11,2001:db8::11",
		}, "192.0.2.11,2001:db8::11"},
		{topology.Network{Backend: "wireguard", Families: topology.OnlyIPv6}, false, []string{"agent", "--node-ip", "2001:db8::11"}, "2001:db8::11"},
	} {
		n := node.Node{Name: "node-1", Address: topology.Node(1), PodCIDRs: []string{"10.42.0.0/24"}}
		object, err := nodeObject(n, test.network, test.server)
		if err != nil {
			t.Fatal(err)
		}
		var args []string
		if err := json.Unmarshal([]byte(object.Annotations["k3s.io/node-args"]), &args); err != nil || !slices.Equal(args, test.args) {
			t.Errorf("node-args %v (%v), want %v", args, err, test.args)
		}
		if got := object.Labels["node-role.kubernetes.io/control-plane"] == "true"; got != test.server {
			t.Errorf("control-plane label %t on %v", got, args)
		}
		if object.Labels["node.kubernetes.io/instance-type"] != "k3s" || object.Annotations["k3s.io/internal-ip"] != test.ip {
			t.Errorf("labels %v, annotations %v", object.Labels, object.Annotations)
		}
	}
}

func TestSecurityIsOn(t *testing.T) {
	for _, program := range Programs("/c", "/d", topology.Dual) {
		flags := strings.Join(program.Flags, " ")
		if program.Name == "kube-apiserver" && !strings.Contains(flags, "--authorization-mode=Node,RBAC") {
			t.Errorf("%s: %s", program.Name, flags)
		}
		if strings.Contains(flags, "--disable-admission-plugins") || strings.Contains(flags, "--controllers") {
			t.Errorf("%s turns something off: %s", program.Name, flags)
		}
	}
}

func parse(certificate []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(certificate)
	return x509.ParseCertificate(block.Bytes)
}
