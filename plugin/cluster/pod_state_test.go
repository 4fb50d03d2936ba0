package cluster

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func waiting(reason string) corev1.PodStatus {
	return corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{
		{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "why"}}},
	}}
}

func TestPodFailure(t *testing.T) {
	for name, test := range map[string]struct {
		status corev1.PodStatus
		class  evidence.ProblemClass // empty = it may still become Ready
		text   string
	}{
		"new":      {corev1.PodStatus{Phase: corev1.PodPending}, "", ""},
		"creating": {waiting("ContainerCreating"), "", ""},
		"pull":     {waiting("ErrImagePull"), evidence.ProblemImage, "ErrImagePull: why"},
		"back-off": {waiting("ImagePullBackOff"), evidence.ProblemImage, "ImagePullBackOff: why"},
		"never":    {waiting("ErrImageNeverPull"), evidence.ProblemImage, "ErrImageNeverPull: why"},
		"name":     {waiting("InvalidImageName"), evidence.ProblemImage, "InvalidImageName: why"},
		"config":   {waiting("CreateContainerConfigError"), evidence.ProblemAdmission, "CreateContainerConfigError: why"},
		"secret": {corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
			Reason: "CreateContainerConfigError", Message: "failed to sync secret cache: timed out waiting for the condition"}}}}}, "", ""},
		"start":      {waiting("RunContainerError"), evidence.ProblemImage, "RunContainerError: why"},
		"no place":   {corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/2 nodes"}}}, evidence.ProblemScheduling, "FailedScheduling: 0/2 nodes"},
		"gated":      {corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "SchedulingGated"}}}, "", ""},
		"ended":      {corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 2, Reason: "Error"}}}}}, evidence.ProblemImage, "ended at once with code 2: Error"},
		"evicted":    {corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "low on memory"}, evidence.ProblemScheduling, "Evicted low on memory"},
		"two\nlines": {corev1.PodStatus{Phase: corev1.PodFailed, Reason: "X", Message: "a\n\x1b[31mb"}, evidence.ProblemScheduling, "X a \x1b[31mb"},
	} {
		t.Run(name, func(t *testing.T) {
			failure := podFailure(&corev1.Pod{Status: test.status})
			switch {
			case failure == nil && test.class != "":
				t.Error("no failure was found")
			case failure != nil && (failure.Class != test.class || !strings.Contains(failure.Text, test.text)):
				t.Errorf("%s: %s", failure.Class, failure.Text)
			}
		})
	}
}

func TestEventFailure(t *testing.T) {
	const psa = `Error creating: pods "wg-x-probe-0-abcde" is forbidden: violates PodSecurity "baseline:latest": host namespaces`
	for name, test := range map[string]struct {
		kind, reason, message string
		class                 evidence.ProblemClass
		note                  bool
	}{
		"normal":           {corev1.EventTypeNormal, "Scheduled", "Successfully assigned", "", false},
		"no place":         {corev1.EventTypeWarning, "FailedScheduling", "0/2 nodes are available", evidence.ProblemScheduling, false},
		"pod security":     {corev1.EventTypeWarning, "FailedCreate", psa, evidence.ProblemAdmission, false},
		"quota":            {corev1.EventTypeWarning, "FailedCreate", `pods "x" is forbidden: exceeded quota: q`, evidence.ProblemAdmission, false},
		"webhook":          {corev1.EventTypeWarning, "FailedCreate", `admission webhook "a.b" denied the request: no`, evidence.ProblemAdmission, false},
		"too early":        {corev1.EventTypeWarning, "FailedCreate", `pods "x" is forbidden: error looking up service account ns/default: not found`, "", true},
		"webhook is away":  {corev1.EventTypeWarning, "FailedCreate", `Internal error occurred: failed calling webhook`, "", true},
		"no folder":        {corev1.EventTypeWarning, "FailedMount", `MountVolume.SetUp failed for volume "sockets" : hostPath type check failed: /run/wireguard is not a directory`, evidence.ProblemMissing, false},
		"mount, later":     {corev1.EventTypeWarning, "FailedMount", "timed out", "", true},
		"network, later":   {corev1.EventTypeWarning, "FailedCreatePodSandBox", "cni not ready", "", true},
		"unknown warnings": {corev1.EventTypeWarning, "Whatever", "x", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			event := &corev1.Event{Type: test.kind, Reason: test.reason, Message: test.message}
			event.InvolvedObject.Name = "wg-x-probe-0"
			failure, note := eventFailure(event)
			if failure == nil && test.class != "" || failure != nil && failure.Class != test.class || (note != "") != test.note {
				t.Errorf("failure %+v, note %q", failure, note)
			}
			if failure != nil && strings.Contains(failure.Text, "abcde") {
				t.Errorf("the random name is in the text: %s", failure.Text)
			}
		})
	}
}
