package scenario

import (
	"context"
	"fmt"
	"time"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/build"
)

// services are clusters with what runs beside Flannel in every K3s: kube-proxy, and a network policy controller with real
// NetworkPolicies, which repairs must keep. The controller writes the whole table "filter" whenever pods come or go, and
// takes with it what somebody else has just written there: no row of these does.
var services = append([]Scenario{
	{
		Name: "services-scope", Title: "kube-proxy and a network policy controller run on the nodes, as K3s has them",
		Cluster: whole, Args: allScopes, Want: pass, Classes: flannelCells, Findings: map[string]string{codeClasses: "pass"},
	},
	{
		Name: "services-ended", Title: "pods still send to pods that have ended",
		Cluster: whole, Args: endedScope, Want: pass, Classes: map[string]string{"pod-pod": encrypted, "pod-ended": encrypted},
	},
	{
		Name: "services-denied", Title: "whoever makes a namespace finds a policy in it that denies all",
		Cluster: whole, Args: allScopes, Meanwhile: denied, Want: pass, Classes: flannelCells,
	},
	{
		Name: "services-nftables", Title: "kube-proxy translates in its mode nftables",
		Cluster: whole, Args: allScopes, Want: pass, Classes: flannelCells,
		Sabotage: onEach(proxyMode("nftables")), Restore: onEach(proxyMode("iptables")),
	},
	{
		Name: "services-churn", Title: "pods behind a Service come and go all the time",
		Cluster: whole, Want: pass, Meanwhile: churned, Sabotage: on(web...), Restore: on(withoutWeb),
	},
	{
		Name: "services-leak", Title: "a node sends past the tunnel whatever kube-proxy translated",
		Cluster: whole, Args: allScopes, Want: fail(codeClasses), Or: []Want{fail(codePath)}, Unmendable: lookAt,
		Sabotage: pastTunnel("iifname cni0 ct status dnat meta mark set 0x88", "fwmark 0x88"), Restore: takeBack,
		Classes: map[string]string{"pod-cluster-ip": leaks, "node-pod": encrypted, "node-node": byDesign},
	},
}, elsewhere("services", func(c *Cluster) { c.Services = true },
	"stale-flannel-route", "route-missing", "missing-peer", "reach-forward", "reach-legacy", "vxlan")...)

// proxyMode has kube-proxy start again, which removes what it made in another mode.
func proxyMode(mode string) func(node string) Command {
	return func(node string) Command {
		return shell(node, `
			echo %[1]s >/run/lab/proxy-mode
			kill $(cat /run/lab/kube-proxy.pid)
			for i in $(seq 100); do
				sleep 0.1
				nftables=$(nft list tables | grep -c 'kube-proxy$' || true)
				iptables=$(iptables-save -t nat | grep -c -e '-A KUBE-SERVICES' || true)
				case %[1]s in
					nftables) [ $nftables -gt 0 ] && [ $iptables -eq 0 ] && exit 0 ;;
					iptables) [ $nftables -eq 0 ] && [ $iptables -gt 0 ] && exit 0 ;;
				esac
			done
			echo "kube-proxy has $nftables tables of nftables and $iptables rules for Services of iptables"
			exit 1`, mode)
	}
}

// web is a Service with pods behind it.
var (
	web = []Command{
		{Node: operator, Argv: []string{"kubectl", "create", "--filename", "-"}, Stdin: []byte(`
apiVersion: v1
kind: Service
metadata: {name: lab-web, namespace: default}
spec:
  type: NodePort
  sessionAffinity: ClientIP
  selector: {app: lab-web}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: lab-web, namespace: default}
spec:
  replicas: 3
  selector: {matchLabels: {app: lab-web}}
  template:
    metadata: {labels: {app: lab-web}}
    spec:
      terminationGracePeriodSeconds: 0
      automountServiceAccountToken: false
      containers:
        - {name: web, image: "` + build.BusyboxImage + `", imagePullPolicy: Never, command: [httpd, -f, -p, "8080"]}
`)},
		kubectl("rollout", "status", "--namespace=default", "deployment", "lab-web", "--timeout=60s"),
	}
	withoutWeb = kubectl("delete", "--namespace=default", "service/lab-web", "deployment/lab-web", "--ignore-not-found")
)

// churned changes the number of the Service's pods every second.
func churned(ctx context.Context, t *Trial) error {
	for replicas := 6; ctx.Err() == nil; replicas = 7 - replicas {
		if _, _, over := t.said.state(); over {
			return nil
		}
		scale := kubectl("scale", "--namespace=default", "deployment/lab-web", fmt.Sprintf("--replicas=%d", replicas))
		if said, err := execute(ctx, t.lab, scale); err != nil && ctx.Err() == nil {
			return fmt.Errorf("scaling: %w\n%s", err, said)
		}
		pause(ctx, time.Second)
	}
	return context.Cause(ctx)
}

// denied makes a NetworkPolicy that denies all in each namespace of the run, as policy engines do for new namespaces.
func denied(ctx context.Context, t *Trial) error {
	policy := &networking.NetworkPolicy{
		ObjectMeta: meta.ObjectMeta{Name: "denied"},
		Spec:       networking.NetworkPolicySpec{PolicyTypes: []networking.PolicyType{networking.PolicyTypeIngress, networking.PolicyTypeEgress}},
	}
	for ctx.Err() == nil {
		if _, _, over := t.said.state(); over {
			return nil
		}
		namespaces, err := t.api.CoreV1().Namespaces().List(ctx, ours)
		if err != nil {
			return fmt.Errorf("listing the run's namespaces: %w", err)
		}
		for _, n := range namespaces.Items {
			_, err := t.api.NetworkingV1().NetworkPolicies(n.Name).Create(ctx, policy, meta.CreateOptions{})
			over := apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, core.NamespaceTerminatingCause)
			if err != nil && !over {
				return fmt.Errorf("denying all in %s: %w", n.Name, err)
			}
		}
		pause(ctx, 100*time.Millisecond)
	}
	return context.Cause(ctx)
}
