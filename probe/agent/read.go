//go:build linux

package agent

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/device"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence/columns"
	"github.com/kubectl-wg/kubectl-wg/probe/filter"
	"github.com/kubectl-wg/kubectl-wg/probe/host"
)

func (s *session) hello(start *evidence.StartRequest) {
	hello := s.options.Host.System()
	hello.Schema = evidence.Schema
	hello.Version = s.options.Version
	hello.Role = start.Role
	hello.Node = start.Node
	hello.Clock = time.Now().UnixNano()
	s.netns = hello.NetNS
	s.write(evidence.Message{Hello: &hello})
}

// A message is on the wire before the device that sent it has counted it, and
// before the one that it is for has: on a busy host a process can be kept from
// that for a while. The last reading waits for it, for at most patience.
const (
	patience = 500 * time.Millisecond
	pause    = 20 * time.Millisecond
)

// readState takes a reading: the first reports everything, the others take the
// counters, which the last reports for all four.
func (s *session) readState(ctx context.Context, request *evidence.ReadRequest) {
	if request.Reading < 0 || request.Reading >= evidence.Readings {
		s.problem(evidence.Problem{Class: evidence.ProblemUnsupported, What: "read", Text: "there is no such reading"})
		return
	}
	if request.Reading == evidence.ReadingBefore {
		s.read = *request
		s.packer = columns.Packer{} // what is reported again refers to nothing before
		s.endChanges()
		s.changes = s.options.Filters.Listen()
	}
	links, problems := s.options.Host.Links(s.read.PodRanges)
	devices, deviceProblems := s.options.Devices.Read(targets(links))
	if request.Reading == evidence.ReadingAfter {
		late := time.Now().Add(patience)
		for s.counters.Behind(devices, s.tunnels) && time.Now().Before(late) && ctx.Err() == nil {
			time.Sleep(pause)
			devices, deviceProblems = s.options.Devices.Read(targets(links))
		}
	}
	s.links = links
	s.devices = devices
	s.counters.Take(request.Reading, devices)
	s.counted.Take(request.Reading, links.Stats)
	if s.watch != nil {
		s.watch.Drain()
	}
	switch request.Reading {
	case evidence.ReadingBefore:
		s.problem(problems...)
		s.problem(deviceProblems...)
		s.stack = s.options.Host.StackCounts()
		s.report(ctx)
	case evidence.ReadingAfter:
		s.problem(deviceProblems...)
		s.writePacked(s.counters.Messages())
		s.write(s.counted.Messages()...)
		s.reportDropped()
		s.endWatch()
	default:
		s.problem(deviceProblems...)
	}
}

// targets are the links that are WireGuard, with the socket of those that are
// so in userspace.
func targets(links host.Links) []device.Target {
	var list []device.Target
	for _, link := range links.Links {
		if link.Role != evidence.RoleWireGuard {
			continue
		}
		target := device.Target{Name: link.Name, Index: link.Index}
		for _, socket := range links.Sockets {
			if link.Kind != "wireguard" && socket.Device == link.Name {
				target.Socket = socket.Path
			}
		}
		list = append(list, target)
	}
	return list
}

// report writes everything about the host and its devices, and stops between two
// collectors when ctx ended.
func (s *session) report(ctx context.Context) {
	reader := s.options.Host
	module := reader.Module()
	s.write(evidence.Message{Module: &module})
	for _, link := range s.links.Links {
		s.write(evidence.Message{Link: &link})
	}
	for _, address := range s.links.Addresses {
		s.write(evidence.Message{Address: &address})
	}
	for _, socket := range s.links.Sockets {
		s.write(evidence.Message{Socket: &socket})
	}
	s.writePacked(s.devices.Messages())
	for _, collector := range []struct {
		what   string
		report func()
	}{
		{"route", s.reportRoutes},
		{"rule", s.reportRules},
		{"firewall", s.reportFirewall},
		{"diversion", s.reportDiversions},
	} {
		if ctx.Err() != nil {
			s.problem(evidence.Problem{Class: evidence.ProblemTimeout, What: "read",
				Text: "not all could be read in time"})
			return
		}
		s.guard(collector.what, collector.report)
	}
}

// reportDropped reports what shows at the end of a run that datagrams of the tunnel
// were dropped: counters of the network stack, next hops that do not answer.
func (s *session) reportDropped() {
	for _, count := range s.options.Host.StackCounts().Rises(s.stack) {
		s.write(evidence.Message{StackCount: &count})
	}
	neighbours, problems := s.options.Host.Neighbours(s.hops, s.links.Links)
	s.problem(problems...)
	for _, neighbour := range neighbours {
		s.write(evidence.Message{Neighbour: &neighbour})
	}
}

func (s *session) reportRoutes() {
	answers, problems := s.options.Host.Answers(s.questions())
	s.problem(problems...)
	s.routing = s.read
	s.routing.Destinations = slices.Clone(s.read.Destinations)
	for _, endpoint := range s.devices.Endpoints() {
		s.routing.Destinations = append(s.routing.Destinations, endpoint.Addr.Addr())
	}
	s.hops = hopsTo(s.devices.Endpoints(), answers)
	s.inner = innerPorts(s.links.Links, s.devices, answers)
	entries, inventories, problems := s.options.Host.Tables(s.links.Links, s.routing, s.id.Index)
	s.problem(problems...)
	s.entries = entries
	var messages []evidence.Message
	for _, route := range append(answers, entries...) {
		messages = append(messages, evidence.Message{Route: &route})
	}
	s.writePacked(messages)
	s.inventory(inventories)
}

