//go:build linux

package filter

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// virtualServers reads the virtual servers of IPVS that have addresses of pods, or
// a mark in the place of an address. They take packets that are for the host
// itself, as an address of a pod is if it was given to the host too, and send them
// to any other host.
func (r Reader) virtualServers([]evidence.Link) (found result, err error) {
	const limit = 1 << 22
	text, err := os.ReadFile(r.Root.Path("proc/thread-self/net/ip_vs"))
	if errors.Is(err, os.ErrNotExist) {
		return result{note: "ip_vs is not loaded"}, nil
	}
	if err != nil || len(text) > limit {
		return result{lacking: "the list of virtual servers is too long"}, err
	}
	for line := range strings.Lines(string(text)) {
		server, ok := parseVirtualServer(strings.Fields(line))
		if !ok {
			continue
		}
		found.count++
		to := server.Selector.To
		if len(to) > 0 && !slices.ContainsFunc(r.pods, to[0].Overlaps) {
			continue
		}
		found.diversions = append(found.diversions, server)
	}
	found.limit(maxDiversions, "virtual servers for pods")
	return found, nil
}

// parseVirtualServer reads a line as ip_vs_info_seq_show writes it: a protocol,
// address and port in hexadecimal, the scheduler; or FWM and a mark.
func parseVirtualServer(fields []string) (d evidence.Diversion, ok bool) {
	protocols := map[string]uint8{"TCP": unix.IPPROTO_TCP, "UDP": unix.IPPROTO_UDP, "SCTP": unix.IPPROTO_SCTP}
	if len(fields) < 3 {
		return d, false
	}
	d = evidence.Diversion{By: "ipvs", Effect: evidence.EffectDNAT, Hook: "input"}
	protocol, known := protocols[fields[0]]
	switch {
	case fields[0] == "FWM":
		mark, err := hex.DecodeString(fields[1])
		if err != nil || len(mark) != 4 {
			return d, false
		}
		d.Selector.MarkIs = binary.BigEndian.Uint32(mark)
		d.Selector.MarkMask = 0xffffffff
	case known:
		addr, port, ok := virtualAddress(fields[1])
		if !ok {
			return d, false
		}
		d.Selector.Protocol = []uint8{protocol}
		d.Selector.To = []netip.Prefix{netip.PrefixFrom(addr, addr.BitLen())}
		if port != 0 {
			d.Selector.Target = []evidence.Ports{{From: port, To: port}}
		}
	default:
		return d, false
	}
	d.Rule = shown(d.Selector, "virtual server")
	return d, true
}

// virtualAddress reads 0A2B0001:01BB or [2001:…:0001]:01BB.
func virtualAddress(text string) (addr netip.Addr, port uint16, ok bool) {
	at := strings.LastIndexByte(text, ':')
	if at < 0 {
		return addr, 0, false
	}
	number, err := hex.DecodeString(text[at+1:])
	if err != nil || len(number) != 2 {
		return addr, 0, false
	}
	port = binary.BigEndian.Uint16(number)
	if inner, found := strings.CutPrefix(text[:at], "["); found {
		addr, err = netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return addr, port, err == nil
	}
	octets, err := hex.DecodeString(text[:at])
	if err != nil || len(octets) != 4 {
		return addr, port, false
	}
	return netip.AddrFrom4([4]byte(octets)), port, true
}
