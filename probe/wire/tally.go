package wire

import (
	"errors"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Subject is what a tally must know of the run to tell frames apart.
type Subject struct {
	Mark [MarkSize]byte
	Key  []byte // the run's key: tells genuine marked headers from others
	// Pods are the test pods, whose flows must not be seen in clear.
	Pods []evidence.PodAddress
	// Keys are public keys to try a handshake's mac1 against, base64.
	Keys []string
	// Ports are the UDP ports of WireGuard in this cluster, local and remote.
	Ports []uint16
	// Sizes are lengths of data messages to count first.
	Sizes []int
}

// NewSubject takes a run's mark and key as the agent was told them.
func NewSubject(start evidence.StartRequest, request evidence.CaptureRequest) (Subject, error) {
	if len(start.Mark) != MarkSize || len(start.Key) == 0 {
		return Subject{}, errors.New("a run has a mark of 16 bytes and a key")
	}
	return Subject{
		Mark: [MarkSize]byte(start.Mark), Key: start.Key, Pods: request.Pods,
		Keys: request.Keys, Ports: request.Ports, Sizes: request.Sizes,
	}, nil
}

// Tally sums the frames of one capture window over all its links. Its links
// may be fed by one goroutine each at the same time.
type Tally struct{}

// NewTally makes an empty tally. It fails on a key that is no public key.
func NewTally(subject Subject) (*Tally, error) { return &Tally{}, nil }

// Link begins the account of one link. Each link is fed by one goroutine.
func (t *Tally) Link(name string, role evidence.LinkRole) *LinkTally { return &LinkTally{} }

// Messages returns the account as Capture, Tunnel, Sighting and Witness
// messages, each small enough to be encoded, in an order that depends only on
// what was seen. No link may be fed any more.
func (t *Tally) Messages() []evidence.Message { return nil }

// LinkTally is the account of one link.
type LinkTally struct{}

// Add counts one frame.
func (l *LinkTally) Add(frame Frame) {}

// Controls returns how many genuine controls were seen leaving and arriving so
// far, self-tests excluded. It may be called while the link is being fed.
func (l *LinkTally) Controls() (tx, rx uint32) { return 0, 0 }

// Socket is what only the reader of a link's socket knows of the capture.
type Socket struct {
	Started bool
	Alive   bool
	Drops   uint64
	Error   string
}

// Close ends the link's account with the socket's own.
func (l *LinkTally) Close(socket Socket) {}
