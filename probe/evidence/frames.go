package evidence

import "net/netip"

// MaxFrameData is the most bytes of one frame that a Frame holds: encoded it fits
// into a message with all else that stands there.
const MaxFrameData = 5 << 10

// LiveRequest starts a live capture: frames are picked and kept until they are
// asked for by a FramesRequest. It comes after a ReadRequest, which finds the
// node's devices. It ends with a StopRequest.
type LiveRequest struct {
	// Links are the names of those to capture on; none for all that leave the host.
	Links []string `json:"links,omitempty"`
	// Ports are UDP ports to read as WireGuard besides those of the node's own
	// devices and their peers' endpoints.
	Ports []uint16 `json:"ports,omitempty"`
	// Ranges are the pod ranges of all nodes: what is a leak, as in a CaptureRequest.
	Ranges []PodRange `json:"ranges,omitempty"`
	// Pick says which frames are wanted. On links that do not leave the host, which
	// have no WireGuard messages, PickWireGuard is PickAll.
	Pick string `json:"pick"`
	// Ends picks only frames whose outermost IP addresses, one of them, or one of
	// the pods' behind them, are in these prefixes. The endpoints of peers whose
	// allowed IPs overlap with them count as well.
	Ends []netip.Prefix `json:"ends,omitempty"`
	// Without are TCP ports: outermost segments from or to one of them are not
	// picked. The capture itself travels there.
	Without []uint16 `json:"without,omitempty"`
	// Snap is how many bytes of a frame are kept at most, up to MaxFrameData; 0 is that.
	Snap int `json:"snap,omitempty"`
	// Payload keeps what stands behind the headers of a packet that is not WireGuard's.
	Payload bool `json:"payload,omitempty"`
}

// The values of LiveRequest.Pick.
const (
	PickWireGuard = "wireguard" // datagrams on WireGuard ports
	PickLeaks     = "leaks"     // from one node's pods to another's, in clear
	PickAll       = "all"
)

// FramesRequest asks for the frames that were picked since the last one, and what
// was counted, which are written before the Ready.
type FramesRequest struct {
	// Wait is how long to collect frames before answering, milliseconds, at most
	// MaxFramesWait. The answer comes earlier if there are many.
	Wait int `json:"wait"`
}

// MaxFramesWait bounds FramesRequest.Wait, milliseconds.
const MaxFramesWait = 5000

// Frame is one frame of a live capture. It is shown and written to a file, and
// is not evidence for a verdict.
type Frame struct {
	Link string `json:"link"`
	// Time is when the kernel saw it, nanoseconds since 1970 by the node's own clock.
	Time      int64  `json:"time"`
	Direction string `json:"direction"` // tx or rx
	Length    int    `json:"length"`    // of the whole frame, bytes
	// RawIP: it begins at the IP header, and not with an Ethernet header.
	RawIP bool `json:"rawIP,omitempty"`
	// WireGuard: it is a well-formed WireGuard message on a WireGuard port.
	WireGuard bool `json:"wireguard,omitempty"`
	// Leak says from which node's pods to which other's it is in clear; nil if it is not.
	Leak *FrameLeak `json:"leak,omitempty"`
	// Data is how the frame begins, at most MaxFrameData bytes, with the VLAN tag that
	// the kernel took off. Length counts that tag as well.
	Data []byte `json:"data"`
}

// FrameLeak are the two nodes of a leak, by index.
type FrameLeak struct {
	Source int `json:"source"`
	Target int `json:"target"`
}

// FrameCount is what a live capture has counted on one link so far.
type FrameCount struct {
	Link  string   `json:"link"`
	Role  LinkRole `json:"role"`
	RawIP bool     `json:"rawIP,omitempty"`
	// Seen are all frames that were looked at, Picked those of them that were wanted.
	Seen   uint64 `json:"seen"`
	Picked uint64 `json:"picked"`
	// Drops are frames that the kernel had no room for; whether they were wanted is
	// not known. Full are wanted ones that the probe had no room for, among Picked.
	Drops uint64 `json:"drops,omitempty"`
	Full  uint64 `json:"full,omitempty"`
	Error string `json:"error,omitempty"` // that ended the capture on this link early
}
