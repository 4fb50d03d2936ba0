package preflight

import (
	"fmt"
	"net/netip"

	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// said is what each stream of a recording says, without numbers.
type said map[string][]evidence.Message

func (s said) add(stream string, messages ...evidence.Message) {
	s[stream] = append(s[stream], messages...)
}

// recorded numbers the messages, and begins and ends each stream.
func (s said) recorded() *recording.Recording {
	r := recording.New()
	for stream, messages := range s {
		for i, m := range append(messages, evidence.Message{Bye: &evidence.Bye{Messages: uint32(len(messages) + 1)}}) {
			m.Stream, m.Seq = stream, uint32(i+1)
			r.Add(&m)
		}
	}
	return r
}

func hello(role, node string) evidence.Message {
	return evidence.Message{Hello: &evidence.Hello{Schema: evidence.Schema, Role: role, Node: node}}
}

var tunnelPort = evidence.Port{Family: 4, Port: 51820}

func address(node int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", node+1)) }

// healthy is a cluster of K3s with the backend vxlan on nodes of Debian, all that
// WireGuard needs there:
//
//	node-1 (server) ── eth0 192.0.2.1, MTU 1500 ── switch ── eth0 192.0.2.2 ── node-2 …
func healthy(nodes int) said {
	s := said{}
	s.add("plugin", hello("plugin", ""), evidence.Message{Run: &evidence.Run{ID: "abc234", Nodes: nodes}},
		evidence.Message{Cluster: &evidence.Cluster{Version: "v1.36.3+k3s1", Distribution: "k3s"}})
	for i := range nodes {
		name := fmt.Sprintf("node-%d", i+1)
		node := &evidence.Node{
			Index: i, Name: name, Ready: true, Kernel: "6.1.0-26-amd64", Arch: "amd64", OS: "linux",
			OSImage: "Debian GNU/Linux 12 (bookworm)", Kubelet: "v1.36.3+k3s1",
			PodCIDRs:  []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.42.%d.0/24", i))},
			Addresses: []evidence.NodeAddress{{Type: "InternalIP", Addr: address(i).String()}},
			Annotations: map[string]string{
				"flannel.alpha.coreos.com/backend-type": "vxlan", "flannel.alpha.coreos.com/public-ip": address(i).String(),
				"k3s.io/node-args": `["agent"]`,
			},
		}
		if i == 0 {
			node.Annotations["k3s.io/node-args"] = `["server"]`
			node.Labels = map[string]string{"node-role.kubernetes.io/control-plane": "true"}
		}
		s.add("plugin", evidence.Message{Node: node})
		s.add("trial/"+name, hello("trial", name), evidence.Message{Trial: &evidence.Trial{Made: true}})
		probe := "probe/" + name
		s.add(probe, hello("probe", name),
			evidence.Message{Link: &evidence.Link{Index: 2, Name: "eth0", MTU: 1500, Up: true, Role: evidence.RoleOutside}},
			evidence.Message{Address: &evidence.Address{Link: "eth0", Prefix: netip.PrefixFrom(address(i), 24)}},
			evidence.Message{PortUse: &evidence.PortUse{Port: tunnelPort, Bound: true}})
		for peer := range nodes {
			if peer == i {
				continue
			}
			s.add(probe,
				evidence.Message{Route: &evidence.Route{For: address(peer), Link: "eth0", Source: address(i)}},
				evidence.Message{PortSent: &evidence.PortSent{
					Peer: peer, Port: tunnelPort, Addr: address(peer), Sent: 60, Largest: 1500,
				}},
				evidence.Message{PortSeen: &evidence.PortSeen{
					Peer: peer, Port: tunnelPort, Source: netip.AddrPortFrom(address(peer), 40000), Count: 60, Largest: 1500,
				}})
		}
	}
	return s
}

// each calls change for every message of a stream; what it returns false for is left
// out.
func (s said) each(stream string, change func(*evidence.Message) bool) said {
	var kept []evidence.Message
	for _, m := range s[stream] {
		if change(&m) {
			kept = append(kept, m)
		}
	}
	s[stream] = kept
	return s
}
