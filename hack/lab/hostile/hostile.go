// Package hostile is what scenarios do to a node beyond what its own programs can: changes of a WireGuard device's
// peers, a second WireGuard, and devices that only look like it. It runs inside of nodes, as `lab hostile`.
package hostile

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.zx2c4.com/wireguard/wgctrl"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"
)

// Change is what is done to the peer that has an allowed IP within Of.
type Change struct {
	Of       netip.Prefix
	Remove   bool
	Stale    bool           // its key becomes one that nobody holds
	Endpoint netip.AddrPort // zero leaves it
	Allowed  []netip.Prefix // replaces them if Replace is set, else is added
	Replace  bool
	PSK      string // base64
}

// Peer changes a peer of a device.
func Peer(device string, change Change) error {
	client, err := wgctrl.New()
	if err != nil {
		return fmt.Errorf("opening wgctrl: %w", err)
	}
	defer client.Close()
	found, err := client.Device(device)
	if err != nil {
		return fmt.Errorf("reading %s: %w", device, err)
	}
	peer, err := peerOf(found, change.Of)
	if err != nil {
		return err
	}
	config, err := change.config(peer)
	if err != nil {
		return err
	}
	if err := client.ConfigureDevice(device, wgtypes.Config{Peers: config}); err != nil {
		return fmt.Errorf("configuring %s: %w", device, err)
	}
	return nil
}

func peerOf(device *wgtypes.Device, of netip.Prefix) (wgtypes.Peer, error) {
	for _, peer := range device.Peers {
		for _, allowed := range peer.AllowedIPs {
			if addr, ok := netip.AddrFromSlice(allowed.IP); ok && of.Contains(addr.Unmap()) {
				return peer, nil
			}
		}
	}
	return wgtypes.Peer{}, fmt.Errorf("%s has no peer for %s", device.Name, of)
}

func (c Change) config(peer wgtypes.Peer) ([]wgtypes.PeerConfig, error) {
	config := wgtypes.PeerConfig{PublicKey: peer.PublicKey, UpdateOnly: true}
	switch {
	case c.Remove:
		config.Remove = true
		return []wgtypes.PeerConfig{config}, nil
	case c.Stale:
		config.Remove = true
		key, err := wgtypes.GeneratePrivateKey()
		if err != nil {
			return nil, fmt.Errorf("generating a key: %w", err)
		}
		return []wgtypes.PeerConfig{config, {
			PublicKey: key.PublicKey(), Endpoint: peer.Endpoint, AllowedIPs: peer.AllowedIPs,
			PersistentKeepaliveInterval: &peer.PersistentKeepaliveInterval,
		}}, nil
	}
	if c.PSK != "" {
		psk, err := wgtypes.ParseKey(c.PSK)
		if err != nil {
			return nil, fmt.Errorf("reading the preshared key: %w", err)
		}
		config.PresharedKey = &psk
	}
	if c.Endpoint.IsValid() {
		config.Endpoint = net.UDPAddrFromAddrPort(c.Endpoint)
	}
	config.ReplaceAllowedIPs = c.Replace
	for _, prefix := range c.Allowed {
		config.AllowedIPs = append(config.AllowedIPs, net.IPNet{
			IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen()),
		})
	}
	return []wgtypes.PeerConfig{config}, nil
}

// hold is the file that keeps a node's flannel from being started again.
const hold = "/run/lab/flannel.hold"

// stopFlannel ends the node's flannel and keeps it from coming back; its device goes with it.
func stopFlannel(ctx context.Context, device string) error {
	if err := os.WriteFile(hold, nil, 0o644); err != nil {
		return fmt.Errorf("holding flannel: %w", err)
	}
	text, err := os.ReadFile("/run/lab/flannel.pid")
	if err != nil {
		return fmt.Errorf("finding flannel: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("finding flannel: %w", err)
	}
	if process, err := os.FindProcess(pid); err == nil {
		_ = process.Kill() // it may have ended by itself
	}
	return gone(ctx, device)
}

func gone(ctx context.Context, device string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		if _, err := net.InterfaceByName(device); err != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not go: %w", device, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ip runs iproute2.
func ip(arguments ...string) error {
	said, err := exec.Command("ip", arguments...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(arguments, " "), err, said)
	}
	return nil
}

// ParseChange reads words such as `remove`, `stale`, `endpoint=192.0.2.77:51820`, `allowed=`, `add=10.42.1.0/25`, `psk=…`.
func ParseChange(of string, words []string) (Change, error) {
	prefix, err := netip.ParsePrefix(of)
	if err != nil {
		return Change{}, fmt.Errorf("reading whose peer it is: %w", err)
	}
	change := Change{Of: prefix}
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "remove":
			change.Remove = true
		case "stale":
			change.Stale = true
		case "endpoint":
			change.Endpoint, err = netip.ParseAddrPort(value)
		case "allowed", "add":
			change.Replace = name == "allowed"
			for text := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' }) {
				one, problem := netip.ParsePrefix(text)
				change.Allowed, err = append(change.Allowed, one), errors.Join(err, problem)
			}
		case "psk":
			_, err = base64.StdEncoding.DecodeString(value)
			change.PSK = value
		default:
			err = errors.New("no such change")
		}
		if err != nil {
			return change, fmt.Errorf("reading %q: %w", word, err)
		}
	}
	return change, nil
}
