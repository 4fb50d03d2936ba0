package manifests

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// The pod of a trial has one capability, in the pod network, and nothing of the host's.
func TestTrialPrivileges(t *testing.T) {
	job, err := run.JobObject(Placing{Role: Trial, Index: 3, Node: "a"})
	if err != nil {
		t.Fatal(err)
	}
	pod := job.Spec.Template.Spec
	c := pod.Containers[0].SecurityContext
	terms := pod.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	dropped := slices.Equal(c.Capabilities.Drop, []corev1.Capability{"ALL"})
	added := slices.Equal(c.Capabilities.Add, []corev1.Capability{"NET_ADMIN"})
	for what, ok := range map[string]bool{
		"host network":  !pod.HostNetwork && !pod.HostPID && !pod.HostIPC,
		"volumes":       len(pod.Volumes) == 0,
		"capabilities":  dropped && added,
		"privileges":    !*c.Privileged && !*c.AllowPrivilegeEscalation,
		"root fs":       *c.ReadOnlyRootFilesystem,
		"seccomp":       pod.SecurityContext.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault,
		"token":         !*pod.AutomountServiceAccountToken,
		"namespace":     job.Namespace == run.NamespaceOf("probe"),
		"labelled":      job.Labels[LabelRole] == Trial && job.Labels[LabelRun] == run.ID,
		"deadline":      *job.Spec.ActiveDeadlineSeconds == 180,
		"meshes":        noMesh(job.Spec.Template.Labels, job.Spec.Template.Annotations),
		"its own name":  job.Name == "wg-abc234-trial-3",
		"on the node":   terms[0].MatchFields[0].Values[0] == "a",
		"no other work": len(pod.Containers) == 1 && len(pod.InitContainers) == 0,
	} {
		if !ok {
			t.Errorf("%s is wrong", what)
		}
	}
}

// A run with trials may have one pod more on each node.
func TestQuotaOfTrials(t *testing.T) {
	r := run
	r.Nodes, r.Trials = 3, true
	quotas, err := r.QuotaObjects()
	if err != nil {
		t.Fatal(err)
	}
	if pods := quotas[0].Spec.Hard[corev1.ResourcePods]; pods.Value() != 9 {
		t.Errorf("%d pods, want 9", pods.Value())
	}
}
