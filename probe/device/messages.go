package device

import (
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// allowedPerMessage keeps a Peer below evidence.MaxMessage: a prefix takes at
// most 46 bytes of JSON, the rest of a peer less than 1 KiB.
const allowedPerMessage = 128

// Messages returns the devices and, after each, its peers. Allowed IPs beyond
// allowedPerMessage follow in further messages that are otherwise equal.
func (s Snapshot) Messages() []evidence.Message {
	var messages []evidence.Message
	for _, device := range s.Devices {
		messages = append(messages, evidence.Message{Device: &device})
		for _, peer := range s.Peers {
			if peer.Device != device.Name {
				continue
			}
			for all := peer.AllowedIPs; ; {
				n := min(len(all), allowedPerMessage)
				part := peer
				part.AllowedIPs = all[:n:n]
				messages = append(messages, evidence.Message{Peer: &part})
				if all = all[n:]; len(all) == 0 {
					break
				}
			}
		}
	}
	return messages
}

// Counters remembers the four readings of every peer. The zero value is ready.
type Counters struct {
	counts map[counterKey]*counted
}

type counterKey struct{ device, public string }

type counted struct {
	evidence.Count
	taken [evidence.Readings]bool
}

// Take remembers one reading. A reading taken twice counts once.
func (c *Counters) Take(reading int, s Snapshot) {
	if reading < 0 || reading >= evidence.Readings {
		return
	}
	if c.counts == nil {
		c.counts = make(map[counterKey]*counted)
	}
	indexes := make(map[string]int, len(s.Devices))
	for _, device := range s.Devices {
		indexes[device.Name] = device.Index
	}
	for _, peer := range s.Peers {
		key := counterKey{peer.Device, peer.PublicKey}
		count := c.counts[key]
		if count == nil {
			count = &counted{Count: evidence.Count{Device: peer.Device, PublicKey: peer.PublicKey}}
			c.counts[key] = count
		}
		count.Index = indexes[peer.Device]
		count.Endpoint = peer.Endpoint
		count.Handshake = peer.Handshake
		count.Age = peer.Age
		count.TX[reading] = peer.TX
		count.RX[reading] = peer.RX
		if !count.taken[reading] {
			count.taken[reading] = true
			count.Readings++
		}
	}
}

// Behind reports whether some peer's counters have moved by less since
// ReadingBefore than what was captured of its tunnel.
func (c *Counters) Behind(now Snapshot, captured []evidence.Tunnel) bool {
	type ends struct {
		port   uint16
		remote netip.AddrPort
	}
	type sums struct{ tx, rx uint64 }
	wire := make(map[ends]sums, len(captured))
	for _, t := range captured {
		at := ends{t.Local.Port(), t.Remote}
		wire[at] = sums{wire[at].tx + t.TX.Bytes, wire[at].rx + t.RX.Bytes}
	}
	ports := make(map[string]uint16, len(now.Devices))
	for _, device := range now.Devices {
		ports[device.Name] = device.Port
	}
	return slices.ContainsFunc(now.Peers, func(p evidence.Peer) bool {
		count := c.counts[counterKey{p.Device, p.PublicKey}]
		seen := wire[ends{ports[p.Device], p.Endpoint}]
		return count != nil && count.taken[evidence.ReadingBefore] &&
			(p.TX < count.TX[evidence.ReadingBefore]+seen.tx || p.RX < count.RX[evidence.ReadingBefore]+seen.rx)
	})
}

// Messages returns a Count per peer that was ever seen, in a stable order.
func (c *Counters) Messages() []evidence.Message {
	messages := make([]evidence.Message, 0, len(c.counts))
	for _, count := range c.counts {
		messages = append(messages, evidence.Message{Count: &count.Count})
	}
	slices.SortFunc(messages, func(a, b evidence.Message) int {
		return slices.Compare(
			[]string{a.Count.Device, a.Count.PublicKey}, []string{b.Count.Device, b.Count.PublicKey})
	})
	return messages
}
