package evidence

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// MaxRequest is the largest encoded request in bytes. A request names every
// node of the run, a message never does.
const MaxRequest = 4 << 20

// Request is what the plugin asks of an agent, one per line on its stdin.
// Exactly one field besides ID is set. The agent answers with messages and then
// a Ready with the same ID; it works on one request at a time.
type Request struct {
	ID      uint32          `json:"id"`
	Start   *StartRequest   `json:"start,omitempty"`
	Read    *ReadRequest    `json:"read,omitempty"`
	Capture *CaptureRequest `json:"capture,omitempty"`
	Listen  *ListenRequest  `json:"listen,omitempty"`
	Send    *SendRequest    `json:"send,omitempty"`
	Control *ControlRequest `json:"control,omitempty"`
	Answer  *AnswerRequest  `json:"answer,omitempty"`
	Reach   *ReachRequest   `json:"reach,omitempty"`
	Live    *LiveRequest    `json:"live,omitempty"`
	Frames  *FramesRequest  `json:"frames,omitempty"`
	Serve   *ServeRequest   `json:"serve,omitempty"`
	Measure *MeasureRequest `json:"measure,omitempty"`
	Load    *LoadRequest    `json:"load,omitempty"`
	Stop    *StopRequest    `json:"stop,omitempty"`
	Devices *DevicesRequest `json:"devices,omitempty"`
	End     *EndRequest     `json:"end,omitempty"`
	Trial   *TrialRequest   `json:"trial,omitempty"`

	PortListen *PortListenRequest `json:"portListen,omitempty"`
	PortSend   *PortSendRequest   `json:"portSend,omitempty"`
	HostLogs   *HostLogsRequest   `json:"hostLogs,omitempty"`
}

// StartRequest opens a session: the agent answers with Hello. It carries the
// run's key, so it is never recorded.
type StartRequest struct {
	Schema string `json:"schema"`
	Role   string `json:"role"` // "probe", "pod", "trial" or "logs"
	Node   string `json:"node"`
	Index  int    `json:"index"` // of the agent's node
	Mark   []byte `json:"mark"`  // 16 random bytes in every canary and control
	Key    []byte `json:"key"`   // 32 random bytes that authenticate canaries and answers
}

// The variables that hold a run's mark and the key of its first packets, in hex,
// in a new pod. They come from a Secret: a pod's command can be read by all who
// may view pods.
const (
	EnvMark = "WG_PROBE_MARK"
	EnvKey  = "WG_PROBE_KEY"
)

// FirstKey derives from a run's key that of its first packets, which a new pod
// sends. Whoever may read the pod's Secret can forge first packets and nothing
// else.
func FirstKey(key []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("kubectl-wg first packets"))
	return h.Sum(nil)
}

// ReadRequest asks for the state of host and devices. Reading 0 answers with
// everything; readings 1 to 3 only take the counters, which the last reading
// reports for all four as Count.
type ReadRequest struct {
	Reading int `json:"reading"` // ReadingBefore … ReadingAfter
	// Destinations are the remote pods' addresses to ask the kernel's route for.
	Destinations []netip.Addr `json:"destinations,omitempty"`
	// PodRanges are the pod ranges of this node, to recognise its pods' links.
	PodRanges []netip.Prefix `json:"podRanges,omitempty"`
	// Ranges are the pod ranges of all nodes of the run: which entries of the
	// routing tables bear on them.
	Ranges []PodRange `json:"ranges,omitempty"`
	// Ports are UDP ports to read the rules of filters for, besides those of the
	// node's devices and their peers' endpoints.
	Ports []uint16 `json:"ports,omitempty"`
}

