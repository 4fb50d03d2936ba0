package cluster

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// waitingReasons are the states of a container that do not end by themselves
// within the time of a run, by the kubelet's names for them
// (kubernetes pkg/kubelet/images/types.go, kuberuntime/kuberuntime_container.go).
var waitingReasons = map[string]struct {
	class evidence.ProblemClass
	hint  string
}{
	"ErrImagePull":               {evidence.ProblemImage, ""}, // see hintPull
	"ImagePullBackOff":           {evidence.ProblemImage, ""},
	"ErrImageNeverPull":          {evidence.ProblemImage, hintNeverPull},
	"InvalidImageName":           {evidence.ProblemImage, "correct --image"},
	"ImageInspectError":          {evidence.ProblemImage, hintImage},
	"RegistryUnavailable":        {evidence.ProblemImage, ""},
	"SignatureValidationFailed":  {evidence.ProblemImage, hintImage},
	"CreateContainerConfigError": {evidence.ProblemAdmission, ""},
	"CreateContainerError":       {evidence.ProblemImage, hintRun},
	"RunContainerError":          {evidence.ProblemImage, hintRun},
}

const (
	hintImage = "check --image, and --image-pull-secret if the registry requires one; " +
		"kubectl wg verify --print-images lists the images that a node must be able to pull"
	hintNeverPull = "load the image onto the node, or omit --image-pull-policy Never"
	hintRun       = "check that --image is the probe's image and was built for this node's architecture"
)

// podReady reports whether a session with the pod's agent can be opened.
func podReady(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil &&
		slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		})
}

// podDone reports whether the pod's containers have ended without an error. The
// phase follows when the kubelet has taken down the rest of the pod, which on a
// busy node is a while later (kubernetes pkg/kubelet/kubelet_pods.go,
// generateAPIPodStatus).
func podDone(pod *corev1.Pod) bool {
	unfinished := func(s corev1.ContainerStatus) bool {
		return s.State.Terminated == nil || s.State.Terminated.ExitCode != 0
	}
	statuses := pod.Status.ContainerStatuses
	return pod.Status.Phase == corev1.PodSucceeded || len(statuses) > 0 && !slices.ContainsFunc(statuses, unfinished)
}

// podEnded reports whether a pod is done and its network is gone too, as far as the
// kubelet says that (KEP 3085, from Kubernetes 1.29 on).
func podEnded(pod *corev1.Pod) bool {
	networked := func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReadyToStartContainers && c.Status != corev1.ConditionFalse
	}
	return podDone(pod) && !slices.ContainsFunc(pod.Status.Conditions, networked)
}

// podFailure returns why the pod cannot become Ready, nil if it still can.
func podFailure(pod *corev1.Pod) *evidence.Problem {
	for _, c := range pod.Status.Conditions {
		unschedulable := c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable
		if c.Type == corev1.PodScheduled && unschedulable {
			return &evidence.Problem{Class: evidence.ProblemScheduling, Text: "FailedScheduling: " + Line(c.Message)}
		}
	}
	for _, status := range pod.Status.ContainerStatuses {
		if failure := containerFailure(&status.State); failure != nil {
			return failure
		}
	}
	if pod.Status.Phase == corev1.PodFailed {
		class := evidence.ProblemImage
		if pod.Status.Reason != "" { // of the kubelet or the scheduler: Evicted, OutOfcpu, NodeAffinity, …
			class = evidence.ProblemScheduling
		}
		text := "the pod failed: " + pod.Status.Reason + " " + pod.Status.Message
		return &evidence.Problem{Class: class, Text: Line(text)}
	}
	return nil
}

func containerFailure(state *corev1.ContainerState) *evidence.Problem {
	if waiting := state.Waiting; waiting != nil {
		known, ok := waitingReasons[waiting.Reason]
		if ok && !retriedSoon(waiting) {
			text := waiting.Reason + ": " + waiting.Message
			hint := known.hint
			if hint == "" && known.class == evidence.ProblemImage {
				hint = hintPull(waiting.Message)
			}
			return &evidence.Problem{Class: known.class, Hint: hint, Text: Line(text)}
		}
	}
	if ended := state.Terminated; ended != nil {
		text := fmt.Sprintf("the agent ended at once with code %d: %s %s", ended.ExitCode, ended.Reason, ended.Message)
		return &evidence.Problem{Class: evidence.ProblemImage, Hint: hintRun, Text: Line(text)}
	}
	return nil
}

