//go:build linux

package agent

import (
	"context"
	"encoding/json"
	"net/netip"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/device"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/host"
)

func (s *session) hello(start *evidence.StartRequest) {
	hello := s.options.Host.System()
	hello.Schema, hello.Version = evidence.Schema, s.options.Version
	hello.Role, hello.Node, hello.Clock = start.Role, start.Node, time.Now().UnixNano()
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
	}
	links, problems := s.options.Host.Links(s.read.PodRanges)
	devices, deviceProblems := s.options.Devices.Read(targets(links))
	if request.Reading == evidence.ReadingAfter {
		for late := time.Now().Add(patience); s.counters.Behind(devices, s.tunnels) && time.Now().Before(late) && ctx.Err() == nil; {
			time.Sleep(pause)
			devices, deviceProblems = s.options.Devices.Read(targets(links))
		}
	}
	s.links, s.devices = links, devices
	s.counters.Take(request.Reading, devices)
	s.counted.Take(request.Reading, links.Stats)
	if s.watch != nil {
		s.watch.Drain()
	}
	switch request.Reading {
	case evidence.ReadingBefore:
		s.problem(problems...)
		s.problem(deviceProblems...)
		s.report(ctx)
	case evidence.ReadingAfter:
		s.problem(deviceProblems...)
		s.writePacked(s.counters.Messages())
		s.write(s.counted.Messages()...)
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
	}{{"route", s.tellRoutes}, {"rule", s.tellRules}, {"firewall", s.tellFirewall}, {"diversion", s.tellDiversions}} {
		if ctx.Err() != nil {
			s.problem(evidence.Problem{Class: evidence.ProblemTimeout, What: "read", Text: "not all could be read in time"})
			return
		}
		s.guard(collector.what, collector.report)
	}
}

func (s *session) tellRoutes() {
	answers, problems := s.options.Host.Answers(s.questions())
	s.problem(problems...)
	entries, inventories, problems := s.options.Host.Tables(s.links.Links, s.read, s.id.Index)
	s.problem(problems...)
	s.entries = entries
	var messages []evidence.Message
	for _, route := range append(answers, entries...) {
		messages = append(messages, evidence.Message{Route: &route})
	}
	s.writePacked(messages)
	s.inventory(inventories)
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

func (s *session) tellRules() {
	rules, inventories, problems := s.options.Host.Rules()
	s.problem(problems...)
	s.rules = rules
	for _, rule := range rules {
		s.write(evidence.Message{Rule: &rule})
	}
	s.inventory(inventories)
}

func (s *session) tellFirewall() {
	rules, problems := s.options.Filters.Firewall(s.devices.Ports())
	s.problem(problems...)
	for _, rule := range rules {
		s.write(evidence.Message{Firewall: &rule})
	}
}

func (s *session) tellDiversions() {
	s.diversions = map[string]bool{}
	s.inventory(s.newDiversions())
}

// newDiversions reports the statements that were not reported yet: at the last
// reading those that came while packets were watched.
func (s *session) newDiversions() []evidence.Inventory {
	found, inventories, problems := s.options.Filters.Diversions(s.links.Links)
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
