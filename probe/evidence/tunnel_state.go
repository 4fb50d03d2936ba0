package evidence

import "net/netip"

// Device is one WireGuard device as wgctrl reads it. Key material other than
// the public key is dropped by the reader and has no field here.
type Device struct {
	Name      string `json:"name"`
	Index     int    `json:"index"`               // link index; another index later means it was created again
	Userspace bool   `json:"userspace,omitempty"` // read through a UAPI socket, not from the kernel
	PublicKey string `json:"publicKey"`           // base64; empty when the device has no key
	Port      uint16 `json:"port"`                // UDP listen port
	Mark      uint32 `json:"mark,omitempty"`      // firewall mark of its outgoing packets
	Peers     int    `json:"peers"`               // number of peers, for completeness
}

// Peer is one peer of a device at the first reading. Allowed IPs that do not
// fit one message follow in further messages with the same device and key.
type Peer struct {
	Device     string         `json:"device"`
	PublicKey  string         `json:"publicKey"`
	Endpoint   netip.AddrPort `json:"endpoint,omitzero"` // last authenticated source, or as configured
	AllowedIPs []netip.Prefix `json:"allowedIPs,omitempty"`
	Keepalive  int            `json:"keepalive,omitempty"` // seconds, 0 = off
	Preshared  bool           `json:"preshared,omitempty"` // a preshared key is set; never which
	// Handshake is the wall clock of the reading node at the last completed
	// handshake, Age the time since then by the same clock; both nanoseconds.
	// Handshake 0 = never completed on this device.
	Handshake int64  `json:"handshake,omitempty"`
	Age       int64  `json:"age,omitempty"`
	TX        uint64 `json:"tx"` // bytes of WireGuard messages sent, UDP header excluded
	RX        uint64 `json:"rx"` // bytes of authenticated WireGuard messages received
}

// The four readings of a peer's byte counters, in time order. Between
// ReadingReady and ReadingDrained the canaries travelled and every capture was
// alive; before the captures began lies ReadingBefore, after their end
// ReadingAfter. So the captured sum S of a loss-free capture obeys
// Drained-Ready ≤ S ≤ After-Before, with no slack to choose.
const (
	ReadingBefore  = 0
	ReadingReady   = 1
	ReadingDrained = 2
	ReadingAfter   = 3
	Readings       = 4
)

// Count is how one peer's counters moved over the run.
type Count struct {
	Device    string           `json:"device"`
	Index     int              `json:"index"` // link index at the last reading
	PublicKey string           `json:"publicKey"`
	Endpoint  netip.AddrPort   `json:"endpoint,omitzero"` // at the last reading
	TX        [Readings]uint64 `json:"tx"`
	RX        [Readings]uint64 `json:"rx"`
	// Handshake and Age at the last reading, as in Peer.
	Handshake int64 `json:"handshake,omitempty"`
	Age       int64 `json:"age,omitempty"`
	// Readings counts how many of the four were taken with this peer present.
	Readings int `json:"readings"`
}

// Tunnel sums the WireGuard messages captured between two underlay UDP
// addresses on all outside links together, and on those tunnels into which the
// kernel sends them; a message seen on a bond and on its member counts once.
type Tunnel struct {
	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote"`
	Links  []string       `json:"links"` // where it was seen, at most 8
	TX     Flow           `json:"tx"`
	RX     Flow           `json:"rx"`
}

// Flow is one direction of a tunnel on the wire.
type Flow struct {
	Initiations uint64 `json:"initiations,omitempty"`
	Responses   uint64 `json:"responses,omitempty"`
	Cookies     uint64 `json:"cookies,omitempty"`
	Data        uint64 `json:"data,omitempty"`       // transport data messages that carry something
	Keepalives  uint64 `json:"keepalives,omitempty"` // transport data messages of exactly 32 bytes
	// Malformed counts datagrams between these two addresses that are no
	// WireGuard message. Of addresses between which nothing else was seen only
	// the first 64 have a Tunnel; the others' datagrams are in Capture.Classes.
	Malformed uint64 `json:"malformed,omitempty"`
	// Bytes sums the UDP payload of initiations, responses, data and
	// keepalives: what the kernel counts. DataBytes is the part of data and
	// keepalives, which only authenticated traffic adds to a receiver's counter.
	Bytes     uint64 `json:"bytes,omitempty"`
	DataBytes uint64 `json:"dataBytes,omitempty"`
	// Indices are the receiver indices used by data messages, at most 8.
	Indices []IndexRange `json:"indices,omitempty"`
	// Sizes counts data messages by UDP payload length, at most 48 different
	// lengths, those asked for first; the rest is in OtherSizes.
	Sizes      []SizeCount `json:"sizes,omitempty"`
	OtherSizes uint64      `json:"otherSizes,omitempty"`
	// Handshakes are the handshake messages with what their mac1 proves, at most 8.
	Handshakes []Handshake `json:"handshakes,omitempty"`
}

// IndexRange is the counter of one session in one direction. A sender starts
// at 0 and adds 1 per message, so nothing that leaves repeats one. On its way a
// network may: Repeats are in no other sum.
type IndexRange struct {
	Index    uint32 `json:"index"` // receiver index of the data messages
	Min      uint64 `json:"min"`   // lowest counter seen
	Max      uint64 `json:"max"`   // highest counter seen
	Messages uint64 `json:"messages"`
	Repeats  uint64 `json:"repeats,omitempty"`
}

// SizeCount is how many data messages had one UDP payload length.
type SizeCount struct {
	Size  int    `json:"size"`
	Count uint64 `json:"count"`
}

// Handshake is one captured initiation or response.
type Handshake struct {
	Type     int    `json:"type"` // 1 initiation, 2 response
	Sender   uint32 `json:"sender"`
	Receiver uint32 `json:"receiver,omitempty"` // responses only
	// For is the public key whose owner the message's mac1 was made for, found
	// among the keys in the agent's request; empty when none of them verifies.
	For string `json:"for,omitempty"`
}
