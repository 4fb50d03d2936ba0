// Package capture reads every frame of a host's links through packet sockets
// of its own and feeds them to a wire.Tally. It is the only package that opens
// a packet socket. It changes nothing on the host; the one frame it ever sends
// is the looped control, addressed to the sending link itself.
package capture

import (
	"context"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Config is what a capture needs to know.
type Config struct {
	// Links of the host; those that are up and have role outside or wireguard
	// are captured.
	Links []evidence.Link
	// Devices and Peers of the node: their ports are read as WireGuard.
	Devices []evidence.Device
	Peers   []evidence.Peer
	Request evidence.CaptureRequest
	Start   evidence.StartRequest
}

// Controls counts the genuine controls seen on a link, self-tests excluded.
type Controls struct{ TX, RX uint32 }

// Session is a running capture.
type Session struct{}

// Start opens a socket on each link to capture and returns once every one of
// them has seen its self-test or given up (Capture.Started says which). It
// only fails as a whole when the request makes no sense; a link that cannot be
// captured becomes a Problem and a Capture with an Error. The sockets belong
// to the network namespace of the calling thread.
func Start(ctx context.Context, config Config) (*Session, error) { return &Session{}, nil }

// Links returns the names of the outside links that are being captured, in
// the order of Config: those that each need a control.
func (s *Session) Links() []string { return nil }

// Loop sends one looped control on an Ethernet link: a frame of ethertype
// 0x88B5 from the link to its own address, with a genuine KindControl header.
// The capture sees it as transmitted; Controls counts it.
func (s *Session) Loop(link string) error { return nil }

// ControlsSeen returns what was seen so far, by link.
func (s *Session) ControlsSeen() map[string]Controls { return nil }

// Stop ends the capture after everything queued until now was read, or when
// ctx ends, and returns its whole account. A second call returns the same.
func (s *Session) Stop(ctx context.Context) []evidence.Message { return nil }
