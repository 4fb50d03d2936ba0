package wire

import (
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// TestQuotedPackets: an ICMP error carries the packet that it is about, marks
// and all, and travels against it. It leaks the pair that it travels for.
func TestQuotedPackets(t *testing.T) {
	unreachable := &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeDestinationUnreachable,
		layers.ICMPv4CodePort)}
	echo := &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeEchoRequest, 0), Seq: 1}
	for _, row := range []struct {
		name   string
		packet []byte
		source int
	}{
		{"a canary", podPacket(t, canary(t, 200)), 0},
		{"quoted by a pod", build(t, ip4("10.42.1.9", "10.42.0.7", layers.IPProtocolICMPv4), unreachable,
			raw(podPacket(t, canary(t, 200)))), 1},
		{"quoted by a pod that is none of the test's",
			build(t, ip4("10.42.1.200", "10.42.0.201", layers.IPProtocolICMPv4), unreachable,
				raw(podPacket(t, canary(t, 200)))), 1},
		{"quoted, and cut behind the mark", build(t, ip4("10.42.1.9", "10.42.0.7", layers.IPProtocolICMPv4),
			unreachable, raw(podPacket(t, testMark[:]))), 1},
		{"an echo", build(t, ip4("10.42.0.7", "10.42.1.9", layers.IPProtocolICMPv4), echo,
			raw(marked(t, TransportICMP, 200))), 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			stats := newStats(t, testSubject())
			stats.Link("eth0", evidence.RoleOutside).Add(tx(build(t, eth(layers.EthernetTypeIPv4), raw(row.packet))))
			leaks := pick(t, stats.Messages(), leakOf)
			if len(leaks) != 1 || leaks[0].Source != row.source || leaks[0].Target != 1-row.source {
				t.Errorf("sighted %+v", leaks)
			}
		})
	}
}
