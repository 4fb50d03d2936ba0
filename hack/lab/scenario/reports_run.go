package scenario

import (
	"fmt"
	"strings"
)

// reportsRun are reports of what keeps a run from its evidence, though no tunnel has anything to do with it.
var reportsRun = []Scenario{
	{
		Name: "kubelet-dropped", Title: "a firewall on one node drops what the API server sends to the kubelet",
		Cluster: wireguard, Restore: onEach(dropTable), Want: undecided(codeStarted), Pairs: bothWays,
		Sabotage: on(nftRule("node-2", "input", 0, "tcp dport 10250 counter drop")),
		Says: []string{
			"the API server cannot reach the kubelet of node-2 at 192.0.2.12:10250", "i/o timeout",
			"each agent needs its tunnel to every server",
		},
	},
	{
		Name: "kubelet-rejected", Title: "a firewall on one node rejects it",
		Cluster: wireguard, Restore: onEach(dropTable), Want: undecided(codeStarted), Pairs: bothWays,
		Sabotage: on(nftRule("node-2", "input", 0, "tcp dport 10250 counter reject with tcp reset")),
		Says:     []string{"the API server cannot reach the kubelet of node-2 at 192.0.2.12:10250", "connection refused"},
	},
	{
		Name: "webhook-namespaces", Title: "a webhook for namespaces is a pod that the API server does not reach",
		Cluster: wireguard, Sabotage: on(unreachableWebhook("", "namespaces")), Restore: on(noWebhook), Want: stopped,
		Says: []string{
			"checking permissions: ", "cannot reach the webhook namespaces.lab.example", "the pod network that you want tested", "--namespace",
		},
	},
	{
		Name: "webhook-jobs", Title: "the same for Jobs",
		Cluster: wireguard, Sabotage: on(unreachableWebhook("batch", "jobs")), Restore: on(noWebhook), Want: stopped,
		Says: []string{
			"no probe became Ready", "cannot reach the webhook jobs.lab.example", "the pod network that you want tested",
		},
	},
	{
		Name: "webhook-pods", Title: "the same for pods, which only the Job controller sees",
		Cluster: wireguard, Sabotage: on(unreachableWebhook("", "pods")), Restore: on(noWebhook), Want: stopped,
		Says: []string{
			"no probe became Ready", "cannot reach the webhook pods.lab.example", "the pod network that you want tested",
		},
	},
	{
		Name: "image-no-registry", Title: "no node reaches the registry of the probe's image",
		Cluster: wireguard, Args: []string{"--image", "registry.invalid/lab/probe:1"}, Want: stopped,
		Says: []string{
			"no probe became Ready", "ErrImagePull: ", "registry.invalid", "hint: the node cannot",
			"--image-pull-policy=Never",
		},
	},
	{
		Name: "image-one-node", Title: "one of two nodes does not reach the registry, the other has the image",
		Cluster: wireguard, Args: []string{"--image", "registry.invalid/lab/probe:1"},
		Sabotage: on(shell("node-1", `image=$(ctr images ls -q | grep /wg-probe: | head -n 1)
			ctr images tag --force $image registry.invalid/lab/probe:1`)),
		Restore: on(shell("node-1", "ctr images rm registry.invalid/lab/probe:1 >/dev/null 2>&1 || true")),
		Want:    undecided(codeStarted), Pairs: bothWays,
		Says: []string{"on node-2 did not start: ErrImagePull: ", "registry.invalid"},
	},
	{
		Name: "quota-known", Title: "a namespace's quota has no room for the run's pods",
		Cluster: wireguard, Args: []string{"--namespace", "lab-quota"}, Want: stopped,
		Sabotage: on(kubectl("create", "namespace", "lab-quota"),
			kubectl("label", "namespace", "lab-quota", "pod-security.kubernetes.io/enforce=privileged"),
			kubectl("-n", "lab-quota", "create", "quota", "few", "--hard=pods=3"),
			shell(operator, `for i in $(seq 100); do
				kubectl -n lab-quota get quota few -o jsonpath={.status.hard.pods} | grep -q 3 && exit 0
				sleep 0.1
			done
			exit 1`)),
		Restore: on(kubectl("delete", "namespace", "lab-quota", "--ignore-not-found", "--wait=true")),
		Says:    []string{"the quota few of namespace lab-quota allows 3 pods, of which 0 are used; the run needs 4"},
	},
	{
		Name: "family-known", Title: "a family was asked for that no node has a pod range of",
		Cluster: wireguard, Args: []string{"--family", "6"}, Want: misused,
		Says: []string{"--family 6: no node has an IPv6 pod range"},
	},
	{
		Name: "selector-of-nothing", Title: "a selector that matches no node",
		Cluster: wireguard, Args: []string{"--node-selector", "foo=bar"}, Want: misused,
		Says: []string{"no node matches --node-selector foo=bar"},
	},
	{
		Name: "namespace-missing", Title: "a namespace that does not exist",
		Cluster: wireguard, Args: []string{"--namespace", "no-such"}, Want: stopped,
		Says: []string{"the namespace no-such does not exist", "kubectl create namespace no-such"},
	},
}

// misused is the outcome of a command line that cannot be meant.
var misused = Want{Exit: 2}

// spoke reports whether the command said all the texts: on stderr, as its first cause and the remedy for it, or, if it is
// not verify, on stdout.
func (t *Trial) spoke(texts []string) error {
	said := t.said.String() + t.printed
	if cause := t.report.FirstCause; cause != nil {
		said += cause.Text
		if cause.Remedy != nil {
			said += "\n" + cause.Remedy.Title
		}
	}
	for _, text := range texts {
		if !strings.Contains(said, text) {
			return fmt.Errorf("it did not say %q:\n%s", text, said)
		}
	}
	return nil
}

// unreachableWebhook has the API server ask a pod that does not answer before it creates what the product makes.
func unreachableWebhook(group, resource string) Command {
	return shell(operator, `kubectl apply -f - <<'END'
{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
 "metadata": {"name": "lab-unreachable"},
 "webhooks": [{"name": "%[2]s.lab.example", "failurePolicy": "Fail", "sideEffects": "None",
  "admissionReviewVersions": ["v1"], "timeoutSeconds": 2,
  "objectSelector": {"matchLabels": {"app.kubernetes.io/managed-by": "kubectl-wg"}},
  "clientConfig": {"url": "https://10.42.1.250:9443/v1/admit"},
  "rules": [{"apiGroups": ["%[1]s"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["%[2]s"]}]}]}
END
sleep 2`, group, resource)
}

var noWebhook = kubectl("delete", "validatingwebhookconfiguration", "lab-unreachable", "--ignore-not-found")
