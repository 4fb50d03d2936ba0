package evidence

import "net/netip"

// Canary is what one test pod knows of its traffic with another, for one
// address family. Rows has one entry per transport and size.
type Canary struct {
	Peer   int         `json:"peer"`   // index of the other node, see Node
	Family int         `json:"family"` // 4 or 6
	Rows   []CanaryRow `json:"rows"`
	// First counts the first packets that came from the new pod on Peer, each
	// once.
	First uint32 `json:"first,omitempty"`
}

// CanaryRow counts canaries of one transport and size. Answers are
// authenticated with the run's key, so a middlebox cannot give them.
//
// Each attempt is a canary of its own, with a sequence of its own. Received
// counts each canary once, so that the other pod's Sent is never less. Answered
// counts a canary once, and none that was repeated twice: the first answer ends
// the attempts, a later one is not counted. So at least Answered answers came
// back, and at least as many of this pod's canaries arrived at the other.
type CanaryRow struct {
	Transport string `json:"transport"` // udp, tcp, icmp
	Size      int    `json:"size"`      // payload bytes above UDP, TCP or the ICMP echo header
	Sent      uint32 `json:"sent"`      // sent by this pod to Peer, repeats included
	Answered  uint32 `json:"answered"`  // genuine answers that came back
	Received  uint32 `json:"received"`  // genuine canaries that came from Peer; 0 for icmp, which the kernel answers
	// RTT is the shortest round trip in microseconds, 0 if none came back.
	RTT   uint32 `json:"rtt,omitempty"`
	Error string `json:"error,omitempty"` // the last error of sending, e.g. "message too long"
	// PathMTU is how large a packet to Peer may be, bytes, as this pod's kernel was told when one of
	// this size was sent (ICMP "fragmentation needed", "packet too big"); 0 if it was not.
	PathMTU int `json:"pathMTU,omitempty"`
}

// Fastest is the shortest round trip of canaries but UDP's and TCP's of full
// size, microseconds; 0 if none came back.
func Fastest(rows []CanaryRow) (shortest uint32) {
	full := FullSize(rows)
	for _, row := range rows {
		if row.RTT > 0 && (shortest == 0 || row.RTT < shortest) && (row.Transport == "icmp" || row.Size != full) {
			shortest = row.RTT
		}
	}
	return shortest
}

// FullSize is the largest size of UDP canaries.
func FullSize(rows []CanaryRow) (size int) {
	for _, row := range rows {
		if row.Transport == "udp" {
			size = max(size, row.Size)
		}
	}
	return size
}

// Capture is what one packet socket captured over its life. On a WireGuard
// link the kernel's filter lets in little but the run's own packets, so that
// no count of it says anything of others' traffic.
type Capture struct {
	Link string   `json:"link"`
	Role LinkRole `json:"role"`
	// Started is true once the socket was bound and saw its self-test; Alive
	// is true if it was still reading when it was stopped.
	Started bool   `json:"started"`
	Alive   bool   `json:"alive"`
	Frames  uint64 `json:"frames"`
	Bytes   uint64 `json:"bytes"`
	// The same of what left, as the link counts it: frames after segmentation
	// by the card count as one. What arrived is the rest.
	TXFrames uint64 `json:"txFrames,omitempty"`
	TXBytes  uint64 `json:"txBytes,omitempty"`
	// Drops are frames that the kernel could not queue, or queued and nobody
	// read (PACKET_STATISTICS).
	Drops uint64 `json:"drops"`
	// Truncated frames were longer than what was copied, so that a mark could
	// have been missed.
	Truncated uint64 `json:"truncated"`
	// Classes counts frames by what they are: wireguard, vxlan, geneve, …
	Classes map[string]uint64 `json:"classes,omitempty"`
	// ControlTX, ControlRX count control datagrams seen leaving and arriving.
	ControlTX uint32 `json:"controlTX"`
	ControlRX uint32 `json:"controlRX"`
	// Error ended the capture early.
	Error string `json:"error,omitempty"`
}

// The directions of a frame.
const (
	DirectionTX = "tx" // leaving this host through the link
	DirectionRX = "rx" // arriving
)

// How pod traffic in clear is recognised in a frame.
const (
	LeakedByMark = "mark" // the run's random mark, anywhere in the frame
	LeakedByFlow = "flow" // the two pods' addresses as an IP header has them
	// LeakedByRange: a decoded IP header from one node's pod range to another's.
	LeakedByRange = "range"
)