// hopsTo are the next hops on the kernel's ways to endpoints.
func hopsTo(endpoints []device.Endpoint, answers []evidence.Route) (hops []host.Hop) {
	for _, answer := range answers {
		isEndpoint := slices.ContainsFunc(endpoints, func(e device.Endpoint) bool {
			return e.Addr.Addr() == answer.For && e.Mark == answer.Mark
		})
		hop := host.Hop{Address: answer.Gateway, Link: answer.Link}
		if !hop.Address.IsValid() {
			hop.Address = answer.For
		}
		if isEndpoint && hop.Link != "" && !slices.Contains(hops, hop) {
			hops = append(hops, hop)
		}
	}
	return hops
}

// innerPorts are, by the name of a tunnel's link, the ports of the WireGuard
// devices to whose peers the kernel's way leads into that tunnel, in order.
func innerPorts(links []evidence.Link, devices device.Snapshot, answers []evidence.Route) map[string][]uint16 {
	into := make(map[host.Question]string)
	for _, answer := range answers {
		into[host.Question{For: answer.For, Mark: answer.Mark}] = answer.Link
	}
	inner := make(map[string][]uint16)
	for _, d := range devices.Devices {
		for _, peer := range devices.Peers {
			link := into[host.Question{For: peer.Endpoint.Addr(), Mark: d.Mark}]
			if peer.Device == d.Name && link != d.Name && d.Port != 0 && isTunnel(links, link) &&
				!slices.Contains(inner[link], d.Port) {
				inner[link] = append(inner[link], d.Port)
			}
		}
	}
	for _, ports := range inner {
		slices.Sort(ports)
	}
	return inner
}

// isTunnel reports whether a link of that name is WireGuard's or another tunnel.
func isTunnel(links []evidence.Link, name string) bool {
	return slices.ContainsFunc(links, func(l evidence.Link) bool {
		return l.Name == name && (l.Role == evidence.RoleWireGuard || evidence.OtherTunnel(&l))
	})
}

// questions are the destinations as asked and the endpoints of all peers, those
// with the mark of their device's ciphertext.
func (s *session) questions() []host.Question {
	seen := make(map[host.Question]bool)
	var list []host.Question
	ask := func(addr netip.Addr, mark uint32) {
		question := host.Question{For: addr, Mark: mark}
		if addr.IsValid() && !seen[question] {
			seen[question] = true
			list = append(list, question)
		}
	}
	for _, destination := range s.read.Destinations {
		ask(destination, 0)
	}
	for _, endpoint := range s.devices.Endpoints() {
		ask(endpoint.Addr.Addr(), endpoint.Mark)
	}
	return list
}

func (s *session) reportRules() {
	rules, inventories, problems := s.options.Host.Rules()
	s.problem(problems...)
	s.rules = rules
	for _, rule := range rules {
		s.write(evidence.Message{Rule: &rule})
	}
	s.inventory(inventories)
}

// maxPorts bounds the ports that rules are read for.
const maxPorts = 64

func (s *session) reportFirewall() {
	traffic := filter.Traffic{Ports: s.devices.Ports(), Pods: slices.Clone(s.read.PodRanges)}
	for _, endpoint := range s.devices.Endpoints() { // what leaves is for the ports of others
		if port := endpoint.Addr.Port(); !slices.Contains(traffic.Ports, port) && len(traffic.Ports) < maxPorts {
			traffic.Ports = append(traffic.Ports, port)
		}
	}
	for _, port := range s.read.Ports {
		if !slices.Contains(traffic.Ports, port) && len(traffic.Ports) < maxPorts {
			traffic.Ports = append(traffic.Ports, port)
		}
	}
	for _, pods := range s.read.Ranges {
		traffic.Pods = append(traffic.Pods, pods.Prefixes...)
	}
	rules, problems := s.options.Filters.Firewall(traffic, s.links.Links)
	s.problem(problems...)
	for _, rule := range rules {
		s.write(evidence.Message{Firewall: &rule})
	}
}

func (s *session) reportDiversions() {
	s.diversions = map[string]bool{}
	s.inventory(s.newDiversions())
}

// newDiversions reports the statements that were not reported yet: at the last
// reading those that came since the first, and those that came and went.
func (s *session) newDiversions() []evidence.Inventory {
	pods := slices.Clone(s.read.PodRanges)
	for _, others := range s.read.Ranges {
		pods = append(pods, others.Prefixes...)
	}
	found, inventories, problems := s.options.Filters.Diversions(s.links.Links, pods, s.read.Destinations, s.changes)
	s.problem(problems...)
	for _, diversion := range found {
		key, err := json.Marshal(diversion)
		if err != nil || s.diversions[string(key)] {
			continue
		}
		s.diversions[string(key)] = true
		s.write(evidence.Message{Diversion: &diversion})
	}
	return inventories
}

// inventory writes how much of what was read, bounded like the text of a problem.
func (s *session) inventory(inventories []evidence.Inventory) {
	for _, inventory := range inventories {
		inventory.Text = oneLine(inventory.Text)
		s.write(evidence.Message{Inventory: &inventory})
	}
}
