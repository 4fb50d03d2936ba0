package check

import (
	"net/netip"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// oldKey gives node-1 a peer with a key that node-2 had before, and has it try
// a handshake with that at node-2's endpoint. The initiation arrives.
func oldKey(s map[string][]evidence.Message, allowed []netip.Prefix) {
	s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{Peer: &evidence.Peer{
		Device: "flannel-wg", PublicKey: publicKey(7), Endpoint: netip.AddrPortFrom(underlay(1), 51820), AllowedIPs: allowed, Keepalive: 25, TX: 148}})
	tried := func(f *evidence.Flow) {
		f.Initiations, f.Bytes = f.Initiations+1, f.Bytes+148
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

	// Bytes that are nobody's stay somebody's to explain.
	streams = healthy(3)
	oldKey(streams, nil)
	tunnel(streams["probe/node-1"], 1, func(t *evidence.Tunnel) { t.TX.Bytes += 148 })
	if j := Judge(record(t, streams)); j.Verdict != verdict.Undecided {
		t.Errorf("verdict %s with an initiation more than was told of", j.Verdict)
	}
}
