//go:build linux

package agent

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/capture"
	"github.com/kubectl-wg/kubectl-wg/probe/device"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// startLive begins a live capture on the links as they are now.
func (s *session) startLive(request *evidence.LiveRequest) {
	if s.live != nil {
		const text = "a live capture is already running"
		s.problem(evidence.Problem{Class: evidence.ProblemUnsupported, What: "live", Text: text})
		return
	}
	links, problems := s.options.Host.Links(s.read.PodRanges)
	s.problem(problems...)
	config := capture.Config{
		Links: links.Links, Addresses: links.Addresses, Devices: s.devices.Devices, Peers: s.devices.Peers,
		Request: evidence.CaptureRequest{Ports: request.Ports, Ranges: request.Ranges},
		Run:     s.id.Run, Node: s.id.Index,
	}
	wanted := *request
	wanted.Ends = withEndpoints(request.Ends, s.devices)
	running, err := s.options.Live(config, wanted)
	if err != nil {
		s.problem(evidence.Problem{Class: evidence.ProblemInternal, What: "live", Text: err.Error()})
		return
	}
	s.live = running
}

// withEndpoints adds to prefixes the endpoints of the peers whose allowed IPs
// overlap with them: where a peer is reached that has an address of its own there.
func withEndpoints(ends []netip.Prefix, devices device.Snapshot) []netip.Prefix {
	ends = slices.Clone(ends)
	for _, end := range slices.Clone(ends) {
		for _, peer := range devices.Peers {
			address := peer.Endpoint.Addr().Unmap()
			if address.IsValid() && slices.ContainsFunc(peer.AllowedIPs, end.Overlaps) {
				ends = append(ends, netip.PrefixFrom(address, address.BitLen()))
			}
		}
	}
	return ends
}

// frames writes what a live capture has picked since the last time.
func (s *session) frames(ctx context.Context, request *evidence.FramesRequest) {
	if s.live == nil {
		const text = "no live capture is running"
		s.problem(evidence.Problem{Class: evidence.ProblemUnsupported, What: "frames", Text: text})
		return
	}
	wait := min(max(request.Wait, 0), evidence.MaxFramesWait)
	s.writeFrames(s.live.Take(ctx, time.Duration(wait)*time.Millisecond))
}

// endLive ends a live capture and writes what is left of it.
func (s *session) endLive(ctx context.Context) {
	if s.live != nil {
		s.writeFrames(s.live.Stop(ctx))
		s.live = nil
	}
}

func (s *session) writeFrames(frames []evidence.Frame, counts []evidence.FrameCount) {
	for i := range frames {
		s.write(evidence.Message{Frame: &frames[i]})
	}
	for i := range counts {
		counts[i].Error = oneLine(counts[i].Error)
		s.write(evidence.Message{FrameCount: &counts[i]})
	}
}
