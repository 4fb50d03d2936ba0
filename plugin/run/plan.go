package run

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// plan makes the requests of a run from what is known of it. Its methods change
// nothing, so that several requests may be made at a time.
type plan struct {
	nodes   *nodes
	about   *evidence.Run
	pods    testPods
	known   *known // nil until the nodes were read
	classes classTargets
	ended   []evidence.Pod                    // new pods that others send to
	overlay map[int][]netip.Addr              // see overlay
	ports   []uint16                          // see Run.ports
	samples func(*evidence.Node) []netip.Addr // see Options
}

// read asks a probe for the state of its host.
func (p *plan) read(at place) evidence.Request {
	node := at.node
	read := &evidence.ReadRequest{
		Reading: evidence.ReadingBefore, PodRanges: node.PodCIDRs, Ranges: p.nodes.podRanges(p.pods), Ports: p.ports,
	}
	for _, pod := range p.pods {
		index := pod.node.Index
		if p.nodes.pairs.Has(node.Index, index) {
			read.Destinations = append(read.Destinations, pod.ips...)
			read.Destinations = append(read.Destinations, p.overlay[index]...)
		}
		if index == node.Index {
			read.PodRanges = withAddresses(read.PodRanges, pod.ips)
		}
	}
	if p.samples != nil {
		read.Destinations = append(read.Destinations, p.sampled(node)...)
	}
	return evidence.Request{Read: read}
}

// sampled are the addresses that stand for the pods of all nodes but one, and where
// an overlay sends what is for them.
func (p *plan) sampled(but *evidence.Node) (addresses []netip.Addr) {
	for i := range p.nodes.list {
		node := &p.nodes.list[i]
		if p.nodes.pairs.Has(but.Index, node.Index) {
			addresses = append(addresses, p.samples(node)...)
			addresses = append(addresses, p.overlay[node.Index]...)
		}
	}
	return addresses
}

// capture asks a probe to count what this run will send. It is the same for all
// nodes.
func (p *plan) capture(buffer int) evidence.Request {
	return evidence.Request{Capture: &evidence.CaptureRequest{
		Pods: p.pods.addresses(), Ranges: p.nodes.podRanges(p.pods), Buffer: buffer,
		Keys: p.known.keys, Ports: p.known.ports,
		Sizes: dataSizes(p.about, p.known.mtus, p.known.overhead),
	}}
}

// listen asks a test pod to answer canaries, and to expect the tries for it.
func (p *plan) listen(at place) evidence.Request {
	listen := &evidence.ListenRequest{Families: p.about.Families}
	for _, try := range p.about.Tries {
		if try.Target == at.node.Index {
			listen.Tries = append(listen.Tries, try)
		}
	}
	return evidence.Request{Listen: listen}
}

// control asks a probe to send cleartext on purpose.
func (p *plan) control(at place) evidence.Request {
	controls := controls{p.known, p.nodes}
	return evidence.Request{Control: &evidence.ControlRequest{Targets: controls.targets(at.node.Index)}}
}

// send asks a test pod to send its canaries and tries to the pods that are
// still there.
func (p *plan) send(at place) evidence.Request {
	patience := p.patience()
	send := &evidence.SendRequest{
		Sizes: p.about.Sizes, Rungs: p.about.Rungs,
		Attempts: int(patience / attemptTime), Timeout: int(patience / time.Millisecond),
	}
	from := p.pods.on(at.node.Index)
	for i := range p.pods {
		to := &p.pods[i]
		if !to.lost && p.nodes.pairs.Has(at.node.Index, to.node.Index) {
			send.Targets = append(send.Targets, p.targets(from, to)...)
		}
	}
	for _, try := range p.about.Tries {
		if try.Node == at.node.Index {
			send.Tries = append(send.Tries, try)
		}
	}
	return evidence.Request{Send: send}
}

// patience is how long canaries are repeated, see answerTime.
func (p *plan) patience() time.Duration {
	wanted := answerTime + time.Duration(len(p.pods))*answerTimePer + p.pods.slowest()/4
	return min(wanted, maxAnswerTime)
}

