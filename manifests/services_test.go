package manifests

import (
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// A Service leads to the one test pod of its node, at the port at which pods answer
// packets of classes, and goes with its namespace or its owner.
func TestService(t *testing.T) {
	owner := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "wg-abc234-pod-0", UID: "u"}}
	for namespace, owners := range map[string]int{"": 0, "mine": 1} {
		r := run
		r.Namespace = namespace
		service, err := r.ServiceObject(7, owner)
		if err != nil {
			t.Fatal(err)
		}
		job, err := r.JobObject(Placing{Role: "pod", Index: 7, Node: "a"})
		if err != nil {
			t.Fatal(err)
		}
		port := service.Spec.Ports[0]
		if service.Name != "wg-abc234-7" || service.Namespace != job.Namespace ||
			service.Spec.Selector["job-name"] != job.Name ||
			len(service.Spec.Selector) != 1 ||
			service.Labels[LabelRun] != "abc234" || len(service.OwnerReferences) != owners {
			t.Errorf("%+v", service)
		}
		if port.Port != 9477 || port.TargetPort.IntVal != 9477 || port.Protocol != corev1.ProtocolUDP ||
			len(service.Spec.Ports) != 1 {
			t.Errorf("%+v", port)
		}
	}
}

// Quota and policy let through what a scope needs, and no more without it.
func TestScopeIsLetThrough(t *testing.T) {
	for _, asked := range []bool{false, true} {
		r := run
		r.Nodes, r.Services, r.ToNodes = 3, asked, asked
		quotas, err := r.QuotaObjects()
		if err != nil {
			t.Fatal(err)
		}
		policy, err := r.PolicyObject()
		if err != nil {
			t.Fatal(err)
		}
		services, has := quotas[1].Spec.Hard[corev1.ResourceServices]
		ports := quotas[1].Spec.Hard[corev1.ResourceServicesNodePorts]
		if has != asked || asked && (services.Value() != 3 || ports.Value() != 3) || len(quotas[0].Spec.Hard) != 1 {
			t.Errorf("%v: %+v", asked, quotas)
		}
		if rules := policy.Spec.Egress; (len(rules) == 2) != asked || asked && (len(rules[1].To) != 0 ||
			*rules[1].Ports[0].Protocol != corev1.ProtocolUDP || len(rules[1].Ports) != 1) {
			t.Errorf("%v: %+v", asked, rules)
		}
	}
}

// Each role is still one to apply, with one permission more.
func TestRolesWithServices(t *testing.T) {
	for _, name := range []string{RoleCluster, RoleNamespaced} {
		text := string(WithServices(RoleFile(name)))
		documents := strings.Split(text, "\n---\n")
		var before, after rbacv1.ClusterRole
		last := documents[len(documents)-1]
		if err := yaml.UnmarshalStrict([]byte(last), &after); err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict([]byte(strings.TrimSuffix(last, servicesRule)), &before); err != nil {
			t.Fatal(err)
		}
		if len(after.Rules) != len(before.Rules)+1 || after.Rules[len(after.Rules)-1].Resources[0] != "services" {
			t.Errorf("%s: %+v", name, after.Rules)
		}
	}
}
