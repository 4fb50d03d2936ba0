package manifests

import (
	"maps"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Own reports whether the run makes its own namespaces.
func (r Run) Own() bool { return r.Namespace == "" }

// NamespaceOf is the namespace of the Jobs of a role.
func (r Run) NamespaceOf(role string) string {
	switch {
	case !r.Own():
		return r.Namespace
	case role == "probe", role == Trial, role == Logs: // has a capability, which the other does not admit
		return "kubectl-wg-" + r.ID
	}
	return "kubectl-wg-" + r.ID + "-pods"
}

// Namespaces are those that the run's Jobs are in.
func (r Run) Namespaces() []string {
	if !r.Own() {
		return []string{r.Namespace}
	}
	return []string{r.NamespaceOf("probe"), r.NamespaceOf("pod")}
}

// NamespaceObjects returns the run's own namespaces, in the order of Namespaces.
func (r Run) NamespaceObjects() ([]*corev1.Namespace, error) {
	var all []*corev1.Namespace
	for i, file := range []string{"namespace.yaml", "namespace-pods.yaml"} {
		var namespace corev1.Namespace
		if err := load(file, &namespace); err != nil {
			return nil, err
		}
		r.own(&namespace.ObjectMeta, r.Namespaces()[i])
		all = append(all, &namespace)
	}
	return all, nil
}

// passes is how many probes a node may have at a time: the second pass begins
// before the first has ended.
const passes = 2

// QuotaObjects returns the quotas of the run's own namespaces: exactly its pods, and
// its Services if it has any.
func (r Run) QuotaObjects() ([]*corev1.ResourceQuota, error) {
	var all []*corev1.ResourceQuota
	probes := passes * r.Nodes
	if r.Trials {
		probes += r.Nodes
	}
	for i, pods := range []int{probes, r.Nodes + r.NewPods} {
		var quota corev1.ResourceQuota
		if err := load("quota.yaml", &quota); err != nil {
			return nil, err
		}
		r.own(&quota.ObjectMeta, "wg-"+r.ID)
		quota.Namespace = r.Namespaces()[i]
		quota.Spec.Hard[corev1.ResourcePods] = resource.MustParse(strconv.Itoa(pods))
		if i == 1 {
			r.admitServices(&quota)
		}
		all = append(all, &quota)
	}
	return all, nil
}

// PolicyObject returns what lets the test pods talk to each other in the run's
// own namespace.
func (r Run) PolicyObject() (*networkingv1.NetworkPolicy, error) {
	var policy networkingv1.NetworkPolicy
	if err := load("network-policy.yaml", &policy); err != nil {
		return nil, err
	}
	r.own(&policy.ObjectMeta, "wg-"+r.ID)
	policy.Namespace = r.NamespaceOf("pod")
	r.letOut(&policy)
	return &policy, nil
}

// SecretObject returns the Secret of the run's new pods. In a namespace that is
// not the run's own it is removed with its owner.
func (r Run) SecretObject(values map[string]string, owner *batchv1.Job) (*corev1.Secret, error) {
	var secret corev1.Secret
	if err := load("secret.yaml", &secret); err != nil {
		return nil, err
	}
	r.own(&secret.ObjectMeta, "wg-"+r.ID)
	secret.Namespace = r.NamespaceOf(Newcomer)
	secret.StringData = maps.Clone(values)
	if owner != nil && !r.Own() {
		secret.OwnerReferences = []metav1.OwnerReference{
			{APIVersion: "batch/v1", Kind: "Job", Name: owner.Name, UID: owner.UID},
		}
	}
	return &secret, nil
}

// secretValue is a variable that holds the value of that name in the run's Secret.
func (r Run) secretValue(name string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: "wg-" + r.ID}, Key: name,
	}}}
}

// own gives an object its name and the run's label.
func (r Run) own(about *metav1.ObjectMeta, name string) {
	about.Name = name
	about.Labels[LabelRun] = r.ID
}
