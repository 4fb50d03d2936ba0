package status

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// row is one line of the table.
type row struct {
	cells  []string // as heads
	status verdict.Status
}

var heads = []string{
	"NODE / PEER", "PROBLEM", "INTERFACE", "KIND", "HANDSHAKE", "RECEIVED", "SENT", "RATE IN", "RATE OUT", "ENDPOINT",
	"ALLOWED IPS", "PUBLIC KEY",
}

func (c *Cluster) rows(o TableOptions) (rows []row) {
	every := o.All || c.count().peers <= fewPeers
	for _, n := range c.Nodes {
		if len(n.Devices) == 0 {
			rows = append(rows, nodeRow(n, c.codesOf(n)))
		}
		for _, d := range n.Devices {
			rows = append(rows, deviceRow(n, d, o.Wide))
			for _, p := range d.Peers {
				if every || p.Worst > verdict.Pass {
					rows = append(rows, peerRow(p, o.Wide))
				}
			}
		}
	}
	return rows
}

// codesOf are those of a node that has no device to mark.
func (c *Cluster) codesOf(n *Node) (codes []string) {
	for _, p := range c.Problems {
		if p.Subject.Node == n.Name {
			codes = withCode(codes, p.Code)
		}
	}
	return codes
}

func nodeRow(n *Node, codes []string) row {
	kind := "no device"
	if n.Lost != "" {
		kind = "not read"
	}
	return row{[]string{n.Name, joinedCodes(codes), "-", kind, "-", "-", "-", "-", "-", "-", "-", "-"}, n.Worst}
}

func deviceRow(n *Node, d *Device, wide bool) row {
	kind := d.Kind() + ", " + report.Count(len(d.Peers), "peer")
	if !d.Up {
		kind = d.Kind() + ", down"
	}
	sum := d.Sum()
	in, out := rates(sum.Rate)
	return row{[]string{
		n.Name, joinedCodes(d.Codes), d.Name, kind, "-", size(sum.RX), size(sum.TX), in, out,
		fmt.Sprintf("port %d", d.Port),
		"-", key(d.PublicKey, wide),
	}, d.Worst}
}

func peerRow(p *Peer, wide bool) row {
	handshake := "never"
	if p.Handshake != 0 {
		handshake = duration(time.Duration(p.Age)) + " ago"
	}
	in, out := rates(p.Rate)
	return row{[]string{
		"  " + cmp.Or(p.Node, "?"), joinedCodes(p.Codes), p.Device, "peer", handshake, size(p.RX), size(p.TX), in, out,
		endpoint(p), ranges(p, wide), key(p.PublicKey, wide),
	}, p.Worst}
}

func joinedCodes(codes []string) string {
	if len(codes) == 0 {
		return "-"
	}
	return strings.Join(codes, ",")
}

func key(public string, wide bool) string {
	switch {
	case public == "":
		return none
	case wide:
		return public
	}
	return short(public)
}

// ranges are a peer's allowed IPs, the first two of many unless the table is wide.
func ranges(p *Peer, wide bool) string {
	const shown = 2
	if wide || len(p.AllowedIPs) <= shown {
		return prefixes(p.AllowedIPs)
	}
	return fmt.Sprintf("%s and %d more", prefixes(p.AllowedIPs[:shown]), len(p.AllowedIPs)-shown)
}

func rates(r *Rate) (in, out string) {
	if r == nil {
		return "-", "-"
	}
	return rate(r.RX), rate(r.TX)
}
