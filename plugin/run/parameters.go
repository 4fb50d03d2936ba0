package run

import (
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// canarySizes returns the UDP payload sizes of a run: a small one, two random
// odd ones whose encrypted sizes differ from each other and from the others',
// and the largest the pod's link takes (0).
func canarySizes() []int {
	const small = 64
	sizes := []int{small}
	for len(sizes) < 3 {
		size := 200 + 2*rand.IntN(350) + 1
		distinct := !slices.ContainsFunc(sizes, func(other int) bool {
			return padded(28+size) == padded(28+other) || padded(48+size) == padded(48+other) || padded(28+size) == padded(48+other) || padded(48+size) == padded(28+other)
		})
		if distinct {
			sizes = append(sizes, size)
		}
	}
	return append(sizes, 0)
}

// rungs are the sizes to try between the odd ones and a full one that is lost:
// with headers of IPv4 packets of 1028 to 1500 bytes. 1280 is the least MTU of
// IPv6; the steps of 20 are finer than an operator sets an MTU.
func rungs() []int {
	return []int{1000, 1152, 1252, 1292, 1312, 1332, 1352, 1372, 1472}
}

func padded(inner int) int { return (inner + 15) / 16 * 16 }

// captureRequest asks a probe to count what this run will send. It is the same
// for all nodes.
func captureRequest(known *known, pods []evidence.PodAddress, about *evidence.Run, buffer int) *evidence.CaptureRequest {
	return &evidence.CaptureRequest{
		Pods: pods, Buffer: buffer, Keys: known.keys, Ports: known.ports,
		Sizes: dataSizes(about, known.mtus, known.overhead),
	}
}

// dataSizes returns the lengths of the WireGuard data messages that carry the
// canaries: 16 bytes header, 16 bytes tag and the inner packet padded to 16
// bytes but not beyond the device's MTU (linux drivers/net/wireguard/send.c,
// calculate_skb_padding). The inner packet has 28 bytes of headers over IPv4,
// 48 over IPv6; UDP's and ICMP echo's are the same. An overlay above the device
// adds its overhead.
func dataSizes(about *evidence.Run, mtus []int, overhead map[int]int) []int {
	var sizes []int
	for _, mtu := range mtus {
		for _, size := range about.Sizes {
			for _, family := range about.Families {
				inner := size + 28
				if family == 6 {
					inner = size + 48
				}
				inner += overhead[family]
				if size == 0 {
					inner = mtu
				}
				sizes = append(sizes, 32+min(padded(inner), max(mtu, inner)))
			}
		}
	}
	return set(sizes)
}

// podAddresses returns where the test pods are.
func (v *verification) podAddresses() []evidence.PodAddress {
	var addresses []evidence.PodAddress
	for _, a := range v.pods {
		addresses = append(addresses, evidence.PodAddress{Index: a.node.Index, IPs: a.pod.IPs})
	}
	return addresses
}

// podRanges returns the pod ranges of all nodes of the run: those that the API
// names, and each test pod's own address where none of them has it.
func (v *verification) podRanges() []evidence.PodRange {
	pods := make(map[int][]netip.Addr)
	for _, p := range v.podAddresses() {
		pods[p.Index] = p.IPs
	}
	var ranges []evidence.PodRange
	for _, n := range v.nodes {
		prefixes := n.PodCIDRs
		for _, ip := range pods[n.Index] {
			prefixes = withAddress(prefixes, ip)
		}
		ranges = append(ranges, evidence.PodRange{Index: n.Index, Prefixes: prefixes})
	}
	return ranges
}

// families returns those that were asked for, else those that at least one
// pair of pods has.
func (v *verification) families() []int {
	if len(v.Families) > 0 {
		return v.Families
	}
	var families []int
	for _, family := range []int{4, 6} {
		have := 0
		for _, a := range v.pods {
			if _, ok := addressOf(a, family); ok {
				have++
			}
		}
		if have >= 2 {
			families = append(families, family)
		}
	}
	if len(families) == 0 {
		return []int{4}
	}
	return families
}

// targets are the listeners of the pods that a pod is to send to.
func (v *verification) targets(from *agent) []evidence.Target {
	var targets []evidence.Target
	for _, to := range v.pods {
		if to.lost == nil && v.asked.Has(from.node.Index, to.node.Index) {
			targets = append(targets, v.targetsAt(from, to)...)
		}
	}
	return targets
}

// targetsAt are one pod's listeners, of the families that both have.
func (v *verification) targetsAt(from, to *agent) []evidence.Target {
	var targets []evidence.Target
	for _, family := range v.about.Families {
		addr, ok := addressOf(to, family)
		if _, own := addressOf(from, family); !ok || !own {
			continue
		}
		suffix := map[int]string{4: "4", 6: "6"}[family]
		targets = append(targets, evidence.Target{
			Index: to.node.Index, Addr: addr, UDP: to.ports["udp"+suffix], TCP: to.ports["tcp"+suffix],
		})
	}
	return targets
}

func addressOf(a *agent, family int) (netip.Addr, bool) {
	for _, ip := range a.pod.IPs {
		if ip.Is4() == (family == 4) {
			return ip, true
		}
	}
	return netip.Addr{}, false
}

// withAddress adds an address to ranges that do not cover it.
func withAddress(ranges []netip.Prefix, ip netip.Addr) []netip.Prefix {
	if slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		return ranges
	}
	return append(slices.Clone(ranges), netip.PrefixFrom(ip, ip.BitLen()))
}

// set returns the different values but the zero value, in order.
func set[T interface{ ~int | ~uint16 | ~string }](values []T) []T {
	var zero T
	slices.Sort(values)
	values = slices.Compact(values)
	return slices.DeleteFunc(values, func(value T) bool { return value == zero })
}
