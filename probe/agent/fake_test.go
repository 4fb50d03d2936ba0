//go:build linux

package agent

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/capture"
	"github.com/kubectl-wg/kubectl-wg/probe/device"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/filter"
	"github.com/kubectl-wg/kubectl-wg/probe/host"
)

// fakeHost is a node with one card and one WireGuard device.
type fakeHost struct {
	late  atomic.Bool // a second card appeared
	stack atomic.Int32
	hang  chan struct{}
	busy  time.Duration // that it takes to answer where routes lead
}

func (*fakeHost) System() evidence.Hello  { return evidence.Hello{BootID: "boot"} }
func (*fakeHost) Module() evidence.Module { return evidence.Module{Name: "wireguard", Loaded: true} }

func (f *fakeHost) Links([]netip.Prefix) (host.Links, []evidence.Problem) {
	links := []evidence.Link{
		{Index: 2, Name: "eth0", Up: true, Role: evidence.RoleOutside},
		{Index: 5, Name: "wg0", Kind: "tun", Up: true, Role: evidence.RoleWireGuard},
	}
	if f.late.Load() {
		links = append(links, evidence.Link{Index: 9, Name: "eth1", Up: true, Role: evidence.RoleOutside})
	}
	return host.Links{Links: links, Stats: []host.LinkStats{{Link: "eth0", Index: 2}},
		Sockets: []evidence.Socket{{Path: "/run/wireguard/wg0.sock", Device: "wg0"}}}, nil
}

func (f *fakeHost) Answers(questions []host.Question) (routes []evidence.Route, _ []evidence.Problem) {
	time.Sleep(f.busy)
	if f.hang != nil {
		<-f.hang
	}
	for _, q := range questions {
		routes = append(routes, evidence.Route{For: q.For, Mark: q.Mark, Link: "wg0"})
	}
	return routes, nil
}

func (*fakeHost) Tables([]evidence.Link, evidence.ReadRequest,
	int) ([]evidence.Route, []evidence.Inventory, []evidence.Problem) {
	return nil, []evidence.Inventory{{What: evidence.InventoryRoutes, Complete: true}}, nil
}

func (*fakeHost) Rules() ([]evidence.Rule, []evidence.Inventory, []evidence.Problem) {
	panic("a private thing: " + secret)
}

func (*fakeHost) Firewall(traffic filter.Traffic, _ []evidence.Link) ([]evidence.Firewall, []evidence.Problem) {
	return []evidence.Firewall{{Tool: "nftables", Port: traffic.Ports[0], Effect: "accept"}}, nil
}

func (*fakeHost) Diversions(
	[]evidence.Link, []netip.Prefix, []netip.Addr, *filter.Watch,
) ([]evidence.Diversion, []evidence.Inventory, []evidence.Problem) {
	return []evidence.Diversion{{By: "tc", Effect: evidence.EffectBPF, Link: "eth0"}},
		[]evidence.Inventory{{What: evidence.InventoryTC, Complete: true}}, nil
}

func (*fakeHost) Listen() *filter.Watch { return &filter.Watch{} }

// StackCounts rise by one with each reading.
func (f *fakeHost) StackCounts() host.StackCounts {
	return host.StackCounts{"UdpInCsumErrors": uint64(f.stack.Add(1))}
}

func (*fakeHost) Neighbours(hops []host.Hop, _ []evidence.Link) (all []evidence.Neighbour, _ []evidence.Problem) {
	for _, hop := range hops {
		all = append(all, evidence.Neighbour{Address: hop.Address, Link: hop.Link, State: "failed"})
	}
	return all, nil
}

func (*fakeHost) Watch([]netip.Prefix) (*host.Watch, error) { return &host.Watch{}, nil }

const secret = "c2VjcmV0"

// fakeDevices count up by one per reading.
type fakeDevices struct{ tx uint64 }

func (f *fakeDevices) Read(targets []device.Target) (device.Snapshot, []evidence.Problem) {
	f.tx++
	return device.Snapshot{
		Devices: []evidence.Device{{Name: targets[0].Name, Index: targets[0].Index, Port: 51820, Mark: 7, Peers: 1}},
		Peers: []evidence.Peer{{Device: targets[0].Name, PublicKey: "key", TX: f.tx, RX: f.tx,
			Endpoint: netip.MustParseAddrPort("127.0.0.1:51820")}},
	}, nil
}

// caught is more than the counters have moved when the capture ends.
const caught = 6

// fakeCapture sees every control but those on links that need a looped frame.
type fakeCapture struct {
	config  capture.Config
	looped  map[string]bool
	stopped atomic.Int32
}

func (f *fakeCapture) start(_ context.Context, config capture.Config) (Capture, error) {
	f.config, f.looped = config, make(map[string]bool)
	return f, nil
}
func (f *fakeCapture) Links() []string        { return []string{"eth0"} }
func (f *fakeCapture) Loop(link string) error { f.looped[link] = true; return nil }
func (f *fakeCapture) ControlLeft(int) bool   { return true }
func (f *fakeCapture) Delay() time.Duration   { return 0 }
func (f *fakeCapture) ControlsSeen() map[string]capture.Controls {
	return map[string]capture.Controls{"eth0": {TX: 0}}
}
func (f *fakeCapture) Stop(context.Context) []evidence.Message {
	f.stopped.Add(1)
	end := netip.MustParseAddrPort("127.0.0.1:51820")
	return []evidence.Message{
		{Capture: &evidence.Capture{Link: "eth0", Started: true, Alive: true}},
		{Tunnel: &evidence.Tunnel{Local: end, Remote: end, TX: evidence.Flow{Bytes: caught},
			RX: evidence.Flow{Bytes: caught}}},
	}
}
