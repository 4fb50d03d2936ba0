package synthetic

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/agent"
	"github.com/kubectl-wg/kubectl-wg/probe/device"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/filter"
	"github.com/kubectl-wg/kubectl-wg/probe/host"
)

// The links of every node.
const (
	uplink = "eth0"
	tunnel = "flannel-wg"
	bridge = "cni0"
	veth   = "veth1"
)

var indexes = map[string]int{uplink: 2, tunnel: 3, bridge: 4, veth: 5}

// mainTable is RT_TABLE_MAIN of linux/rtnetlink.h.
const mainTable = 254

// Host is one node as one session's agent reads it.
type Host struct {
	world *World
	node  int

	mu       sync.Mutex
	traffic  *traffic // of the capture, nil before it began
	readings int      // of the devices since then
}

// Options let an agent read the node of that name instead of the machine.
func (w *World) Options(name string) (agent.Options, error) {
	n := w.Number(name)
	if n == 0 {
		return agent.Options{}, fmt.Errorf("there is no node %q", name)
	}
	h := &Host{world: w, node: n}
	return agent.Options{Version: "synthetic", Host: h, Filters: h, Devices: h, Capture: h.capture, Pod: h.pod}, nil
}

// System says what a Debian machine would.
func (h *Host) System() evidence.Hello {
	return evidence.Hello{BootID: fmt.Sprintf("00000000-0000-4000-8000-%012d", h.node), Kernel: "6.12.0-synthetic", Arch: "amd64", NetNS: uint64(h.node)}
}

// Module says that the kernel has WireGuard.
func (h *Host) Module() evidence.Module { return evidence.Module{Name: "wireguard", Loaded: true} }

// Links are an uplink, the tunnel, and a bridge with one pod.
func (h *Host) Links([]netip.Prefix) (host.Links, []evidence.Problem) {
	gateway := netip.PrefixFrom(PodRange(h.node).Addr().Next(), 24)
	return host.Links{
		Links: []evidence.Link{
			{Index: 1, Name: "lo", Type: "loopback", MTU: 65536, Up: true, Role: evidence.RoleInside, Why: "loopback"},
			{Index: indexes[uplink], Name: uplink, Type: "ether", MTU: 1500, Up: true, Role: evidence.RoleOutside, Why: "nothing proves that it stays inside"},
			{Index: indexes[tunnel], Name: tunnel, Kind: "wireguard", Type: "none", MTU: TunnelMTU, Up: true, Role: evidence.RoleWireGuard, Why: "kind wireguard"},
			{Index: indexes[bridge], Name: bridge, Kind: "bridge", Type: "ether", MTU: TunnelMTU, Up: true, Role: evidence.RoleInside, Why: "a bridge of local pods"},
			{Index: indexes[veth], Name: veth, Kind: "veth", Type: "ether", MTU: TunnelMTU, Up: true, Master: bridge, PeerNS: true, Role: evidence.RoleInside, Why: "leads to a local pod"},
		},
		Addresses: []evidence.Address{
			{Link: uplink, Prefix: netip.PrefixFrom(Address(h.node), Underlay.Bits())},
			{Link: tunnel, Prefix: netip.PrefixFrom(PodRange(h.node).Addr(), 32)},
			{Link: bridge, Prefix: gateway},
		},
		Stats: []host.LinkStats{{Link: uplink, Index: indexes[uplink]}, {Link: tunnel, Index: indexes[tunnel]}},
	}, nil
}

// Answers are the kernel's routes.
func (h *Host) Answers(questions []host.Question) (answers []evidence.Route, _ []evidence.Problem) {
	for _, question := range questions {
		answer := h.route(question.For)
		answer.For, answer.Mark, answer.Type, answer.Table = question.For, question.Mark, "unicast", mainTable
		answers = append(answers, answer)
	}
	return answers, nil
}

func (h *Host) route(to netip.Addr) evidence.Route {
	owner := h.world.Owner(to)
	switch {
	case owner == 0:
		return evidence.Route{Error: "network is unreachable"}
	case Underlay.Contains(to):
		return evidence.Route{Link: uplink, Destination: Underlay, Source: Address(h.node)}
	case owner == h.node:
		return evidence.Route{Link: bridge, Destination: PodRange(owner)}
	case h.world.leaks(h.node, owner):
		return evidence.Route{Link: uplink, Destination: PodRange(owner), Gateway: Address(owner), Source: Address(h.node)}
	}
	return evidence.Route{Link: tunnel, Destination: PodNetwork, Source: PodRange(h.node).Addr()}
}

