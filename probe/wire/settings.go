package wire

import (
	"fmt"
	"net/netip"
)

// settings are what all links share and never change.
type settings struct {
	match     *matcher
	wireguard ports
	receivers []receiver // in the order of Subject.Keys
	asked     map[int]bool
	pods      *podRanges // nil if no range is watched
	host      host
	node      int // index of this node
}

func newSettings(subject Subject) (*settings, error) {
	s := &settings{
		match: newMatcher(subject), asked: make(map[int]bool),
		node: subject.Node, pods: newPodRanges(subject.Ranges), host: newHost(subject.Addresses, subject.Ethers),
	}
	for _, port := range subject.Ports {
		if port != 0 {
			s.wireguard.add(port)
		}
	}
	for _, size := range subject.Sizes {
		s.asked[size] = true
	}
	for _, key := range subject.Keys {
		r, err := newReceiver(key)
		if err != nil {
			return nil, fmt.Errorf("a key to verify handshakes with: %w", err)
		}
		s.receivers = append(s.receivers, r)
	}
	return s, nil
}

// local reports whether a packet between pods goes the way that it goes between
// the host and a pod of its own: to this node's pods, or from them to it.
func (s *settings) local(f *Frame, p *podHeader) bool {
	if f.transmitted() {
		return p.target == s.node
	}
	return p.source == s.node
}

// leaksPods reports whether a packet between pods of two nodes, on a link that
// leaves the host, is one that this host sends or gets in clear. Pipe: see
// LinkStats.Pipe.
func (s *settings) leaksPods(f *Frame, d *dissection, pipe bool) bool {
	return d.pods.found && s.host.carries(f, d) && !(pipe && s.local(f, &d.pods))
}

// ofPods reports whether an address is a test pod's or in some node's pod range.
func (s *settings) ofPods(a netip.Addr) bool {
	return s.pods.of(a) != noNode || s.match.flows.has(a)
}
