package check

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// oldKey gives node-1 a peer with a key that node-2 had before, and has it send
// that keepalives and an initiation at node-2's endpoint. All arrive.
func oldKey(s map[string][]evidence.Message, allowed []netip.Prefix) {
	s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{Peer: &evidence.Peer{
		Device: "flannel-wg", PublicKey: publicKey(7), Endpoint: netip.AddrPortFrom(underlay(1), 51820),
		AllowedIPs: allowed, Keepalive: 25, TX: 148}})
	s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{Count: &evidence.Count{
		Device: "flannel-wg", Index: 3, PublicKey: publicKey(7), Endpoint: netip.AddrPortFrom(underlay(1),
			51820), Readings: 4,
		TX: [4]uint64{148, 148, 392, 392}}})
	tried := func(f *evidence.Flow) {
		f.Initiations, f.Keepalives, f.Bytes = f.Initiations+1, f.Keepalives+3, f.Bytes+148+3*32
		f.Indices = append(slices.Clone(f.Indices), evidence.IndexRange{Index: 7007, Max: 2, Messages: 3})
		f.Handshakes = append(f.Handshakes, evidence.Handshake{Type: 1, For: publicKey(7)})
	}
	tunnel(s["probe/node-1"], 1, func(t *evidence.Tunnel) { tried(&t.TX) })
	tunnel(s["probe/node-2"], 0, func(t *evidence.Tunnel) { tried(&t.RX) })
}

func tunnel(messages []evidence.Message, with int, change func(*evidence.Tunnel)) {
	each(messages, func(m *evidence.Message) {
		if m.Tunnel != nil && m.Tunnel.Remote.Addr() == underlay(with) {
			changed := *m.Tunnel
			change(&changed)
			m.Tunnel = &changed
		}
	})
}

// What a device still tries with the key that a node had before says nothing
// of the tunnel to the key that the node has.
func TestKeyOfBefore(t *testing.T) {
	streams := healthy(3)
	oldKey(streams, nil)
	if j := Judge(record(t, streams)); j.Verdict != verdict.Passed {
		t.Errorf("verdict %s: %v", j.Verdict, bad(j))
	}

	// They do not make up for bytes of the tunnel that were not seen.
	streams = healthy(3)
	oldKey(streams, nil)
	tunnel(streams["probe/node-1"], 1, func(t *evidence.Tunnel) { t.TX.Bytes -= 200 })
	if j := Judge(record(t, streams)); j.Verdict != verdict.Undecided || j.FirstCause.Code != "WG0603" {
		t.Errorf("verdict %s with fewer bytes than the device counted", j.Verdict)
	}

	// Bytes that are nobody's stay somebody's to explain.
	streams = healthy(3)
	oldKey(streams, nil)
	tunnel(streams["probe/node-1"], 1, func(t *evidence.Tunnel) { t.TX.Bytes += 148 })
	if j := Judge(record(t, streams)); j.Verdict != verdict.Undecided || j.FirstCause.Code != "WG0603" {
		t.Errorf("verdict %s with more bytes than the device counted", j.Verdict)
	}
}
