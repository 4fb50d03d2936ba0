package wire

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"slices"

	"golang.org/x/crypto/blake2s"
)

// mac1Label begins the key of mac1 (messages.h, wireguard-go noise-protocol.go
// WGLabelMAC1).
const mac1Label = "mac1----"

// receiver is one public key that handshakes may have been made for.
type receiver struct {
	public string   // base64, as it was given
	key    [32]byte // BLAKE2s-256(label || public key)
}

func newReceiver(public string) (receiver, error) {
	raw, err := base64.StdEncoding.DecodeString(public)
	if err != nil || len(raw) != 32 {
		return receiver{}, fmt.Errorf("%.64q is not a public key", public)
	}
	return receiver{public: public, key: blake2s.Sum256(append([]byte(mac1Label), raw...))}, nil
}

// made reports whether the handshake message b was made for this receiver: mac1 =
// BLAKE2s-128(key, everything before it), and mac2 is the last 16 bytes. It
// needs no secret, so it proves nothing about the sender.
func (r *receiver) made(b []byte) bool {
	if len(b) < 2*blake2s.Size128 {
		return false
	}
	h, err := blake2s.New128(r.key[:])
	if err != nil {
		return false
	}
	mac1 := len(b) - 2*blake2s.Size128
	h.Write(b[:mac1])
	return subtle.ConstantTimeCompare(h.Sum(nil), b[mac1:mac1+blake2s.Size128]) == 1
}

// macBudget bounds how many mac1 one report computes: seconds of work. A node
// of a cluster of 5,000 needs as many for each peer whose handshake it sent.
const macBudget = 1 << 25

// audience is who handshakes may have been made for. What arrives was made for
// this node's own few keys, so the last ones found are tried first.
type audience struct {
	receivers []receiver
	left      int
}

func newAudience(s *settings) *audience {
	return &audience{receivers: slices.Clone(s.receivers), left: macBudget}
}

// madeFor returns the public key whose owner a handshake message was made for,
// empty if that is none of the receivers.
func (a *audience) madeFor(b []byte) string {
	for i := range a.receivers {
		if a.left--; a.left < 0 {
			return ""
		}
		if found := a.receivers[i]; found.made(b) {
			copy(a.receivers[1:i+1], a.receivers[:i])
			a.receivers[0] = found
			return found.public
		}
	}
	return ""
}
