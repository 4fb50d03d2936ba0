package cluster

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// The pods of a cluster's DNS, as kubeadm, K3s, RKE2 and most others run them: the
// label is that by which their Service is known (kubernetes
// cluster/addons/dns/coredns).
const (
	dnsNamespace = metav1.NamespaceSystem
	dnsSelector  = "k8s-app=kube-dns"
	dnsPort      = 53
)

// DNSServers finds the pods of the cluster's DNS on the given nodes: of each node and
// family the first that is Ready. Those in their node's own network are left out: what
// is sent to them is for a node. If none is left there is a problem.
func (c *Client) DNSServers(
	ctx context.Context, nodes []evidence.Node,
) (servers []evidence.DNSServer, problems []evidence.Problem) {
	const what = "DNS"
	var pods []corev1.Pod
	page := func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return c.api.CoreV1().Pods(dnsNamespace).List(ctx, options)
	}
	selected := metav1.ListOptions{LabelSelector: dnsSelector}
	_, err := c.list(ctx, "the DNS pods", selected, page, func(item runtime.Object) {
		pods = append(pods, *item.(*corev1.Pod))
	})
	if err != nil {
		return nil, []evidence.Problem{problem(err, what, "")}
	}
	servers = dnsServers(pods, nodes)
	if len(servers) == 0 {
		problems = append(problems, evidence.Problem{Class: evidence.ProblemMissing, What: what, Text: fmt.Sprintf(
			"no pod with the label %s in %s (found: %d) is Ready, in the pod network and on a node under test",
			dnsSelector, dnsNamespace, len(pods)),
		})
	}
	return servers, problems
}

func dnsServers(pods []corev1.Pod, nodes []evidence.Node) (servers []evidence.DNSServer) {
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	for i := range nodes {
		have := map[bool]bool{} // by whether it is of IPv4
		for j := range pods {
			p := &pods[j]
			if p.Spec.NodeName != nodes[i].Name || p.Spec.HostNetwork || !podReady(p) {
				continue
			}
			for _, ip := range p.Status.PodIPs {
				addr, err := netip.ParseAddr(ip.IP)
				if err != nil || have[addr.Is4()] {
					continue
				}
				have[addr.Is4()] = true
				servers = append(servers, evidence.DNSServer{
					Node: nodes[i].Index, Addr: netip.AddrPortFrom(addr, dnsPortOf(p)),
				})
			}
		}
	}
	return servers
}

// dnsPortOf is the port at which a pod answers questions by UDP.
func dnsPortOf(p *corev1.Pod) uint16 {
	for _, container := range p.Spec.Containers {
		for _, port := range container.Ports {
			if port.Name == "dns" && port.Protocol == corev1.ProtocolUDP {
				return uint16(port.ContainerPort)
			}
		}
	}
	return dnsPort
}
