package device

import (
	"bytes"
	"crypto/ecdh"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// answer is the answer to "get=1" while it is read.
type answer struct {
	device evidence.Device
	peers  []evidence.Peer
	// The last handshake of the last peer.
	seconds, nanoseconds int64
}

// parseAnswer reads the answer to "get=1" of the cross-platform interface,
// https://www.wireguard.com/xplatform/: lines key=value, a public_key line
// opening each peer. Secrets are never made a string.
func parseAnswer(text []byte, now time.Time) (evidence.Device, []evidence.Peer, error) {
	a := answer{device: evidence.Device{Userspace: true}}
	for line := range bytes.SplitSeq(bytes.TrimSpace(text), []byte("\n")) {
		key, value, ok := bytes.Cut(line, []byte("="))
		if !ok {
			return a.device, nil, fmt.Errorf("%w: a line without a value", errProtocol)
		}
		if string(key) == "public_key" {
			a.finish(now)
		}
		if err := a.set(string(key), value); err != nil {
			return a.device, nil, fmt.Errorf("%w: a bad value", errProtocol)
		}
	}
	a.finish(now)
	return a.device, a.peers, nil
}

// finish completes the last peer.
func (a *answer) finish(now time.Time) {
	if len(a.peers) > 0 && a.seconds > 0 {
		setHandshake(&a.peers[len(a.peers)-1], time.Unix(a.seconds, a.nanoseconds), now)
	}
	a.seconds = 0
	a.nanoseconds = 0
}

// set takes one line.
func (a *answer) set(key string, value []byte) (err error) {
	switch key {
	case "private_key":
		a.device.PublicKey, err = publicOf(value)
	case "public_key":
		public, err := hex.DecodeString(string(value))
		if err != nil || len(public) != 32 {
			return errProtocol
		}
		a.peers = append(a.peers, evidence.Peer{PublicKey: base64.StdEncoding.EncodeToString(public)})
	case "listen_port":
		a.device.Port, err = number[uint16](value, 16)
	case "fwmark":
		a.device.Mark, err = number[uint32](value, 32)
	case "last_handshake_time_sec":
		a.seconds, err = number[int64](value, 63)
	case "last_handshake_time_nsec":
		a.nanoseconds, err = number[int64](value, 63)
	case "errno":
		if string(value) != "0" {
			err = errProtocol
		}
	default:
		if len(a.peers) > 0 {
			err = setPeer(&a.peers[len(a.peers)-1], key, value)
		}
	}
	return err
}

func setPeer(peer *evidence.Peer, name string, value []byte) (err error) {
	switch name {
	case "preshared_key":
		peer.Preshared = len(bytes.Trim(value, "0")) > 0
	case "endpoint":
		var endpoint netip.AddrPort
		endpoint, err = netip.ParseAddrPort(string(value))
		peer.Endpoint = netip.AddrPortFrom(endpoint.Addr().Unmap(), endpoint.Port())
	case "tx_bytes":
		peer.TX, err = number[uint64](value, 64)
	case "rx_bytes":
		peer.RX, err = number[uint64](value, 64)
	case "persistent_keepalive_interval":
		peer.Keepalive, err = number[int](value, 16)
	case "allowed_ip":
		var prefix netip.Prefix
		prefix, err = netip.ParsePrefix(string(value))
		peer.AllowedIPs = append(peer.AllowedIPs, prefix)
	}
	return err
}

func number[T int | int64 | uint16 | uint32 | uint64](value []byte, bits int) (T, error) {
	n, err := strconv.ParseUint(string(value), 10, bits)
	return T(n), err
}

// publicOf returns the public key, as base64, that belongs to a private key in
// hex, and keeps no copy of the latter; empty for the all-zero key.
func publicOf(secret []byte) (string, error) {
	var raw [32]byte
	defer clear(raw[:])
	if n, err := hex.Decode(raw[:], secret[:min(len(secret), 64)]); err != nil || n != 32 || len(secret) != 64 {
		return "", errProtocol
	}
	if raw == ([32]byte{}) {
		return "", nil
	}
	private, err := ecdh.X25519().NewPrivateKey(raw[:])
	if err != nil {
		return "", errProtocol
	}
	return base64.StdEncoding.EncodeToString(private.PublicKey().Bytes()), nil
}
