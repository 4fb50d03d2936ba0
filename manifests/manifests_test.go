package manifests

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var run = Run{ID: "abc234", Image: "example.org/probe:1", Lifetime: 3 * time.Minute, Idle: time.Minute}

// The test pod must be admitted where "restricted" is enforced:
// https://kubernetes.io/docs/concepts/security/pod-security-standards/
func TestPodIsRestricted(t *testing.T) {
	job, err := run.JobObject(Placing{Role: "pod", Index: 1, Node: "b"})
	if err != nil {
		t.Fatal(err)
	}
	pod := job.Spec.Template.Spec
	c := pod.Containers[0]
	switch {
	case pod.HostNetwork || pod.HostPID || pod.HostIPC || len(pod.Volumes) > 0:
		t.Error("it shares something with its host")
	case !*pod.SecurityContext.RunAsNonRoot || *pod.SecurityContext.RunAsUser == 0:
		t.Error("it may be root")
	case pod.SecurityContext.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault:
		t.Error("no seccomp profile")
	case *c.SecurityContext.AllowPrivilegeEscalation || len(c.SecurityContext.Capabilities.Add) > 0 ||
		!slices.Equal(c.SecurityContext.Capabilities.Drop, []corev1.Capability{"ALL"}):
		t.Error("it keeps privileges")
	}
}

// The probe has what it needs and nothing else.
func TestProbePrivileges(t *testing.T) {
	job, err := run.JobObject(Placing{Role: "probe", Index: 0, Node: "a"})
	if err != nil {
		t.Fatal(err)
	}
	pod := job.Spec.Template.Spec
	s := pod.Containers[0].SecurityContext
	switch {
	case !pod.HostNetwork || pod.HostPID || pod.HostIPC:
		t.Error("the host's network, and only that, is shared")
	case *s.Privileged || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem:
		t.Error("it is privileged")
	case !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) ||
		!slices.Equal(s.Capabilities.Add, []corev1.Capability{"NET_ADMIN", "NET_RAW"}):
		t.Errorf("capabilities %+v", s.Capabilities)
	case len(pod.Volumes) > 0:
		t.Error("the first pass mounts something")
	}
}

func TestSecondPassSharesOneFolderReadOnly(t *testing.T) {
	job, err := run.JobObject(Placing{Role: "probe", Index: 0, Node: "a", Sockets: "/run/wireguard"})
	if err != nil {
		t.Fatal(err)
	}
	pod := job.Spec.Template.Spec
	if len(pod.Volumes) != 1 || pod.Volumes[0].HostPath.Path != "/run/wireguard" ||
		*pod.Volumes[0].HostPath.Type != corev1.HostPathDirectory {
		t.Errorf("volumes %+v", pod.Volumes)
	}
	mounts := pod.Containers[0].VolumeMounts
	if len(mounts) != 1 || !mounts[0].ReadOnly || mounts[0].MountPath != SocketFolder {
		t.Errorf("mounts %+v", mounts)
	}
}

// What holds for both roles: it goes to its node by affinity, ends by itself,
// has no token and limits, and bears the run's labels.
func TestBothRoles(t *testing.T) {
	for _, role := range []string{"pod", "probe"} {
		r := run
		r.PullPolicy, r.PullSecrets = corev1.PullNever, []string{"registry"}
		job, err := r.JobObject(Placing{Role: role, Index: 12, Node: "node.example.org"})
		if err != nil {
			t.Fatal(err)
		}
		pod := job.Spec.Template.Spec
		c := pod.Containers[0]
		term := pod.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0]
		for what, ok := range map[string]bool{
			"name": job.Name == "wg-abc234-"+role+"-12" &&
				job.Namespace == map[string]string{"probe": "kubectl-wg-abc234", "pod": "kubectl-wg-abc234-pods"}[role],
			"node": pod.NodeName == "" && term.MatchFields[0].Values[0] == "node.example.org" &&
				job.Annotations[AnnotationNode] == "node.example.org",
			"taints": len(pod.Tolerations) == 1 && pod.Tolerations[0].Operator == corev1.TolerationOpExists,
			"end": *job.Spec.ActiveDeadlineSeconds == 180 && *job.Spec.TTLSecondsAfterFinished > 0 &&
				*job.Spec.BackoffLimit == 0 && pod.RestartPolicy == corev1.RestartPolicyNever,
			"command": slices.Equal(c.Command,
				[]string{"/wg-probe", "wait", "--deadline", "180s", "--idle", "1m0s"}),
			"token":     !*pod.AutomountServiceAccountToken && !*pod.EnableServiceLinks,
			"resources": len(c.Resources.Limits) == 2 && len(c.Resources.Requests) == 2,
			"image": c.Image == "example.org/probe:1" && c.ImagePullPolicy == corev1.PullNever &&
				pod.ImagePullSecrets[0].Name == "registry",
			"labels": job.Labels[LabelRun] == "abc234" && job.Spec.Template.Labels[LabelRun] == "abc234" &&
				job.Labels[LabelManagedBy] == ManagedBy,
			"container":    c.Name == Container,
			"meshes":       noMesh(job.Spec.Template.Labels, job.Spec.Template.Annotations),
			"environment":  c.Env == nil,
			"own job name": len(job.Name) <= 63,
		} {
			if !ok {
				t.Errorf("%s: %s is wrong", role, what)
			}
		}
	}
}