// targets are one pod's listeners, of the families that both pods have.
func (p *plan) targets(from, to *testPod) []evidence.Target {
	var targets []evidence.Target
	for _, family := range p.about.Families {
		addr, ok := to.address(family)
		if _, own := from.address(family); !ok || !own {
			continue
		}
		targets = append(targets, evidence.Target{
			Index: to.node.Index, Addr: addr,
			UDP: to.ports[fmt.Sprint("udp", family)], TCP: to.ports[fmt.Sprint("tcp", family)],
		})
	}
	return targets
}

// newPods returns the new pods, on at most so many nodes, to which others they
// send, and where they are placed.
func (p *plan) newPods(most int) (newPods []evidence.Newcomer, placings []manifests.Placing) {
	for _, i := range newPodNodes(len(p.pods), most) {
		from := &p.pods[i]
		newPod := evidence.Newcomer{Node: from.node.Index}
		arguments := []string{"--index", fmt.Sprint(from.node.Index)}
		for _, index := range p.nodes.pairs.Targets(from.node.Index) {
			to := p.pods.on(index)
			if to == nil || len(newPod.Targets) == newPodTargets {
				continue
			}
			for _, target := range p.targets(from, to) {
				listener := netip.AddrPortFrom(target.Addr, target.UDP)
				arguments = append(arguments, "--to", fmt.Sprintf("%d@%s", target.Index, listener))
			}
			newPod.Targets = append(newPod.Targets, to.node.Index)
		}
		newPods = append(newPods, newPod)
		placings = append(placings, newPodPlacing(from.node, arguments))
	}
	return newPods, placings
}

// reading asks a probe for the counters.
func reading(number int) func(place) evidence.Request {
	return func(place) evidence.Request {
		return evidence.Request{Read: &evidence.ReadRequest{Reading: number}}
	}
}

// stop asks for what was counted.
func stop(place) evidence.Request { return evidence.Request{Stop: &evidence.StopRequest{}} }

// end ends a session.
func end(place) evidence.Request { return evidence.Request{End: &evidence.EndRequest{}} }

// canarySizes returns the UDP payload sizes of a run: a small one, two random
// odd ones whose encrypted sizes differ from each other and from the others',
// and the largest the pod's link takes (0).
func canarySizes() []int {
	const small = 64
	sizes := []int{small}
	for len(sizes) < 3 {
		size := 200 + 2*rand.IntN(350) + 1
		alike := func(other int) bool { return encryptedAlike(size, other) }
		if !slices.ContainsFunc(sizes, alike) {
			sizes = append(sizes, size)
		}
	}
	return append(sizes, 0)
}

// encryptedAlike reports whether canaries of two sizes may have one encrypted
// size, over IPv4 or IPv6.
func encryptedAlike(a, b int) bool {
	for _, headers := range []int{headers4, headers6} {
		for _, others := range []int{headers4, headers6} {
			if padded(headers+a) == padded(others+b) {
				return true
			}
		}
	}
	return false
}

// searchSizes are the sizes to try between the odd ones and a full one that is lost:
// with headers of IPv4 packets of 1028 to 1500 bytes. 1280 is the least MTU of
// IPv6; the steps of 20 are finer than an operator sets an MTU.
func searchSizes() []int {
	return []int{1000, 1152, 1252, 1292, 1312, 1332, 1352, 1372, 1472}
}

// The bytes of headers before a canary's payload over IPv4 and IPv6: UDP's and
// ICMP echo's are the same.
const (
	headers4 = 28
	headers6 = 48
)

func padded(inner int) int { return (inner + 15) / 16 * 16 }

// dataSizes returns the lengths of the WireGuard data messages that carry the
// canaries: 16 bytes header, 16 bytes tag and the inner packet padded to 16
// bytes but not beyond the device's MTU (linux drivers/net/wireguard/send.c,
// calculate_skb_padding). An overlay above the device adds its overhead.
func dataSizes(about *evidence.Run, mtus []int, overhead map[int]int) []int {
	var sizes []int
	for _, mtu := range mtus {
		for _, size := range about.Sizes {
			for _, family := range about.Families {
				inner := size + headers4
				if family == 6 {
					inner = size + headers6
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
