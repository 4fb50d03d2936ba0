package cluster

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Limits of what is kept of a node, in bytes or entries. No real node reaches
// them, and everything within them fits one message.
const (
	maxText        = 256 // of a text that is not an annotation
	maxAddress     = 64  // a longer host name is not kept as an address
	maxAddresses   = 16
	maxRanges      = 8
	maxLabelValue  = 63 // Kubernetes' own limit
	maxAnnotation  = 2 << 10
	maxAnnotations = 5 << 10
)

// maxNode is the largest encoded node, in bytes: a message has an envelope too.
const maxNode = evidence.MaxMessage - 256

// describe turns a node into evidence, with what the CNI's own objects say of it
// and the labels of these names.
//
// The result always fits a message, whatever the node's objects contain: a node
// that cannot be recorded would not be judged. What had to be left out is a
// Problem.
func describe(n *corev1.Node, own ofNode, labels []string) (evidence.Node, []evidence.Problem) {
	info := n.Status.NodeInfo
	about := evidence.Node{
		Name: n.Name, Labels: nodeLabels(n, labels), Annotations: map[string]string{},
		Kubelet: cut(info.KubeletVersion), OSImage: cut(info.OSImage), Kernel: cut(info.KernelVersion),
		Runtime: cut(info.ContainerRuntimeVersion), OS: cut(info.OperatingSystem), Arch: cut(info.Architecture),
		Ready: ready(n), NotReady: notReady(n), Cordoned: n.Spec.Unschedulable,
		Addresses: nodeAddresses(n), NodeEncryption: own.encrypted,
	}
	var problems []evidence.Problem
	if about.PodCIDRs, about.IPAM, about.RangesLeft = podRanges(n, own); about.RangesLeft > 0 {
		problems = append(problems, evidence.Problem{
			Class: evidence.ProblemDamaged, What: "pod ranges", On: cmp.Or(about.IPAM, "Node.spec"),
			Text: fmt.Sprintf("node %s has %d pod ranges more than the record holds; they were left out", n.Name,
				about.RangesLeft),
		})
	}
	all := nodeAnnotations(n, own.annotations)
	room := maxAnnotations
	for _, name := range slices.Sorted(maps.Keys(all)) {
		value := all[name]
		about.Annotations[name] = value
		room -= len(name) + len(value)
		if len(value) <= maxAnnotation && room >= 0 && encodedSize(&about) <= maxNode {
			continue
		}
		delete(about.Annotations, name)
		room += len(name) + len(value)
		problems = append(problems, evidence.Problem{
			Class: evidence.ProblemDamaged, What: "annotation", On: name,
			Text: fmt.Sprintf("on node %s it has %d bytes, which is too long; it was left out", n.Name, len(value)),
		})
	}
	return about, problems
}

func encodedSize(n *evidence.Node) int {
	encoded, err := json.Marshal(n)
	if err != nil {
		return maxNode + 1
	}
	return len(encoded)
}

// cut bounds a text. It replaces characters that JSON writes as long escapes; no
// version and no name of a system contains them.
func cut(text string) string {
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || strings.ContainsRune(`<>&"\`, r) {
			return '?'
		}
		return r
	}, text)
}

// word reports whether text has only characters of names and addresses.
func word(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		alphanumeric := r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !alphanumeric && !strings.ContainsRune(".:-_%", r)
	})
}

// labelNames returns the names of the labels that are kept, with further ones.
func labelNames(further []string) []string {
	names := slices.Concat(keptLabels, further)
	slices.Sort(names)
	return slices.Compact(names)
}

func nodeLabels(n *corev1.Node, names []string) map[string]string {
	kept := map[string]string{}
	for _, name := range names {
		if value, ok := n.Labels[name]; ok && len(value) <= maxLabelValue && word(value) {
			kept[name] = value
		}
	}
	return kept
}

func nodeAddresses(n *corev1.Node) []evidence.NodeAddress {
	var kept []evidence.NodeAddress
	for _, address := range n.Status.Addresses {
		switch address.Type {
		case corev1.NodeInternalIP, corev1.NodeExternalIP, corev1.NodeHostName:
			if len(kept) < maxAddresses && len(address.Address) <= maxAddress && word(address.Address) {
				kept = append(kept, evidence.NodeAddress{Type: string(address.Type), Addr: address.Address})
			}
		}
	}
	return kept
}

// nodeAnnotations returns what is kept of the node's annotations, and of the
// CNI's where the node has none of that name.
func nodeAnnotations(n *corev1.Node, extra map[string]string) map[string]string {
	kept := map[string]string{}
	for name, clean := range keptAnnotations {
		value, ok := n.Annotations[name]
		if !ok {
			value, ok = extra[name]
		}
		if ok {
			kept[name] = clean(value)
		}
	}
	return kept
}

func ready(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// notReady returns the reason and the message of the condition Ready where it does
// not hold, as one line.
func notReady(n *corev1.Node) string {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue {
			return cut(strings.Join(strings.Fields(Redact(c.Reason+": "+c.Message)), " "))
		}
	}
	return ""
}

// excluded returns why a node is not tested, empty if it is, and whether the
// operator chose that. A cordoned or tainted node is tested, since its pods run.
func excluded(n *corev1.Node, selection Selection) (reason string, chosen bool) {
	switch {
	case !selection.has(n):
		return "not selected", true
	case n.Labels["type"] == "virtual-kubelet", n.Labels["eks.amazonaws.com/compute-type"] == "fargate":
		return "it is a virtual node without a host to look at", false
	case n.Status.NodeInfo.OperatingSystem != "" && n.Status.NodeInfo.OperatingSystem != "linux":
		return "it runs " + n.Status.NodeInfo.OperatingSystem, false
	case !ready(n):
		return "it is not Ready", false
	}
	return "", false
}
