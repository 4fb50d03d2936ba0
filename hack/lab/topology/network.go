package topology

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Network is a cluster's configuration of its pods' network.
type Network struct {
	Backend  string   `json:"backend"` // flannel's: wireguard, vxlan, host-gw; calico, or one of CiliumBackends
	Families Families `json:"families,omitempty"`
	Mode     Mode     `json:"mode,omitempty"`
	// Distribution is what runs flannel. It means nothing to other networks.
	Distribution Distribution `json:"distribution,omitempty"`
	// Services reports whether kube-proxy and a network policy controller run on the nodes, as K3s' own do.
	Services bool `json:"services,omitempty"`
}

// Distribution is what runs flannel, and leaves its marks on the nodes. The zero value is K3s, whose own process it is a
// part of; with the others each node has a pod of a DaemonSet for it.
type Distribution string

// The distributions, as `lab up --distribution` names them.
const (
	K3s  Distribution = "k3s"
	RKE2 Distribution = "rke2" // by its chart for Canal
	None Distribution = "none" // by flannel's own manifest
)

// AllDistributions are the choices.
var AllDistributions = []Distribution{K3s, RKE2, None}

// DaemonSet is what runs flannel on each node of a cluster.
type DaemonSet struct {
	Namespace, Name, Label string // the label is KEY=VALUE, and that of its pods
	Config                 string // its ConfigMap, with flannel's configuration as net-conf.json
}

// DaemonSet returns what runs flannel, and false where K3s itself does or there is none (github.com/flannel-io/flannel,
// Documentation/kube-flannel.yml; github.com/rancher/rke2-charts, rke2-canal).
func (n Network) DaemonSet() (DaemonSet, bool) {
	switch n.Distribution {
	case RKE2:
		return DaemonSet{"kube-system", "rke2-canal", "k8s-app=canal", "rke2-canal-config"}, true
	case None:
		return DaemonSet{"kube-flannel", "kube-flannel-ds", "app=flannel", "kube-flannel-cfg"}, true
	}
	return DaemonSet{}, false
}

// Cilium in the place of Flannel, with WireGuard: native routing, or a tunnel.
const (
	Cilium      = "cilium"
	CiliumVXLAN = "cilium-vxlan"
)

// CiliumBackends are the networks of Cilium.
var CiliumBackends = []string{Cilium, CiliumVXLAN}

// OfCilium reports whether a backend is one of them.
func OfCilium(backend string) bool { return slices.Contains(CiliumBackends, backend) }

// Cilium reports whether pods' packets are Cilium's.
func (n Network) Cilium() bool { return OfCilium(n.Backend) }

// Families are the address families of nodes, pods and services. The zero value is IPv4 alone, as K3s has it unless it
// is configured otherwise.
type Families string

// The families, as `lab up --families` names them. Of two, IPv4 is the first.
const (
	OnlyIPv4 Families = "4"
	OnlyIPv6 Families = "6"
	Dual     Families = "dual"
)

// AllFamilies are the choices.
var AllFamilies = []Families{OnlyIPv4, OnlyIPv6, Dual}

// Mode is that of flannel's backend `wireguard`: a device per family, or one for both, with endpoints of a family that
// flannel or the operator chooses. The zero value is flannel's default, separate.
type Mode string

// The modes (flannel Documentation/backends.md).
const (
	Separate Mode = "separate"
	Auto     Mode = "auto"
	OverIPv4 Mode = "ipv4"
	OverIPv6 Mode = "ipv6"
)

// AllModes are the choices.
var AllModes = []Mode{Separate, Auto, OverIPv4, OverIPv6}

// Calico is the backend that is none of flannel's: Calico's own network.
const Calico = "calico"

// Calico reports whether pods' packets are Calico's.
func (n Network) Calico() bool { return n.Backend == Calico }

