package evidence

import "net/netip"

// Columns say of many nodes or peers in one message what Peer, Count, Tunnel,
// Canary, Witness, Route and Control say of one: what is the same for all once,
// and what is not as lists of equal length. Package columns makes them, and turns
// them into the messages of single peers again. What does not fit a column, such
// as a peer whose counters went backwards, has a message of its own.

// Peers are peers of one device, numbered on from First. Peers that fit no
// column have no number.
type Peers struct {
	Device     string           `json:"device"`
	First      int              `json:"first"`
	Keepalive  int              `json:"keepalive,omitempty"`
	Preshared  bool             `json:"preshared,omitempty"`
	Clock      int64            `json:"clock,omitempty"` // of the reading, milliseconds since 1970
	Keys       []string         `json:"keys"`
	Endpoints  []netip.AddrPort `json:"endpoints"`
	AllowedIPs [][]netip.Prefix `json:"allowedIPs"`
	Ages       []int64          `json:"ages"` // of the last handshake, milliseconds; -1 = never
	TX         []uint64         `json:"tx"`
	RX         []uint64         `json:"rx"`
}

// Counts are how the counters of peers moved over the run. TX and RX have three
// figures for each peer: by how much each reading is above the one before.
type Counts struct {
	Device string  `json:"device"`
	Index  int     `json:"index"`
	First  int     `json:"first"` // number of the first peer, see Peers
	Clock  int64   `json:"clock,omitempty"`
	Ages   []int64 `json:"ages"`
	// Endpoints at the last reading, where it is not that of the first.
	Endpoints []netip.AddrPort `json:"endpoints,omitempty"`
	TX        []uint64         `json:"tx"`
	RX        []uint64         `json:"rx"`
}

// Tunnels are tunnels that are alike but for the other end and their sessions:
// each has one session in each direction, or none.
type Tunnels struct {
	Local   netip.AddrPort   `json:"local"`
	Links   []string         `json:"links"`
	TX      Flow             `json:"tx"`
	RX      Flow             `json:"rx"`
	Remotes []netip.AddrPort `json:"remotes"`
	// TXSessions and RXSessions have three figures for each remote: index and
	// lowest counter of the session in TX.Indices, RX.Indices, and by how much
	// the highest is above it.
	TXSessions []uint64 `json:"txSessions,omitempty"`
	RXSessions []uint64 `json:"rxSessions,omitempty"`
}

// Canaries are canaries with several nodes that are alike but for round trips.
type Canaries struct {
	Peers  Numbers     `json:"peers"`
	Family int         `json:"family"`
	First  uint32      `json:"first,omitempty"`
	Rows   []CanaryRow `json:"rows"` // without RTT
	// RTTs has, for each peer, the shortest round trip of the canaries but
	// UDP's and TCP's of full size, microseconds, 0 if none came back.
	RTTs []uint32 `json:"rtts"`
}

// SeenAlike counts marked frames of ordered pairs of nodes: from each source to
// each target, as many of each.
type SeenAlike struct {
	Sources Numbers `json:"sources"`
	Targets Numbers `json:"targets"`
	UDP     uint32  `json:"udp,omitempty"`
	TCP     uint32  `json:"tcp,omitempty"`
	ICMP    uint32  `json:"icmp,omitempty"`
	Control uint32  `json:"control,omitempty"`
	First   uint32  `json:"first,omitempty"`
	// The answers among them, see Seen.
	UDPAnswers   uint32 `json:"udpAnswers,omitempty"`
	TCPAnswers   uint32 `json:"tcpAnswers,omitempty"`
	ICMPAnswers  uint32 `json:"icmpAnswers,omitempty"`
	FirstAnswers uint32 `json:"firstAnswers,omitempty"`
}

// Routes are equal answers of the kernel for several destinations.
type Routes struct {
	Route
	To []netip.Addr `json:"to"`
}

// Controls are controls that were sent to the WireGuard endpoints of several
// nodes.
type Controls struct {
	Peers Numbers `json:"peers"`
	Sent  uint32  `json:"sent"` // to each
}
