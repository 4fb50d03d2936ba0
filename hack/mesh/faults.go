package mesh

import (
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Each fault returns the code and the subject of the finding that must name it.

// Leak makes a node send what is for another in VXLAN.
func (m *Mesh) Leak(from, to int) string {
	m.plant("probe/"+Name(from), func(messages []evidence.Message) []evidence.Message {
		return append(messages, evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx",
			Source: from, Target: to, Family: 4, By: "mark", Layers: "ethernet ipv4 udp:8472 vxlan ethernet ipv4 udp", Count: 7}})
	})
	return "WG0601 " + pairName(from, to)
}

// StaleRoute makes a node route what is for another past the tunnel.
func (m *Mesh) StaleRoute(from, to int) string {
	m.plant("probe/"+Name(from), func(messages []evidence.Message) []evidence.Message {
		each(messages, func(m *evidence.Message) {
			if m.Route != nil && m.Route.For == podIP(to, 4) {
				m.Route.Link = "flannel.1"
			}
		})
		return messages
	})
	return "WG0401 " + pairName(from, to)
}

// MissingPeer takes a peer from a node's device.
func (m *Mesh) MissingPeer(from, to int) string {
	m.plant("probe/"+Name(from), func(messages []evidence.Message) []evidence.Message {
		return slices.DeleteFunc(messages, func(m evidence.Message) bool {
			return m.Peer != nil && m.Peer.PublicKey == key(to) || m.Count != nil && m.Count.PublicKey == key(to)
		})
	})
	return "WG0302 " + pairName(from, to)
}

// LoseUDP makes the tunnel's datagrams vanish between two nodes.
func (m *Mesh) LoseUDP(from, to int) string {
	m.plant("probe/"+Name(to), func(messages []evidence.Message) []evidence.Message {
		each(messages, func(m *evidence.Message) {
			switch {
			case m.Count != nil && m.Count.PublicKey == key(from):
				m.Count.RX = [evidence.Readings]uint64{}
			case m.Tunnel != nil && m.Tunnel.Remote.Addr() == underlay(from):
				m.Tunnel.RX = evidence.Flow{}
			}
		})
		return messages
	})
	m.unheard(from, to)
	return "WG0501 " + pairName(from, to)
}

// LoseCanaries makes canaries vanish behind the tunnel.
func (m *Mesh) LoseCanaries(from, to int) string {
	m.unheard(from, to)
	return "WG0502 " + pairName(from, to)
}

// unheard makes a pod hear nothing of what another sends it.
func (m *Mesh) unheard(from, to int) {
	rows := func(stream string, peer int, change func(*evidence.CanaryRow)) {
		m.plant(stream, func(messages []evidence.Message) []evidence.Message {
			each(messages, func(m *evidence.Message) {
				if m.Canary != nil && m.Canary.Peer == peer {
					for i := range m.Canary.Rows {
						change(&m.Canary.Rows[i])
					}
				}
			})
			return messages
		})
	}
	rows("pod/"+Name(from), to, func(r *evidence.CanaryRow) { r.Answered = 0 })
	rows("pod/"+Name(to), from, func(r *evidence.CanaryRow) { r.Received = 0 })
}

// CutShort breaks off what a node's probe says.
func (m *Mesh) CutShort(node int) string {
	m.gaps["probe/"+Name(node)] = "it broke off after message 9"
	return "WG0103 " + Name(node)
}

func pairName(from, to int) string { return Name(from) + " → " + Name(to) }

func each(messages []evidence.Message, change func(*evidence.Message)) {
	for i := range messages {
		change(&messages[i])
	}
}