// Check reports whether a network can be asked for.
func (n Network) Check(backends []string) error {
	if !slices.Contains(backends, n.Backend) {
		return fmt.Errorf("unknown backend %q: want one of %s", n.Backend, strings.Join(backends, ", "))
	}
	if n.Families != "" && !slices.Contains(AllFamilies, n.Families) {
		return fmt.Errorf("unknown families %q: want one of %v", n.Families, AllFamilies)
	}
	if n.Mode != "" && !slices.Contains(AllModes, n.Mode) {
		return fmt.Errorf("unknown mode %q of flannel: want one of %v", n.Mode, AllModes)
	}
	if n.Distribution != "" && !slices.Contains(AllDistributions, n.Distribution) {
		return fmt.Errorf("unknown distribution %q: want one of %v", n.Distribution, AllDistributions)
	}
	if n.Plain().Distribution != "" && (n.Calico() || n.Cilium()) {
		return fmt.Errorf("no distribution is around %s here", n.Backend)
	}
	if n.Services && (n.Calico() || n.Cilium()) {
		return fmt.Errorf("%s has a network policy controller of its own", n.Backend)
	}
	if n.Cilium() && n.Families.IPv6() {
		return fmt.Errorf("cilium has IPv4 only here")
	}
	if n.Calico() && n.Families.IPv6() {
		return fmt.Errorf("calico has IPv4 only here")
	}
	if n.Mode != "" && n.Backend != "wireguard" {
		return fmt.Errorf("flannel's backend %s has no modes", n.Backend)
	}
	return nil
}

// Plain is the network with its defaults unsaid: two that are the same are equal.
func (n Network) Plain() Network {
	if n.Families == OnlyIPv4 {
		n.Families = ""
	}
	if n.Mode == Separate {
		n.Mode = ""
	}
	if n.Distribution == K3s {
		n.Distribution = ""
	}
	return n
}

// Label names the network in the words of `lab up`: what is the default stays unsaid.
func (n Network) Label() string {
	n = n.Plain()
	words := []string{n.Backend}
	if n.Families != "" {
		words = append(words, string(n.Families))
	}
	if n.Mode != "" {
		words = append(words, string(n.Mode))
	}
	if n.Distribution != "" {
		words = append(words, string(n.Distribution))
	}
	if n.Services {
		words = append(words, "services")
	}
	return strings.Join(words, "-")
}

// IPv4 reports whether pods have addresses of that family.
func (f Families) IPv4() bool { return f != OnlyIPv6 }

// IPv6 reports whether pods have addresses of that family.
func (f Families) IPv6() bool { return f == OnlyIPv6 || f == Dual }

// PodNetworks are the ranges of all pods.
func (f Families) PodNetworks() []string { return choose(f, PodNetwork, PodNetwork6) }

// ServiceNetworks are the ranges of all services.
func (f Families) ServiceNetworks() []string { return choose(f, ServiceNetwork, ServiceNetwork6) }

// PodCIDRs are the pod ranges of the n-th node, counted from 1.
func (f Families) PodCIDRs(n int) []netip.Prefix { return choose(f, PodCIDR(n), PodCIDR6(n)) }

// Inside are addresses of the n-th node that only its tunnels lead to: that of its flannel device, and of IPv6, where
// that one cannot be pinged (it is the anycast address of the pods' network), that of its bridge of pods.
func (f Families) Inside(n int) []netip.Addr {
	return choose(f, PodCIDR(n).Addr(), PodCIDR6(n).Addr().Next())
}

// NodeIP is a node's address, or both with a comma between them, as kubelet and K3s take and say it.
func (f Families) NodeIP(address Address) string {
	return strings.Join(choose(f, address.IPv4.Addr().String(), address.IPv6.Addr().String()), ",")
}

// DNS is the address of the cluster's name service, of the first family.
func (f Families) DNS() string { return choose(f, ServiceDNS, ServiceDNS6)[0] }

// choose returns the values of the families that there are, IPv4 first.
func choose[T any](f Families, four, six T) []T {
	var chosen []T
	if f.IPv4() {
		chosen = append(chosen, four)
	}
	if f.IPv6() {
		chosen = append(chosen, six)
	}
	return chosen
}
