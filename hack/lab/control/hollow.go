package control

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// Operator is the user whose requests the API server of a hollow lab logs. It has no rights from the start.
const Operator = "operator"

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    users: [` + Operator + `]
  - level: None
`

// ForHollow returns the programs as a cluster without machines needs them. Nodes have their pod ranges from the start and
// send no heartbeats, of which a thousand nodes send hundreds per second; controllers may make qps requests per second
// each; requests of the operator are logged.
func ForHollow(programs []Program, credentials, audit string, qps int) ([]Program, error) {
	policy := filepath.Join(credentials, "audit-policy.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return nil, fmt.Errorf("writing the audit policy: %w", err)
	}
	limits := []string{"--kube-api-qps=" + strconv.Itoa(qps), "--kube-api-burst=" + strconv.Itoa(2*qps)}
	more := map[string][]string{
		"kube-apiserver":          {"--audit-policy-file=" + policy, "--audit-log-path=" + audit},
		"kube-controller-manager": append([]string{"--allocate-node-cidrs=false", "--node-monitor-grace-period=1h"}, limits...),
		"kube-scheduler":          limits,
	}
	changed := make([]Program, len(programs))
	for i, program := range programs {
		program.Flags = append(program.Flags, more[program.Name]...) // the last one counts
		changed[i] = program
	}
	return changed, nil
}

// WriteHollowCredentials writes those of the process that stands for all nodes, which serves under all their addresses,
// and the operator's kubeconfig for the API server as it is seen on the machine's loopback.
func WriteHollowCredentials(authority *Authority, dir, operatorPath string, port int, nodes []string) error {
	addresses := make([]net.IP, len(nodes))
	for i, node := range nodes {
		addresses[i] = net.ParseIP(node)
	}
	serving, err := authority.Server("hollow", nil, addresses)
	if err != nil {
		return err
	}
	client, err := userKubeconfig(authority, "hollow", apiURL(), "hollow", "system:masters")
	if err != nil {
		return err
	}
	operator, err := userKubeconfig(authority, "operator", fmt.Sprintf("https://127.0.0.1:%d", port), Operator)
	if err != nil {
		return err
	}
	for path, content := range map[string]string{
		filepath.Join(dir, "nodes.crt"): serving.Certificate, filepath.Join(dir, "nodes.key"): serving.Key,
		filepath.Join(dir, "hollow.kubeconfig"): client, operatorPath: operator,
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return fmt.Errorf("writing credentials: %w", err)
		}
	}
	return nil
}