// eventFailure reads an event about a pod or a Job. It returns why the pod
// cannot become Ready, or nil and a note that explains a longer wait.
func eventFailure(event *corev1.Event) (failure *evidence.Problem, note string) {
	if event.Type != corev1.EventTypeWarning {
		return nil, ""
	}
	text := Line(event.Reason + ": " + withoutSuffix(event.Message, event.InvolvedObject.Name))
	if failure := pullFailure(event); failure != nil {
		return failure, ""
	}
	switch event.Reason {
	case "MissingClusterDNS", "DNSConfigForming", "CheckLimitsForResolvConf", "InvalidDiskCapacity":
		return nil, "" // of the node, and no reason to wait
	case "FailedScheduling":
		return &evidence.Problem{Class: evidence.ProblemScheduling, Text: text}, ""
	case "FailedMount":
		if strings.Contains(event.Message, "hostPath type check failed") {
			return &evidence.Problem{Class: evidence.ProblemMissing, Text: text}, ""
		}
	case "FailedCreate": // of the Job controller
		if webhook := webhookFailed(event.Message); webhook != nil {
			text := "FailedCreate: " + webhook.Error()
			return &evidence.Problem{Class: evidence.ProblemWebhook, Text: Line(text), Hint: webhook.Hint()}, ""
		}
		if final(event.Message) {
			hint := hintAdmission(event.Message)
			return &evidence.Problem{Class: evidence.ProblemAdmission, Text: text, Hint: hint}, ""
		}
	}
	return nil, text
}

// pullFailure reads the kubelet's event about an image that it could not pull.
// It comes up to a minute before the pod's state says so.
func pullFailure(event *corev1.Event) *evidence.Problem {
	rest, ok := strings.CutPrefix(event.Message, "Failed to pull image ")
	if event.Reason != "Failed" || !ok {
		return nil
	}
	_, why, named := strings.Cut(rest, `": `)
	if !named {
		why = rest
	}
	return &evidence.Problem{Class: evidence.ProblemImage, Text: Line("ErrImagePull: " + why), Hint: hintPull(why)}
}

// occurrences is how often an event was seen by its source.
func occurrences(event *corev1.Event) int32 {
	count := max(event.Count, 1)
	if event.Series != nil {
		count = max(count, event.Series.Count)
	}
	return count
}

// pulling matches the texts of problems with pulling an image.
var pulling = regexp.MustCompile(`^(?:ErrImagePull|ImagePullBackOff|RegistryUnavailable): `)

// noRegistry matches what a pull says when it did not reach the registry, or the
// registry was busy: the next try may succeed.
var noRegistry = regexp.MustCompile(`lookup |no such host|server misbehaving|i/o timeout|` +
	`connection (?:refused|reset)|no route to host|network is unreachable|TLS handshake timeout|` +
	`deadline exceeded|Client\.Timeout|\bEOF\b|(?i:too ?many ?requests)|\b50[0234] |temporar`)

// mayPass reports whether the next try of the kubelet or the Job controller may
// be without the problem. Both try again within seconds.
func mayPass(p *evidence.Problem) bool {
	switch p.Class {
	case evidence.ProblemImage:
		return pulling.MatchString(p.Text) && noRegistry.MatchString(p.Text)
	case evidence.ProblemWebhook:
		return true
	}
	return false
}

// hintPull describes what helps against an image that cannot be pulled.
func hintPull(why string) string {
	const elsewhere = "mirror the image and name it with --image, or load it onto the nodes and use " +
		"--image-pull-policy=Never; kubectl wg verify --print-images names it"
	switch {
	case strings.Contains(why, "lookup ") || strings.Contains(why, "no such host"):
		return "the node cannot resolve the name of the image's registry: check the node's DNS; or " + elsewhere
	case noRegistry.MatchString(why):
		return "the node cannot reach the image's registry: check its way there and its proxy; or " + elsewhere
	}
	return hintImage
}

// final reports whether a refusal to create a pod is final, as that of a policy
// or a quota is. The default service account of a new namespace, or the count of
// its quota, can be a moment late; then the controller tries again.
func final(refusal string) bool {
	late := strings.Contains(refusal, "error looking up service account") ||
		strings.Contains(refusal, "status unknown for quota")
	return strings.Contains(refusal, "forbidden") && !late ||
		strings.Contains(refusal, "denied the request") || strings.Contains(refusal, "is invalid")
}

// withoutSuffix removes the name of a Job's pod, whose end is random, so that
// the same reason on many nodes is the same text.
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
		return "the probes need a namespace labelled pod-security.kubernetes.io/enforce=privileged: " +
			"omit --namespace, or label it"
	case strings.Contains(message, "quota"):
		return "raise the quota, or omit --namespace"
	}
	return "exempt the namespace from the policy; kubectl wg verify --print-manifests shows what is created"
}

// retriedSoon reports whether the kubelet itself tries again soon: it does not
// know yet of a Secret that exists (kubelet/util/manager/watch_based_manager.go
// waits a second for it, which is short on a busy node).
func retriedSoon(waiting *corev1.ContainerStateWaiting) bool {
	return waiting.Reason == "CreateContainerConfigError" &&
		strings.HasPrefix(waiting.Message, "failed to sync secret cache")
}

// describeState describes in a few words what a pod is waiting for.
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