// Tables are the entries for the pod network: flannel's one for all, the bridge's, and those that are left from before.
func (h *Host) Tables([]evidence.Link, evidence.ReadRequest, int) (entries []evidence.Route, _ []evidence.Inventory, _ []evidence.Problem) {
	entries = []evidence.Route{
		{Destination: PodNetwork, Link: tunnel, Table: mainTable, Type: "unicast"},
		{Destination: PodRange(h.node), Link: bridge, Table: mainTable, Type: "unicast"},
	}
	for _, fault := range h.world.Faults {
		if fault.Kind == Leak && fault.From == h.node {
			entries = append(entries, evidence.Route{
				Destination: PodRange(fault.To), Link: uplink, Gateway: Address(fault.To), Table: mainTable, Type: "unicast",
			})
		}
	}
	return entries, []evidence.Inventory{{What: evidence.InventoryRoutes, Count: len(entries), Complete: true}}, nil
}

// Rules are the kernel's own.
func (h *Host) Rules() (rules []evidence.Rule, inventories []evidence.Inventory, _ []evidence.Problem) {
	for _, rule := range []evidence.Rule{{Priority: 0, Table: 255}, {Priority: 32766, Table: 254}, {Priority: 32767, Table: 253}} {
		rule.Family, rule.Action = 4, "lookup"
		rules = append(rules, rule)
	}
	return rules, []evidence.Inventory{
		{What: evidence.InventoryRules, Family: 4, Count: len(rules), Complete: true},
		{What: evidence.InventoryRules, Family: 6, Complete: true},
	}, nil
}

// Firewall is empty.
func (h *Host) Firewall(filter.Traffic, []evidence.Link) ([]evidence.Firewall, []evidence.Problem) {
	return nil, nil
}

// StackCounts never rise.
func (h *Host) StackCounts() host.StackCounts { return nil }

// Neighbours all answer.
func (h *Host) Neighbours([]host.Hop, []evidence.Link) ([]evidence.Neighbour, []evidence.Problem) {
	return nil, nil
}

// Listen hears of nothing.
func (*Host) Listen() *filter.Watch { return &filter.Watch{} }

// Diversions are none.
func (h *Host) Diversions([]evidence.Link, []netip.Prefix, []netip.Addr, *filter.Watch) (
	_ []evidence.Diversion, inventories []evidence.Inventory, _ []evidence.Problem,
) {
	for _, what := range []string{evidence.InventoryNftables, evidence.InventoryIptables, evidence.InventoryTC, evidence.InventoryXFRM,
		evidence.InventoryFDB, evidence.InventoryIPVS} {
		inventories = append(inventories, evidence.Inventory{What: what, Complete: true})
	}
	return nil, inventories, nil
}

// Watch hears nothing: no synthetic link ever changes.
func (h *Host) Watch([]netip.Prefix) (*host.Watch, error) { return &host.Watch{}, nil }

// handshakeAge is how long the last handshake of every healthy pair is ago: none falls into a window.
const handshakeAge = 30 * time.Second

// Read returns the device with a peer for every other node. Of the readings after the captures began the first comes
// before the canaries, and all others after.
func (h *Host) Read([]device.Target) (device.Snapshot, []evidence.Problem) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var passed *traffic
	if h.traffic != nil {
		if h.readings++; h.readings > 1 {
			passed = h.traffic
		}
	}
	w, now := h.world, time.Now()
	peers := make([]evidence.Peer, 0, w.Nodes)
	for n := 1; n <= w.Nodes; n++ {
		if n == h.node {
			continue
		}
		peer := evidence.Peer{
			Device: tunnel, PublicKey: w.peerKey(h.node, n), Endpoint: endpoint(n), AllowedIPs: []netip.Prefix{PodRange(n)}, Keepalive: 25,
		}
		if !w.cut(h.node, n) {
			peer.Handshake, peer.Age = now.Add(-handshakeAge).UnixNano(), int64(handshakeAge)
			peer.TX, peer.RX = uint64(1000*h.node+n), uint64(1000*n+h.node) // of the time before the run
		}
		if passed != nil {
			peer.TX += passed.bytes(w, h.node, n)
			if !w.cut(h.node, n) {
				peer.RX += passed.bytes(w, n, h.node)
			}
		}
		peers = append(peers, peer)
	}
	return device.Snapshot{
		Devices: []evidence.Device{{Name: tunnel, Index: indexes[tunnel], PublicKey: w.Key(h.node), Port: Port, Peers: len(peers)}},
		Peers:   peers,
	}, nil
}
