package cluster

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// waitingReasons are the states of a container that do not mend themselves
// while a person waits, by kubelet's names for them
// (kubernetes pkg/kubelet/images/types.go, kuberuntime/kuberuntime_container.go).
var waitingReasons = map[string]struct {
	class evidence.ProblemClass
	hint  string
}{
	"ErrImagePull":               {evidence.ProblemImage, hintImage},
	"ImagePullBackOff":           {evidence.ProblemImage, hintImage},
	"ErrImageNeverPull":          {evidence.ProblemImage, "put the image on the node, or leave out --image-pull-policy Never"},
	"InvalidImageName":           {evidence.ProblemImage, "correct --image"},
	"ImageInspectError":          {evidence.ProblemImage, hintImage},
	"RegistryUnavailable":        {evidence.ProblemImage, hintImage},
	"SignatureValidationFailed":  {evidence.ProblemImage, hintImage},
	"CreateContainerConfigError": {evidence.ProblemAdmission, ""},
	"CreateContainerError":       {evidence.ProblemImage, ""},
	"RunContainerError":          {evidence.ProblemImage, hintRun},
}

const (
	hintImage = "check --image, and --image-pull-secret if the registry wants one; kubectl wg verify --print-images lists what a node must be able to pull"
	hintRun   = "check that --image is the probe's and was built for this node's architecture"
)

// podReady says that the pod's agent can be spoken to.
func podReady(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil &&
		slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		})
}

// podDone says that the pod did what it was made for and ended.
func podDone(pod *corev1.Pod) bool { return pod.Status.Phase == corev1.PodSucceeded }

// podFailure says why the pod will not become Ready, nil if it still may.
func podFailure(pod *corev1.Pod) *evidence.Problem {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return &evidence.Problem{Class: evidence.ProblemScheduling, Text: "FailedScheduling: " + Line(c.Message)}
		}
	}
	for _, status := range pod.Status.ContainerStatuses {
		if waiting := status.State.Waiting; waiting != nil {
			if known, ok := waitingReasons[waiting.Reason]; ok && !triedAgain(waiting) {
				return &evidence.Problem{Class: known.class, Hint: known.hint, Text: Line(waiting.Reason + ": " + waiting.Message)}
			}
		}
		if ended := status.State.Terminated; ended != nil {
			return &evidence.Problem{Class: evidence.ProblemImage, Hint: hintRun,
				Text: Line(fmt.Sprintf("the agent ended at once with code %d: %s %s", ended.ExitCode, ended.Reason, ended.Message))}
		}
	}
	if pod.Status.Phase == corev1.PodFailed {
		class := evidence.ProblemImage
		if pod.Status.Reason != "" { // the kubelet's or the scheduler's word: Evicted, OutOfcpu, NodeAffinity, …
			class = evidence.ProblemScheduling
		}
		return &evidence.Problem{Class: class, Text: Line("the pod failed: " + pod.Status.Reason + " " + pod.Status.Message)}
	}
	return nil
}

// eventFailure reads an event about a pod or a Job: why it will not become
// Ready, or nil and a note that explains a longer wait.
func eventFailure(event *corev1.Event) (failure *evidence.Problem, note string) {
	if event.Type != corev1.EventTypeWarning {
		return nil, ""
	}
	text := Line(event.Reason + ": " + withoutSuffix(event.Message, event.InvolvedObject.Name))
	switch event.Reason {
	case "FailedScheduling":
		return &evidence.Problem{Class: evidence.ProblemScheduling, Text: text}, ""
	case "FailedMount":
		if strings.Contains(event.Message, "hostPath type check failed") {
			return &evidence.Problem{Class: evidence.ProblemMissing, Text: text}, ""
		}
	case "FailedCreate": // of the Job controller
		if stands(event.Message) {
			return &evidence.Problem{Class: evidence.ProblemAdmission, Text: text, Hint: hintAdmission(event.Message)}, ""
		}
	}
	return nil, text
}

// stands reports whether a refusal to create a pod is final. A new namespace's
// default service account, or the count of its quota, may be a moment late; the
// controller tries again. What a policy or a quota says stands.
func stands(refusal string) bool {
	late := strings.Contains(refusal, "error looking up service account") ||
		strings.Contains(refusal, "status unknown for quota")
	return strings.Contains(refusal, "forbidden") && !late ||
		strings.Contains(refusal, "denied the request") || strings.Contains(refusal, "is invalid")
}

// withoutSuffix cuts the random part from the name of a Job's pod, so that the
// same reason on many nodes reads the same.
func withoutSuffix(message, job string) string {
	before, rest, found := strings.Cut(message, `"`+job+`-`)
	if _, after, closed := strings.Cut(rest, `" `); found && closed {
		return before + after
	}
	return message
}

func hintAdmission(message string) string {
	switch {
	case strings.Contains(message, "PodSecurity"):
		return "the probes need a namespace labelled pod-security.kubernetes.io/enforce=privileged; leave out --namespace, or label it"
	case strings.Contains(message, "quota"):
		return "raise the quota, or leave out --namespace"
	}
	return "exempt the namespace from the policy; kubectl wg verify --print-manifests shows what is created"
}

// triedAgain reports whether the kubelet tries again by itself soon: it has not yet
// heard of a Secret that is there (kubelet/util/manager/watch_based_manager.go
// waits a second for it, which is short on a busy node).
func triedAgain(waiting *corev1.ContainerStateWaiting) bool {
	return waiting.Reason == "CreateContainerConfigError" && strings.HasPrefix(waiting.Message, "failed to sync secret cache")
}

// describeState says in a few words what a pod is waiting for.
func describeState(pod *corev1.Pod) string {
	if pod == nil {
		return "no pod was created"
	}
	for _, status := range pod.Status.ContainerStatuses {
		if waiting := status.State.Waiting; waiting != nil && waiting.Reason != "" {
			return string(pod.Status.Phase) + ", " + waiting.Reason
		}
	}
	if pod.Spec.NodeName == "" {
		return "not scheduled"
	}
	return string(pod.Status.Phase)
}

func podIPs(pod *corev1.Pod) []netip.Addr {
	var ips []netip.Addr
	for _, ip := range pod.Status.PodIPs {
		if addr, err := netip.ParseAddr(ip.IP); err == nil {
			ips = append(ips, addr)
		}
	}
	return ips
}