// A new pod is a test pod with another command, and no longer there than it has to be.
func TestNewcomer(t *testing.T) {
	placing := Placing{Role: Newcomer, Index: 3, Node: "a", Arguments: []string{"--index", "3"}}
	job, err := run.JobObject(placing)
	if err != nil {
		t.Fatal(err)
	}
	placing.Role = "pod"
	pod, err := run.JobObject(placing)
	if err != nil {
		t.Fatal(err)
	}
	command := job.Spec.Template.Spec.Containers[0].Command
	if want := []string{"/wg-probe", "newcomer", "--deadline", "180s", "--idle", "3s", "--index",
		"3"}; !slices.Equal(command, want) {
		t.Errorf("command %q", command)
	}
	if job.Name != "wg-abc234-newcomer-3" || job.Labels[LabelRole] != Newcomer ||
		job.Spec.Template.Labels[LabelRole] != Newcomer {
		t.Errorf("%s: %v", job.Name, job.Labels)
	}
	pod.Spec.Template.Spec.Containers[0].Command = command
	if !reflect.DeepEqual(job.Spec.Template.Spec, pod.Spec.Template.Spec) {
		t.Error("it has more or less than a test pod has")
	}
}

// noMesh reports whether labels and annotations keep the common service meshes
// from injecting a proxy.
func noMesh(labels, annotations map[string]string) bool {
	return labels["sidecar.istio.io/inject"] == "false" && labels["istio.io/dataplane-mode"] == "none" &&
		labels["kuma.io/sidecar-injection"] == "disabled" && annotations["linkerd.io/inject"] == "disabled"
}

// A new pod's mark is in a Secret, and only its name is in the pod.
func TestSecret(t *testing.T) {
	owner := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "wg-abc234-pod-0", UID: "u"}}
	for namespace, owners := range map[string]int{"": 0, "mine": 1} {
		r := run
		r.Namespace = namespace
		secret, err := r.SecretObject(map[string]string{"MARK": "m"}, owner)
		if err != nil {
			t.Fatal(err)
		}
		job, err := r.JobObject(Placing{Role: Newcomer, Secrets: []string{"MARK"}})
		if err != nil {
			t.Fatal(err)
		}
		from := job.Spec.Template.Spec.Containers[0].Env[0].ValueFrom.SecretKeyRef
		if from.Name != secret.Name || from.Key != "MARK" || secret.StringData["MARK"] != "m" ||
			secret.Namespace != job.Namespace {
			t.Errorf("%+v, %+v", from, secret)
		}
		if len(secret.OwnerReferences) != owners {
			t.Errorf("namespace %q: owners %v", namespace, secret.OwnerReferences)
		}
	}
}

func TestNamespaces(t *testing.T) {
	r := run
	r.Nodes, r.NewPods = 3, 2
	namespaces, err := r.NamespaceObjects()
	if err != nil {
		t.Fatal(err)
	}
	quotas, err := r.QuotaObjects()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		name, level string
		pods        int64
	}{{"kubectl-wg-abc234", "privileged", 6}, {"kubectl-wg-abc234-pods", "restricted", 5}} {
		n, quota := namespaces[i], quotas[i]
		mesh := n.Labels["istio-injection"] == "disabled" && n.Annotations["linkerd.io/inject"] == "disabled"
		if n.Name != want.name || n.Labels[LabelRun] != "abc234" ||
			n.Labels["pod-security.kubernetes.io/enforce"] != want.level || !mesh {
			t.Errorf("%+v", n)
		}
		if pods := quota.Spec.Hard[corev1.ResourcePods]; quota.Namespace != want.name || pods.Value() != want.pods {
			t.Errorf("%+v", quota)
		}
	}
	policy, err := r.PolicyObject()
	if err != nil || policy.Namespace != "kubectl-wg-abc234-pods" || len(policy.Spec.Ingress) != 1 ||
		len(policy.Spec.Egress) != 1 {
		t.Errorf("%+v, %v", policy, err)
	}
	r.Namespace = "mine"
	if got := r.Namespaces(); !slices.Equal(got, []string{"mine"}) || r.NamespaceOf("probe") != "mine" ||
		r.NamespaceOf("pod") != "mine" {
		t.Errorf("%v", got)
	}
}

func TestRoles(t *testing.T) {
	if role, err := OperatorRole(); err != nil || len(role.Rules) == 0 {
		t.Errorf("%+v, %v", role, err)
	}
	if text := string(RoleFile(RoleCluster)); !strings.Contains(text, "CLUSTER-ADMIN") {
		t.Error("the role does not say what it amounts to")
	}
	if text := string(RoleFile(RoleNamespaced)); strings.Count(text, "kind: ") != 3 || RoleFile("other") != nil {
		t.Error(text)
	}
}