// Sighting is pod traffic seen in clear on an outside link: a leak. Equal
// samples are summed.
type Sighting struct {
	Link      string `json:"link"`
	Direction string `json:"direction"` // tx or rx
	Source    int    `json:"source"`    // node index of the pod that sent it
	Target    int    `json:"target"`    // node index of the pod it is for
	Family    int    `json:"family"`
	By        string `json:"by"` // mark, flow or range
	// First reports whether it is of the first packets of a new pod, or their answers.
	First bool `json:"first,omitempty"`
	// Class says that it is a packet of that class, and no pod's canary; Answer that it
	// answers one. Source and Target are then the nodes of whoever sent it and is to
	// get it. Whether it is a leak depends on what the network promises.
	Class  Class `json:"class,omitempty"`
	Answer bool  `json:"answer,omitempty"`
	// Layers is what the frame is made of, outermost first, with UDP ports:
	// "ethernet ipv4 udp:8472 vxlan ethernet ipv4 udp".
	Layers string `json:"layers"`
	// Of a leak by range: the pods' own packet. Ports are 0 where it has none,
	// or where they were not captured.
	InnerSource netip.Addr `json:"innerSource,omitzero"`
	InnerTarget netip.Addr `json:"innerTarget,omitzero"`
	Protocol    uint8      `json:"protocol,omitempty"` // IP protocol number
	SourcePort  uint16     `json:"sourcePort,omitempty"`
	TargetPort  uint16     `json:"targetPort,omitempty"`
	// Outer are the outermost IP addresses.
	OuterSource netip.Addr `json:"outerSource,omitzero"`
	OuterTarget netip.Addr `json:"outerTarget,omitzero"`
	Count       uint64     `json:"count"`
	// Sample is the head of the first such frame, at most 160 bytes, cut
	// behind the mark: headers, never a payload of anyone else.
	Sample []byte `json:"sample,omitempty"`
}

// Witness is the marked traffic seen in clear where it may be: canaries on a
// WireGuard link or on another tunnel (OtherTunnel), controls on an outside link;
// one direction and family, at most 64 pairs per message.
type Witness struct {
	Link      string `json:"link"`
	Direction string `json:"direction"` // tx enters the tunnel here, rx leaves it
	Family    int    `json:"family"`
	Seen      []Seen `json:"seen,omitempty"`
	// Alike are pairs of which as much was seen, instead of Seen.
	Alike []SeenAlike `json:"alike,omitempty"`
}

// Seen counts what was seen of one ordered pair of nodes: marked packets that
// travelled from the pod on Source to that on Target.
//
// From minor version 1 on UDP, TCP, ICMP and First count packets, not frames:
// each canary, answer and first packet once, whatever was repeated of it, be it
// by TCP or by the network. Of TCP that is a canary or answer of which at least
// the first header was seen. Each attempt to send a canary is a canary of its own,
// as it is in CanaryRow.Sent and Received. So what arrived of a transport and a
// kind is at most what was seen of it on each of the two WireGuard links, where
// all of it went through the tunnel.
//
// Minor version 0 counts frames.
type Seen struct {
	Source int    `json:"source"`
	Target int    `json:"target"`
	UDP    uint32 `json:"udp,omitempty"`
	TCP    uint32 `json:"tcp,omitempty"`
	ICMP   uint32 `json:"icmp,omitempty"`
	// The answers among UDP, TCP and ICMP. Until minor version 1 they were not
	// counted apart, and no reply of ICMP was counted at all.
	UDPAnswers  uint32 `json:"udpAnswers,omitempty"`
	TCPAnswers  uint32 `json:"tcpAnswers,omitempty"`
	ICMPAnswers uint32 `json:"icmpAnswers,omitempty"`
	// First counts first packets of the new pod on Source or Target.
	First uint32 `json:"first,omitempty"`
	// FirstAnswers are the answers among First; not counted apart until minor
	// version 1.
	FirstAnswers uint32 `json:"firstAnswers,omitempty"`
	// Control counts control datagrams of the probe on Source to Target.
	Control uint32 `json:"control,omitempty"`
}

// Control is marked cleartext sent on purpose outside the tunnel, some datagrams
// from several source ports, repeated while none of them is seen leaving:
// to a peer's WireGuard endpoint, so along the path of the ciphertext, or, on a
// link no peer is reached through, a looped frame to the link's own address.
type Control struct {
	Link   string         `json:"link,omitempty"` // for a looped frame; otherwise the route decides
	Peer   int            `json:"peer"`           // node index of the target, -1 for a looped frame
	Target netip.AddrPort `json:"target,omitzero"`
	Sent   uint32         `json:"sent"` // datagrams or frames
	Error  string         `json:"error,omitempty"`
}

// Ready says that a request was carried out and that all its messages were
// written.
type Ready struct {
	Request uint32 `json:"request"` // Request.ID
	What    string `json:"what"`    // the name of the request's field
	// Ports are what Listen, Answer or Serve bound, by "udp4", "tcp4", "udp6", "tcp6".
	Ports map[string]uint16 `json:"ports,omitempty"`
	// Took is how long the agent worked on the request, milliseconds: what the
	// plugin waited for beyond that was lost on the way.
	Took int64 `json:"took,omitempty"`
}
