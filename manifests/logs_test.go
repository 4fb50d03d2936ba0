package manifests

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// The pod that reads logs has one capability, in the pod network, and of the host two
// folders, read-only, which have to be there: none is made.
func TestLogsPrivileges(t *testing.T) {
	job, err := run.JobObject(Placing{Role: Logs, Index: 3, Node: "a"})
	if err != nil {
		t.Fatal(err)
	}
	pod := job.Spec.Template.Spec
	c := pod.Containers[0].SecurityContext
	dropped := slices.Equal(c.Capabilities.Drop, []corev1.Capability{"ALL"})
	added := slices.Equal(c.Capabilities.Add, []corev1.Capability{"SYSLOG"})
	for what, ok := range map[string]bool{
		"host network":  !pod.HostNetwork && !pod.HostPID && !pod.HostIPC,
		"capabilities":  dropped && added,
		"privileges":    !*c.Privileged && !*c.AllowPrivilegeEscalation,
		"root fs":       *c.ReadOnlyRootFilesystem,
		"seccomp":       pod.SecurityContext.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault,
		"token":         !*pod.AutomountServiceAccountToken,
		"namespace":     job.Namespace == run.NamespaceOf("probe"),
		"labelled":      job.Labels[LabelRole] == Logs && job.Labels[LabelRun] == run.ID,
		"deadline":      *job.Spec.ActiveDeadlineSeconds == 180,
		"meshes":        noMesh(job.Spec.Template.Labels, job.Spec.Template.Annotations),
		"its own name":  job.Name == "wg-abc234-logs-3",
		"no other work": len(pod.Containers) == 1 && len(pod.InitContainers) == 0,
	} {
		if !ok {
			t.Errorf("%s is wrong", what)
		}
	}
	shares(t, pod, "/var/log", "/run/log")
}

// A second pod is for a host that has no folder of systemd's.
func TestLogsWithoutRunLog(t *testing.T) {
	job, err := run.JobObject(Placing{Role: Logs, Index: 3, Node: "a", WithoutRunLog: true})
	if err != nil {
		t.Fatal(err)
	}
	if job.Name != "wg-abc234-logs-3-2" {
		t.Error(job.Name)
	}
	shares(t, job.Spec.Template.Spec, "/var/log")
}

// shares checks that a pod has these folders of its host and no others.
func shares(t *testing.T, pod corev1.PodSpec, paths ...string) {
	t.Helper()
	mounts := pod.Containers[0].VolumeMounts
	if len(pod.Volumes) != len(paths) || len(mounts) != len(paths) {
		t.Fatalf("%d volumes and %d mounts, want %q", len(pod.Volumes), len(mounts), paths)
	}
	for i, path := range paths {
		volume, mount := pod.Volumes[i], mounts[i]
		host := volume.HostPath
		if host == nil || host.Path != path || host.Type == nil || *host.Type != corev1.HostPathDirectory {
			t.Errorf("the volume %s is %+v", volume.Name, host)
		}
		if mount.Name != volume.Name || mount.MountPath != "/host"+path || !mount.ReadOnly {
			t.Errorf("the mount is %+v", mount)
		}
	}
}
