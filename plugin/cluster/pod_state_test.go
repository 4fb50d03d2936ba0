package cluster

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func container(state corev1.ContainerState) corev1.PodStatus {
	return corev1.PodStatus{
		Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{State: state}},
	}
}

func waiting(reason, message string) corev1.PodStatus {
	return container(corev1.ContainerState{
		Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message},
	})
}

func ended(code int32) corev1.PodStatus {
	return container(corev1.ContainerState{
		Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: "Error"},
	})
}

func unscheduled(reason, message string) corev1.PodStatus {
	return corev1.PodStatus{Conditions: []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: reason, Message: message,
	}}}
}

func failed(reason, message string) corev1.PodStatus {
	return corev1.PodStatus{Phase: corev1.PodFailed, Reason: reason, Message: message}
}

// A new pod that has sent what it should and ended is well, also before its phase
// says so.
func TestPodDone(t *testing.T) {
	running := container(corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
	ending := ended(0)
	ending.Phase = corev1.PodRunning
	for name, test := range map[string]struct {
		status corev1.PodStatus
		done   bool
	}{
		"new":       {corev1.PodStatus{Phase: corev1.PodPending}, false},
		"running":   {running, false},
		"ending":    {ending, true},
		"succeeded": {corev1.PodStatus{Phase: corev1.PodSucceeded}, true},
		"failed":    {ended(1), false},
	} {
		if got := podDone(&corev1.Pod{Status: test.status}); got != test.done {
			t.Errorf("%s: %v, want %v", name, got, test.done)
		}
	}
}

// A pod has ended when its network is gone as well, where the kubelet says that.
func TestPodEnded(t *testing.T) {
	networked := func(status corev1.PodStatus, is corev1.ConditionStatus) corev1.PodStatus {
		status.Conditions = []corev1.PodCondition{{Type: corev1.PodReadyToStartContainers, Status: is}}
		return status
	}
	for name, test := range map[string]struct {
		status corev1.PodStatus
		ended  bool
	}{
		"running, without a network": {networked(container(corev1.ContainerState{
			Running: &corev1.ContainerStateRunning{}}), corev1.ConditionFalse), false},
		"done, with its network":       {networked(ended(0), corev1.ConditionTrue), false},
		"done, nobody knows":           {networked(ended(0), corev1.ConditionUnknown), false},
		"done, and its network gone":   {networked(ended(0), corev1.ConditionFalse), true},
		"done, under an older kubelet": {ended(0), true},
		"failed":                       {networked(ended(1), corev1.ConditionFalse), false},
	} {
		if got := podEnded(&corev1.Pod{Status: test.status}); got != test.ended {
			t.Errorf("%s: %v, want %v", name, got, test.ended)
		}
	}
}

func TestPodFailure(t *testing.T) {
	const configError = "CreateContainerConfigError"
	for name, test := range map[string]struct {
		status corev1.PodStatus
		class  evidence.ProblemClass // empty = it may still become Ready
		text   string
	}{
		"new":      {corev1.PodStatus{Phase: corev1.PodPending}, "", ""},
		"creating": {waiting("ContainerCreating", ""), "", ""},
		"pull":     {waiting("ErrImagePull", "why"), evidence.ProblemImage, "ErrImagePull: why"},
		"back-off": {waiting("ImagePullBackOff", "why"), evidence.ProblemImage, "ImagePullBackOff: why"},
		"never":    {waiting("ErrImageNeverPull", "why"), evidence.ProblemImage, "ErrImageNeverPull: why"},
		"name":     {waiting("InvalidImageName", "why"), evidence.ProblemImage, "InvalidImageName: why"},
		"config":   {waiting(configError, "why"), evidence.ProblemAdmission, configError + ": why"},
		"secret":   {waiting(configError, "failed to sync secret cache: timed out waiting for the condition"), "", ""},
		"start":    {waiting("RunContainerError", "why"), evidence.ProblemImage, "RunContainerError: why"},
		"no place": {
			unscheduled("Unschedulable", "0/2 nodes"), evidence.ProblemScheduling, "FailedScheduling: 0/2 nodes",
		},
		"gated":      {unscheduled("SchedulingGated", ""), "", ""},
		"ended":      {ended(2), evidence.ProblemImage, "ended at once with code 2: Error"},
		"evicted":    {failed("Evicted", "low on memory"), evidence.ProblemScheduling, "Evicted low on memory"},
		"two\nlines": {failed("X", "a\n\x1b[31mb"), evidence.ProblemScheduling, "X a \x1b[31mb"},
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
	const (
		admission = evidence.ProblemAdmission
		noFolder  = `MountVolume.SetUp failed for volume "s" : hostPath type check failed: /x is not a directory`
		security  = `Error creating: pods "wg-x-probe-0-abcde" is forbidden: violates PodSecurity "baseline:latest": y`
		calling   = `Internal error occurred: failed calling webhook "a.b": failed to call webhook: Post "https://c.svc:443/": EOF`
		tooEarly  = `pods "x" is forbidden: error looking up service account ns/default: not found`
	)
	for name, test := range map[string]struct {
		reason, message string
		class           evidence.ProblemClass
		note            bool
	}{
		"no place":        {"FailedScheduling", "0/2 nodes are available", evidence.ProblemScheduling, false},
		"pod security":    {"FailedCreate", security, admission, false},
		"quota":           {"FailedCreate", `pods "x" is forbidden: exceeded quota: q`, admission, false},
		"webhook":         {"FailedCreate", `admission webhook "a.b" denied the request: no`, admission, false},
		"too early":       {"FailedCreate", tooEarly, "", true},
		"webhook is away": {"FailedCreate", calling, evidence.ProblemWebhook, false},
		"pull": {"Failed", `Failed to pull image "x/y:z": rpc error: not found`,
			evidence.ProblemImage, false},
		"pull, of old":     {"Failed", `Failed to pull image from the registry`, evidence.ProblemImage, false},
		"after a pull":     {"Failed", "Error: ErrImagePull", "", true},
		"of the node":      {"MissingClusterDNS", "kubelet does not have ClusterDNS IP configured", "", false},
		"no folder":        {"FailedMount", noFolder, evidence.ProblemMissing, false},
		"mount, later":     {"FailedMount", "timed out", "", true},
		"network, later":   {"FailedCreatePodSandBox", "cni not ready", "", true},
		"unknown warnings": {"Whatever", "x", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			event := &corev1.Event{Type: corev1.EventTypeWarning, Reason: test.reason, Message: test.message}
			event.InvolvedObject.Name = "wg-x-probe-0"
			failure, note := eventFailure(event)
			var class evidence.ProblemClass
			if failure != nil {
				class = failure.Class
				if strings.Contains(failure.Text, "abcde") {
					t.Errorf("the random name is in the text: %s", failure.Text)
				}
			}
			if class != test.class || (note != "") != test.note {
				t.Errorf("failure %+v, note %q", failure, note)
			}
		})
	}
	normal := &corev1.Event{Type: corev1.EventTypeNormal, Reason: "Scheduled", Message: "Successfully assigned"}
	if failure, note := eventFailure(normal); failure != nil || note != "" {
		t.Errorf("failure %+v, note %q", failure, note)
	}
}
