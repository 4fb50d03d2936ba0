package wire

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"

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
		return receiver{}, fmt.Errorf("%.64q is no public key", public)
	}
	return receiver{public: public, key: blake2s.Sum256(append([]byte(mac1Label), raw...))}, nil
}

// made says whether the handshake message b was made for this receiver: mac1 =
// BLAKE2s-128(key, everything before it), and mac2 is the last 16 bytes. It
// needs no secret, so it says nothing about the sender.
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
