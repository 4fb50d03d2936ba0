package check

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// agents is the ConfigMap of Cilium's agents in a recording that has none.
func agents(options map[string]string) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) {
		each(s["plugin"], func(m *evidence.Message) {
			if m.Cluster != nil {
				about := *m.Cluster
				about.Objects = map[string]map[string]string{"ConfigMap/kube-system/cilium-config": options}
				m.Cluster = &about
			}
		})
	}
}

// allowing gives the peers of both nodes other allowed IPs.
func allowing(change func([]netip.Prefix) []netip.Prefix) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) {
		for stream := range s {
			each(s[stream], func(m *evidence.Message) {
				switch {
				case m.Peers != nil:
					peers := *m.Peers
					peers.AllowedIPs = slices.Clone(peers.AllowedIPs)
					for i, allowed := range peers.AllowedIPs {
						peers.AllowedIPs[i] = change(slices.Clone(allowed))
					}
					m.Peers = &peers
				case m.Peer != nil:
					peer := *m.Peer
					peer.AllowedIPs = change(slices.Clone(peer.AllowedIPs))
					m.Peer = &peer
				}
			})
		}
	}
}

func only(keep func(netip.Prefix) bool) func([]netip.Prefix) []netip.Prefix {
	return func(all []netip.Prefix) []netip.Prefix {
		return slices.DeleteFunc(all, func(p netip.Prefix) bool { return !keep(p) })
	}
}

func isPod(p netip.Prefix) bool { return cidr("10.42.0.0/16").Contains(p.Addr()) }

// published changes what the nodes publish.
func publishing(change func(index int, annotations map[string]string)) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) {
		each(s["plugin"], func(m *evidence.Message) {
			if m.Node != nil {
				node := *m.Node
				node.Annotations = map[string]string{}
				for name, value := range m.Node.Annotations {
					node.Annotations[name] = value
				}
				change(node.Index, node.Annotations)
				m.Node = &node
			}
		})
	}
}

// oneKey gives the second node the first one's key, wherever it stands.
func oneKey(s map[string][]evidence.Message) {
	var keys []string
	for _, stream := range []string{"probe/node1", "probe/node2"} {
		each(s[stream], func(m *evidence.Message) {
			if m.Device != nil {
				keys = append(keys, m.Device.PublicKey)
			}
		})
	}
	each(s["probe/node2"], func(m *evidence.Message) {
		if m.Device != nil {
			device := *m.Device
			device.PublicKey = keys[0]
			m.Device = &device
		}
	})
	publishing(func(_ int, annotations map[string]string) { annotations["network.cilium.io/wg-pub-key"] = keys[0] })(s)
}

// lostRange takes a range from the peer of one node alone, and says which IPAM assigned it.
func lostRange(s map[string][]evidence.Message) {
	one := map[string][]evidence.Message{"probe/node1": s["probe/node1"]}
	allowing(only(func(p netip.Prefix) bool { return p.Bits() == 32 }))(one)
	each(s["plugin"], func(m *evidence.Message) {
		if m.Node != nil {
			node := *m.Node
			node.IPAM = evidence.IPAMCilium
			m.Node = &node
		}
	})
}

// dummy is the peer without an owner to which an agent moves the address of a pod
// that has gone, before it removes the two.
func dummy(s map[string][]evidence.Message) {
	s["probe/node1"] = append(s["probe/node1"], evidence.Message{Peer: &evidence.Peer{
		Device: "cilium_wg0", PublicKey: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		AllowedIPs: []netip.Prefix{cidr("10.42.2.77/32")},
	}})
}

// inClear is a frame of a pair that was seen on eth0, of a new pod or of one that was there.
func leaking(first bool) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) {
		s["probe/node1"] = append(s["probe/node1"], evidence.Message{Sighting: &evidence.Sighting{
			Link: "eth0", Direction: "tx", Source: 0, Target: 1, Family: 4, By: "mark", Layers: "ethernet ipv4 udp",
			Count: 3, First: first,
		}})
	}
}

var native = map[string]string{"enable-wireguard": "true", "routing-mode": "native"}

// Faults of Cilium's own, and what looks like one and is none, as edits of a run on a
// real one.
func TestCilium(t *testing.T) {
	for _, test := range []struct {
		name    string
		edits   func(map[string][]evidence.Message)
		verdict verdict.Verdict
		cause   string
		says    string // part of the first cause
		fix     string // part of its remedy
	}{
		{"as recorded", func(map[string][]evidence.Message) {}, verdict.Passed, "", "", ""},
		{"with its ConfigMap", agents(native), verdict.Passed, "", "", ""},
		{"allowed IPs of a release that had no ranges among them",
			allowing(only(func(p netip.Prefix) bool { return p.Bits() == 32 })), verdict.Passed, "", "", ""},
		{"the range of one node's pods is lost, and new pods are added all the same", lostRange,
			verdict.Failed, "WG0304", "has only a part of its pod range 10.42.2.0/24", "delete pod -l k8s-app=cilium"},
		{"an address on its way out of a peer", dummy, verdict.Passed, "", "", ""},
		{"allowed IPs of pods are lost", allowing(only(func(p netip.Prefix) bool { return !isPod(p) })),
			verdict.Failed, "WG0304", "no peer of cilium_wg0 on node1 covers 10.42.2.219",
			"delete pod -l k8s-app=cilium"},
		{"no key is published", publishing(func(index int, annotations map[string]string) {
			if index == 1 {
				delete(annotations, "network.cilium.io/wg-pub-key")
			}
		}), verdict.Failed, "WG0301", "node2 publishes no WireGuard key", "spec.nodename=node2"},
		{"two nodes have one key", oneKey, verdict.Failed, "WG0303", "node1 and node2 share the key", "cilium_wg0.key"},
		{"a new pod's first packets", leaking(true), verdict.Failed,
			"WG0609", "a new pod's first traffic", "strict mode"},
		{"packets of a pod that is known", leaking(false), verdict.Failed, "WG0601", "PLAINTEXT", "ipcache"},
	} {
		s := streamsOf(t, "host-cilium-native")
		test.edits(s)
		j := Judge(record(t, s))
		switch {
		case j.Verdict != test.verdict:
			t.Errorf("%s: %s, want %s:\n%s", test.name, j.Verdict, test.verdict, strings.Join(bad(j), "\n"))
		case test.cause == "":
			if i := slices.IndexFunc(j.Findings,
				func(f verdict.Finding) bool { return f.Code == "WG0101" && f.Status != verdict.Pass }); i >= 0 {
				t.Errorf("%s: %s", test.name, j.Findings[i].Text)
			}
		case j.FirstCause.Code != test.cause || !strings.Contains(j.FirstCause.Text, test.says):
			t.Errorf("%s: first cause %s: %s", test.name, j.FirstCause.Code, j.FirstCause.Text)
		default:
			hint, ok := remedy.For(*j.FirstCause, j.Profile.RunsAs)
			text := hint.Title + hint.Note
			for _, step := range hint.Steps {
				text += "\n" + step.Command
			}
			if !ok || !strings.Contains(strings.ToLower(text), test.fix) {
				t.Errorf("%s: %q is not in its remedy:\n%s", test.name, test.fix, text)
			}
		}
	}
}
