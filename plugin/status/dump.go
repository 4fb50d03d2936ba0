package status

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Dump writes a line for each device and each peer, with the fields of `wg show all
// dump` in their order (wireguard-tools, show.c, dump_print), after the node's name.
// A key that is set and secret is "(hidden)". Devices and peers are in the order in
// which the node reported them, nodes in that of the API.
func (c *Cluster) Dump(w io.Writer) error {
	var text strings.Builder
	nodes := slices.SortedFunc(slices.Values(c.Nodes), func(a, b *Node) int { return cmp.Compare(a.place, b.place) })
	for _, n := range nodes {
		devices := slices.SortedFunc(slices.Values(n.Devices), byKindAndPlace)
		for _, d := range devices {
			line(&text, n.Name, d.Name, secret(d.PublicKey != ""), cmp.Or(d.PublicKey, none),
				strconv.Itoa(int(d.Port)), mark(d.Mark))
			peers := slices.SortedFunc(slices.Values(d.Peers), func(a, b *Peer) int { return cmp.Compare(a.place, b.place) })
			for _, p := range peers {
				line(&text, n.Name, d.Name, p.PublicKey, secret(p.Preshared), endpoint(p), prefixes(p.AllowedIPs),
					strconv.FormatInt(p.Handshake/int64(time.Second), 10), strconv.FormatUint(p.RX, 10),
					strconv.FormatUint(p.TX, 10), keepalive(p.Keepalive))
			}
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

const none = "(none)"

// byKindAndPlace puts userspace devices first, as wg lists them.
func byKindAndPlace(a, b *Device) int {
	first := func(d *Device) int {
		if d.Userspace {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(first(a), first(b)), cmp.Compare(a.place, b.place))
}

// line writes fields between tabs, none of which has one.
func line(text *strings.Builder, fields ...string) {
	for i, field := range fields {
		if i > 0 {
			text.WriteByte('\t')
		}
		text.WriteString(clean(field))
	}
	text.WriteByte('\n')
}

func secret(isSet bool) string {
	if isSet {
		return "(hidden)"
	}
	return none
}

func mark(mark uint32) string {
	if mark == 0 {
		return "off"
	}
	return fmt.Sprintf("0x%x", mark)
}

func keepalive(seconds int) string {
	if seconds == 0 {
		return "off"
	}
	return strconv.Itoa(seconds)
}

// endpoint is where a peer is, in the words of wg.
func endpoint(p *Peer) string {
	if !p.Endpoint.IsValid() {
		return none
	}
	return p.Endpoint.String()
}

func prefixes(all []netip.Prefix) string {
	if len(all) == 0 {
		return none
	}
	texts := make([]string, len(all))
	for i, p := range all {
		texts[i] = p.String()
	}
	return strings.Join(texts, ",")
}