// CaptureRequest starts a capture on every outside and WireGuard link, and of the
// run's own packets on other tunnels.
type CaptureRequest struct {
	Pods []PodAddress `json:"pods"`           // every test pod of the run
	Keys []string     `json:"keys,omitempty"` // public keys to try a handshake's mac1 against, base64
	// Ports are UDP ports to read as WireGuard besides those of the node's own
	// devices and their peers' endpoints.
	Ports []uint16 `json:"ports,omitempty"`
	// Sizes are lengths of data messages to count first.
	Sizes []int `json:"sizes,omitempty"`
	// Ranges are the pod ranges of all nodes: a packet from one node's to
	// another's on an outside link is a leak, whosever it is.
	Ranges []PodRange `json:"ranges,omitempty"`
	// Buffer is how many bytes of frames each link's ring holds, 0 for the
	// default; the kernel rounds it to whole pages.
	Buffer int `json:"buffer,omitempty"`
}

// PodAddress is where one test pod lives.
type PodAddress struct {
	Index int          `json:"index"` // of its node
	IPs   []netip.Addr `json:"ips"`
}

// ListenRequest makes a pod's agent answer canaries over UDP and TCP.
type ListenRequest struct {
	Families []int `json:"families"`
	// Tries are those that are for this pod: their ports are listened on too,
	// where that is possible.
	Tries []Try `json:"tries,omitempty"`
}

// SendRequest makes a pod's agent send canaries to every target at once.
type SendRequest struct {
	Targets []Target `json:"targets"`
	Sizes   []int    `json:"sizes"` // UDP payload sizes, 0 = as large as the link takes
	// Attempts bounds how often an unanswered canary is sent, at least 1.
	Attempts int `json:"attempts"`
	// Timeout is how long to wait for an answer, milliseconds.
	Timeout int `json:"timeout"`
	// Rungs are UDP payload sizes to try where a canary of full size is not
	// answered and smaller ones are; only those between the two are sent.
	Rungs []int `json:"rungs,omitempty"`
	// Tries are those that this pod sends, after the other canaries.
	Tries []Try `json:"tries,omitempty"`
}

// Target is another pod's listener for one family.
type Target struct {
	Index int        `json:"index"`
	Addr  netip.Addr `json:"addr"`
	UDP   uint16     `json:"udp"`
	TCP   uint16     `json:"tcp"`
}

// ControlRequest makes a probe send its controls: some to the WireGuard
// endpoint of each peer, or to the given addresses where there is no peer, and
// a looped frame on each captured outside link that none of them left through.
type ControlRequest struct {
	Targets []ControlTarget `json:"targets"`
}

// ControlTarget is where a control goes.
type ControlTarget struct {
	Index    int            `json:"index"` // node index of the target
	Endpoint netip.AddrPort `json:"endpoint"`
}

// StopRequest ends what runs in the agent: a probe's captures, a pod's
// listener. Their results are written before the Ready.
type StopRequest struct{}

// DevicesRequest asks a probe for its WireGuard devices as they are now: a Link, a
// Device and a Peer for each, no column. It takes no reading, and may be made again
// and again; what it answers is not part of a proof.
type DevicesRequest struct{}

// EndRequest asks for Bye and the agent's exit.
type EndRequest struct{}

// ErrRequest is wrapped by every error of a request that cannot be read.
var ErrRequest = errors.New("unreadable request")

// EncodeRequest returns the request as one line of JSON.
func EncodeRequest(r *Request) ([]byte, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encoding request %d: %w", r.ID, err)
	}
	if len(line) > MaxRequest {
		return nil, fmt.Errorf("request %d of %d bytes is over the limit of %d", r.ID, len(line), MaxRequest)
	}
	return append(line, '\n'), nil
}

// ReadRequests calls handle for each request on r, in order, until r ends, the
// first unreadable request, or the first error of handle.
func ReadRequests(r io.Reader, handle func(*Request) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), MaxRequest+1)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var request Request
		if err := json.Unmarshal(lines.Bytes(), &request); err != nil {
			// The text of the error could quote the run's key; say only where.
			return fmt.Errorf("%w after %d bytes", ErrRequest, len(lines.Bytes()))
		}
		if err := handle(&request); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return nil
}
