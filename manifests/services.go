package manifests

import (
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// jobNameLabel is what the Job controller labels its pods with in every version; the
// one with a prefix is there since Kubernetes 1.27.
const jobNameLabel = "job-name"

// ServiceObject returns the Service of the test pod on the node of an index. In a
// namespace that is not the run's own it is removed with its owner.
func (r Run) ServiceObject(index int, owner *batchv1.Job) (*corev1.Service, error) {
	var service corev1.Service
	if err := load("service.yaml", &service); err != nil {
		return nil, err
	}
	r.own(&service.ObjectMeta, fmt.Sprintf("wg-%s-%d", r.ID, index))
	service.Namespace = r.NamespaceOf("pod")
	service.Spec.Selector = map[string]string{jobNameLabel: r.jobName("pod", index)}
	if owner != nil && !r.Own() {
		service.OwnerReferences = []metav1.OwnerReference{
			{APIVersion: "batch/v1", Kind: "Job", Name: owner.Name, UID: owner.UID},
		}
	}
	return &service, nil
}

// jobName is the name of the Job for a role on a node.
func (r Run) jobName(role string, index int) string {
	return fmt.Sprintf("wg-%s-%s-%d", r.ID, role, index)
}

// admitServices lets a quota admit as many Services as the run makes.
func (r Run) admitServices(quota *corev1.ResourceQuota) {
	if r.Services {
		quota.Spec.Hard[corev1.ResourceServices] = *resource.NewQuantity(int64(r.Nodes), resource.DecimalSI)
		quota.Spec.Hard[corev1.ResourceServicesNodePorts] = *resource.NewQuantity(int64(r.Nodes), resource.DecimalSI)
	}
}

// letOut lets the test pods send UDP to nodes too, in a run whose pods send more than
// to each other. It names no addresses: in some networks a policy's address block
// does not stand for nodes.
func (r Run) letOut(policy *networkingv1.NetworkPolicy) {
	if !r.ToNodes {
		return
	}
	udp := corev1.ProtocolUDP
	policy.Spec.Egress = append(policy.Spec.Egress, networkingv1.NetworkPolicyEgressRule{
		Ports: []networkingv1.NetworkPolicyPort{{Protocol: &udp}},
	})
}

// servicesRule is what the operator's roles lack for Services: it is a part of them
// only where it is asked for.
const servicesRule = `  # Only for --scope services: one for each test pod.
  - apiGroups: [""]
    resources: [services]
    verbs: [create]
`

// WithServices adds to a role the permission to create Services.
func WithServices(role []byte) []byte { return append(role[:len(role):len(role)], servicesRule...) }
