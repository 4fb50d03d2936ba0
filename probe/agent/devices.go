//go:build linux

package agent

import "github.com/kubectl-wg/kubectl-wg/probe/evidence"

// reportDevices reports the WireGuard devices as they are now. What the readings of
// a proof compare with stays as it is.
func (s *session) reportDevices() {
	links, problems := s.options.Host.Links(s.read.PodRanges)
	devices, deviceProblems := s.options.Devices.Read(targets(links))
	s.problem(problems...)
	s.problem(deviceProblems...)
	for _, link := range links.Links {
		if link.Role == evidence.RoleWireGuard {
			s.write(evidence.Message{Link: &link})
		}
	}
	s.write(devices.Messages()...)
}
