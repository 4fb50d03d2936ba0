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

// parseAnswer reads the answer to "get=1" of the cross-platform interface,
// https://www.wireguard.com/xplatform/: lines key=value, a public_key line
// opening each peer. Secrets are never made a string.
func parseAnswer(answer []byte, now time.Time) (evidence.Device, []evidence.Peer, error) {
	device := evidence.Device{Userspace: true}
	var peers []evidence.Peer
	var seconds, nanoseconds int64
	finish := func() {
		if len(peers) > 0 && seconds > 0 {
			setHandshake(&peers[len(peers)-1], time.Unix(seconds, nanoseconds), now)
		}
		seconds, nanoseconds = 0, 0
	}
	for line := range bytes.SplitSeq(bytes.TrimSpace(answer), []byte("\n")) {
		key, value, ok := bytes.Cut(line, []byte("="))
		if !ok {
			return device, nil, fmt.Errorf("%w: a line without a value", errProtocol)
		}
		var err error
		switch name := string(key); name {
		case "private_key":
			device.PublicKey, err = publicOf(value)
		case "preshared_key":
			if len(peers) > 0 {
				peers[len(peers)-1].Preshared = len(bytes.Trim(value, "0")) > 0
			}
		case "public_key":
			finish()
			var public []byte
			if public, err = hex.DecodeString(string(value)); err == nil && len(public) == 32 {
				peers = append(peers, evidence.Peer{PublicKey: base64.StdEncoding.EncodeToString(public)})
			} else {
				err = errProtocol
			}
		case "listen_port":
			device.Port, err = number[uint16](value, 16)
		case "fwmark":
			device.Mark, err = number[uint32](value, 32)
		case "last_handshake_time_sec":
			seconds, err = number[int64](value, 63)
		case "last_handshake_time_nsec":
			nanoseconds, err = number[int64](value, 63)
		case "errno":
			if string(value) != "0" {
				err = errProtocol
			}
		default:
			if len(peers) > 0 {
				err = setPeer(&peers[len(peers)-1], name, value)
			}
		}
		if err != nil {
			return device, nil, fmt.Errorf("%w: a bad value", errProtocol)
		}
	}
	finish()
	return device, peers, nil
}

func setPeer(peer *evidence.Peer, name string, value []byte) (err error) {
	switch name {
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
