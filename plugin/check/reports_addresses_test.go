package check

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// What is behind a NAT and sends keepalives is not warned of.
func TestKeepalivesKeepANATOpen(t *testing.T) {
	s := healthy(3)
	throughNAT(s, 25)
	for _, f := range Judge(record(t, s)).Findings {
		if f.Code == "WG0702" && (f.Status != verdict.Pass ||
			(f.Subject.Node == "node-2") != strings.Contains(f.Text, "it sends a keepalive every 25 s")) {
			t.Errorf("%s %s: %s", f.Subject, f.Status, f.Text)
		}
	}
}

func address(link, prefix string) evidence.Message {
	return evidence.Message{Address: &evidence.Address{Link: link, Prefix: netip.MustParsePrefix(prefix)}}
}

// privateAddress is where a node of another network is.
func privateAddress(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 168, 36, byte(10 + i)}) }

// moveNodes gives the nodes other addresses, and node-1 another route to them.
func moveNodes(s map[string][]evidence.Message, to func(i int) netip.Addr, route evidence.Route) {
	place := func(addr netip.Addr) netip.Addr { return to(int(addr.As4()[3]) - 10) }
	for i := range 3 {
		each(s[fmt.Sprintf("probe/node-%d", i+1)], func(m *evidence.Message) {
			switch {
			case m.Peer != nil:
				m.Peer.Endpoint = netip.AddrPortFrom(place(m.Peer.Endpoint.Addr()), m.Peer.Endpoint.Port())
			case m.Count != nil:
				m.Count.Endpoint = netip.AddrPortFrom(place(m.Count.Endpoint.Addr()), m.Count.Endpoint.Port())
			case m.Tunnel != nil:
				moved := *m.Tunnel
				moved.Local = netip.AddrPortFrom(place(moved.Local.Addr()), moved.Local.Port())
				moved.Remote = netip.AddrPortFrom(place(moved.Remote.Addr()), moved.Remote.Port())
				m.Tunnel = &moved
			case m.Route != nil && m.Route.For.IsValid() && m.Route.Link == "eth0":
				answer := route
				answer.For = place(m.Route.For)
				m.Route = &answer
			}
		})
	}
	annotate(s, func(i int, a map[string]string) { a["flannel.alpha.coreos.com/public-ip"] = to(i).String() })
}

// overGateway has the nodes publish private addresses, which they reach through
// their default gateways.
func overGateway(s map[string][]evidence.Message) {
	moveNodes(s, privateAddress, evidence.Route{Link: "eth0", Type: "unicast", Table: 254,
		Destination: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("192.0.2.1")})
}

// unanswered has nothing of node-1's arrive at node-2, nor the other way.
func unanswered(s map[string][]evidence.Message) {
	for i := range 2 {
		name := fmt.Sprintf("probe/node-%d", i+1)
		count(s[name], 1-i, func(c *evidence.Count) { c.RX = [4]uint64{1000, 1000, 1000, 1000} })
		each(s[name], func(m *evidence.Message) {
			if m.Tunnel != nil && m.Tunnel.Remote.Addr() == privateAddress(1-i) {
				m.Tunnel.RX = evidence.Flow{}
				m.Tunnel.TX = evidence.Flow{Initiations: 4, Bytes: 4 * 148}
			}
		})
	}
	undelivered(s)
}

// throughNAT puts node-2 behind a NAT: the others send to where it was last heard.
func throughNAT(s map[string][]evidence.Message, keepalive int) {
	behindNAT("192.0.2.11")(s)
	heardAt(s, netip.MustParseAddrPort("203.0.113.9:40001"), keepalive)
}

// otherPort has something change the port from which node-2 sends.
func otherPort(s map[string][]evidence.Message, keepalive int) {
	s["probe/node-2"] = append(s["probe/node-2"], address("eth0", "192.0.2.11/24"))
	heardAt(s, netip.AddrPortFrom(underlay(1), 40001), keepalive)
}

// heardAt has node-1 send to where it last heard node-2, which sends keepalives or none.
func heardAt(s map[string][]evidence.Message, at netip.AddrPort, keepalive int) {
	each(s["probe/node-1"], func(m *evidence.Message) {
		switch {
		case m.Peer != nil && m.Peer.PublicKey == publicKey(1):
			m.Peer.Endpoint = at
		case m.Count != nil && m.Count.PublicKey == publicKey(1):
			m.Count.Endpoint = at
		case m.Tunnel != nil && m.Tunnel.Remote.Addr() == underlay(1):
			m.Tunnel.Remote = at
		}
	})
	each(s["probe/node-2"], func(m *evidence.Message) {
		if m.Peer != nil {
			m.Peer.Keepalive = keepalive
		}
	})
}
