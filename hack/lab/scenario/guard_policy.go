package scenario

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/build"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
)

// policyGuard is a guard where the cluster has a policy engine, as Calico's and Cilium's agents are one: pods that answer on
// two ports, of which a NetworkPolicy denies the one.
type policyGuard struct{ lab *state.Lab }

const guardedNamespace = "lab-guarded"

// guardedObjects are the policy and, for each node, a pod.
func (g policyGuard) guardedObjects() string {
	var objects strings.Builder
	fmt.Fprintf(&objects, `
apiVersion: v1
kind: Namespace
metadata: {name: %[1]s}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: guard, namespace: %[1]s}
spec:
  podSelector: {}
  policyTypes: [Ingress]
  ingress: [{ports: [{protocol: TCP, port: %[2]d}]}]
`, guardedNamespace, allowedPort)
	for _, node := range g.lab.Nodes {
		fmt.Fprintf(&objects, `---
apiVersion: v1
kind: Pod
metadata: {name: %[2]s, namespace: %[1]s}
spec:
  nodeName: %[2]s
  terminationGracePeriodSeconds: 0
  automountServiceAccountToken: false
  containers:
    - name: guarded
      image: %[3]s
      imagePullPolicy: Never
      command: [sh, -c, "cd /tmp; echo here >index.html; httpd -p %[4]d; exec httpd -f -p %[5]d"]
`, guardedNamespace, node, build.BusyboxImage, deniedPort, allowedPort)
	}
	return objects.String()
}

func (g policyGuard) before(ctx context.Context) (func(context.Context) error, error) {
	steps := []Command{
		{Node: operator, Argv: []string{"kubectl", "apply", "--filename", "-"}, Stdin: []byte(g.guardedObjects())},
		kubectl("wait", "pod", "--all", "--namespace", guardedNamespace, "--for=condition=Ready", "--timeout=120s"),
	}
	if err := apply(ctx, g.lab, func([]string) []Command { return steps }); err != nil {
		return nil, fmt.Errorf("making a NetworkPolicy: %w", err)
	}
	if err := g.until(ctx, deniedPort, false); err != nil { // the engine hears of a policy a moment after the API server
		return nil, fmt.Errorf("before the repair: %w", err)
	}
	open, err := openPorts(ctx, g.lab)
	return func(ctx context.Context) error { return errors.Join(g.held(ctx), stayedClosed(ctx, g.lab, open)) }, err
}

// held returns what became of the policy. That a port is closed is its doing only if the port is open without it.
func (g policyGuard) held(ctx context.Context) error {
	if err := g.until(ctx, allowedPort, true); err != nil {
		return fmt.Errorf("after the repair what a NetworkPolicy allows does not pass: %w", err)
	}
	passed, err := g.passes(ctx, deniedPort)
	if err != nil {
		return err
	}
	if len(passed) > 0 {
		return fmt.Errorf("the repair opens what a NetworkPolicy denies: TCP %d passes %q", deniedPort, passed)
	}
	drop := kubectl("delete", "networkpolicy", "guard", "--namespace", guardedNamespace)
	if err := apply(ctx, g.lab, func([]string) []Command { return []Command{drop} }); err != nil {
		return err
	}
	if err := g.until(ctx, deniedPort, true); err != nil {
		return fmt.Errorf("nothing is known of the NetworkPolicy: without it, %w", err)
	}
	return nil
}

// until waits until a port of all guarded pods, or of none, is reached from another node's.
func (g policyGuard) until(ctx context.Context, port int, reached bool) error {
	want := 0
	if reached {
		want = len(g.lab.Nodes)
	}
	for deadline := time.Now().Add(time.Minute); ; pause(ctx, time.Second) {
		passed, err := g.passes(ctx, port)
		if err != nil || len(passed) == want {
			return err
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("TCP %d passes %q, want %d of %d", port, passed, want, len(g.lab.Nodes))
		}
	}
}

// passes returns the ways from each node's guarded pod to the next one's on which a port is reached.
func (g policyGuard) passes(ctx context.Context, port int) (ways []string, err error) {
	for i, node := range g.lab.Nodes {
		from := g.lab.Nodes[(i+len(g.lab.Nodes)-1)%len(g.lab.Nodes)]
		said, err := execute(ctx, g.lab, Command{Node: operator, Argv: []string{"sh", "-c", fmt.Sprintf(`
			address=$(kubectl get pod %[2]s --namespace %[1]s --output jsonpath={.status.podIP}) || exit 1
			kubectl exec %[3]s --namespace %[1]s -- sh -c "printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 2 $address %[4]d 2>/dev/null || true"`,
			guardedNamespace, node, from, port)}})
		if err != nil {
			return nil, fmt.Errorf("trying TCP %d of the guarded pod on %s: %w\n%s", port, node, err, said)
		}
		if strings.Contains(said, "here") {
			ways = append(ways, from+" to "+node)
		}
	}
	return ways, nil
}

func (g policyGuard) remove(ctx context.Context) error {
	return apply(ctx, g.lab, func([]string) []Command {
		return []Command{kubectl("delete", "namespace", guardedNamespace, "--ignore-not-found")}
	})
}
