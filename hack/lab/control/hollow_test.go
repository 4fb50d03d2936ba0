package control

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// What a cluster without machines needs is added; nothing is taken away, and only the operator is logged.
func TestForHollowAdds(t *testing.T) {
	dir := t.TempDir()
	before := Programs(dir, dir, topology.OnlyIPv4)
	after, err := ForHollow(Programs(dir, dir, topology.OnlyIPv4), dir, filepath.Join(dir, "audit.log"), 500)
	if err != nil || len(after) != len(before) {
		t.Fatalf("%d programs of %d, %v", len(after), len(before), err)
	}
	for i, program := range after {
		if !slices.Equal(program.Flags[:len(before[i].Flags)], before[i].Flags) {
			t.Errorf("%s has lost flags: %v", program.Name, program.Flags)
		}
		added := strings.Join(program.Flags[len(before[i].Flags):], " ")
		for _, want := range map[string][]string{
			"kube-apiserver": {"--audit-log-path="}, "kube-controller-manager": {"--kube-api-qps=500", "--kube-api-burst=1000"}, "kube-scheduler": {"--kube-api-qps=500"},
		}[program.Name] {
			if !strings.Contains(added, want) {
				t.Errorf("%s is given %q, without %s", program.Name, added, want)
			}
		}
	}
	policy, err := os.ReadFile(filepath.Join(dir, "audit-policy.yaml"))
	if err != nil || !strings.Contains(string(policy), "users: [operator]\n  - level: None\n") {
		t.Errorf("the audit policy is %q, %v", policy, err)
	}
}

// The API server has to believe whoever answers under a node's address, and nobody else.
func TestHollowNodesServeUnderTheirAddresses(t *testing.T) {
	authority, err := NewAuthority("lab-test")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := WriteHollowCredentials(authority, dir, filepath.Join(dir, "operator.kubeconfig"), 6443, []string{"198.18.0.1", "198.18.0.2"}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "nodes.crt"))
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := parse(data)
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{"198.18.0.1": true, "198.18.0.2": true, "198.18.0.3": false, "127.0.0.1": false} {
		if err := certificate.VerifyHostname(address); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
}
