package preflight

import (
	"fmt"
	"net/netip"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Pair is what was found of one direction between two nodes, for one UDP port.
type Pair struct {
	verdict.Subject
	Port   uint16         `json:"port"`
	Addr   netip.Addr     `json:"address"` // to which it was sent
	Status verdict.Status `json:"status"`
	// Largest is the size of the largest IP packet that arrived, bytes.
	Largest int  `json:"largest,omitempty"`
	Needed  bool `json:"needed"` // the pods have this family
}

// Sizes are what the network between the nodes carries, in bytes.
type Sizes struct {
	Link   int `json:"link,omitempty"`   // the least MTU of a link that leaves a host
	Path   int `json:"path,omitempty"`   // the largest packet that arrived everywhere
	Tunnel int `json:"tunnel,omitempty"` // what remains for pods' packets
}

// overhead is what WireGuard adds to a packet over IPv6 at most: 40 bytes of IP, 8 of
// UDP, 16 of header and 16 of tag. Flannel reckons with it over IPv4 too.
const overhead = 80

// direction is one direction between two nodes and a port, with what both probes said.
type direction struct {
	from, to *graph.Node
	sent     *evidence.PortSent
	seen     *evidence.PortSeen
	use      *evidence.PortUse
}

// pairs judges all directions.
func (j *judging) pairs() {
	arrived := arrivals(j.Graph)
	for _, from := range j.Graph.Nodes {
		sent := map[sentKey]*evidence.PortSent{}
		for _, s := range from.PortsSent {
			sent[sentKey{s.Peer, s.Family}] = s
			to := j.Graph.At(s.Peer)
			j.direction(direction{from: from, to: to, sent: s, seen: arrived[arrival{to, from.Index, s.Port}]})
		}
		for _, to := range j.Graph.Nodes {
			for family, needed := range j.needed {
				if needed && to != from && sent[sentKey{to.Index, family}] == nil {
					j.unsent(from, to, family)
				}
			}
		}
	}
	for _, n := range j.Graph.Nodes {
		if mtu := linkMTU(n); mtu > 0 && (j.Sizes.Link == 0 || mtu < j.Sizes.Link) {
			j.Sizes.Link = mtu
		}
	}
	if j.Sizes.Path > 0 {
		j.Sizes.Tunnel = min(j.Sizes.Path, j.Sizes.Link) - overhead
	}
}

// arrival is where datagrams arrived, and from which node, by its index.
type arrival struct {
	at   *graph.Node
	from int
	port evidence.Port
}

// arrivals are what all probes saw arrive.
func arrivals(g *graph.Graph) map[arrival]*evidence.PortSeen {
	all := map[arrival]*evidence.PortSeen{}
	for _, n := range g.Nodes {
		for _, seen := range n.PortsSeen {
			all[arrival{n, seen.Peer, seen.Port}] = seen
		}
	}
	return all
}

type sentKey struct{ peer, family int }

// unsent says that nothing is known of a direction that pods need.
func (j *judging) unsent(from, to *graph.Node, family int) {
	subject := verdict.Subject{Node: from.Name, Peer: to.Name, Family: family}
	why := "the probe there did not say that it sent anything"
	if !j.end(to, family).IsValid() {
		why = "its IPv" + fmt.Sprint(family) + " address is not known"
	}
	out := verdict.Say(verdict.Inconclusive, "whether UDP from %s reaches %s is not known: %s", from.Name, to.Name, why)
	out.Variant = "untried"
	out.Facts = map[string]string{"node": to.Name, "peer": from.Name}
	j.say("WG0501", subject, out)
	j.Pairs = append(j.Pairs, Pair{Subject: subject, Status: out.Status, Needed: true})
}

func (j *judging) direction(d direction) {
	if d.to == nil || d.to == d.from {
		return // of no node of the run
	}
	for _, use := range d.to.PortUses {
		if use.Port == d.sent.Port {
			d.use = use
		}
	}
	pair := Pair{
		Subject: verdict.Subject{Node: d.from.Name, Peer: d.to.Name, Family: d.sent.Family},
		Port:    d.sent.Port.Port, Addr: d.sent.Addr, Status: verdict.Pass, Needed: j.needed[d.sent.Family],
	}
	switch {
	case d.seen != nil && d.seen.Count > 0:
		pair.Largest = d.seen.Largest
		pair.Status = j.fits(d, pair.Subject)
	case j.ofTunnel(d.to, d.use):
		pair.Status = verdict.NotApplicable // a verification proves it
	default:
		code, out := j.lost(d)
		if out.Status == verdict.Fail && !pair.Needed {
			out.Status = verdict.Warn
			out.Add("; no pod has an address of this family today")
		}
		pair.Status = out.Status
		j.say(code, pair.Subject, out)
	}
	j.Pairs = append(j.Pairs, pair)
}

// lost says why nothing arrived, what is certain first.
func (j *judging) lost(d direction) (code string, out verdict.Outcome) {
	const arrives = "WG0501"
	facts := map[string]string{
		"node": d.to.Name, "peer": d.from.Name, "port": fmt.Sprint(d.sent.Port.Port), "address": d.sent.Addr.String(),
		"version": fmt.Sprint(d.sent.Family),
	}
	what := fmt.Sprintf("UDP port %d of %s (%s) is not reached from %s", d.sent.Port.Port, d.to.Name, d.sent.Addr,
		d.from.Name)
	if d.use == nil || !d.use.Bound {
		out = verdict.Say(verdict.Inconclusive, "whether UDP port %d of %s is reached from %s is not known: the "+
			"probe could not bind it there", d.sent.Port.Port, d.to.Name, d.from.Name)
		out.Variant, out.Facts = "untried", facts
		return arrives, out
	}
	target := netip.AddrPortFrom(d.sent.Addr, d.sent.Port.Port)
	if found, known := check.Obstacle(d.from, d.to, d.source(), target); known {
		text := found.Text()
		found.Reword("%s: %s", what, text)
		return arrives, found
	}
	switch {
	case d.sent.Sent > 0 && behindGateway(d):
		out = verdict.Say(verdict.Fail,
			"%s: %s publishes a private address, to which %s has no route but its default one",
			what, d.to.Name, d.from.Name)
		out.Variant, out.Facts = "private", facts
		facts["device"] = "the tunnel"
		if j.serversUseExternal() && !external(d.to) {
			out.Variant = "external"
		}
		return "WG0306", out
	case d.sent.Sent == 0:
		out = verdict.Say(verdict.Fail, "%s: it could not be sent: %s", what, d.sent.Error)
		facts["node"], facts["peer"] = d.from.Name, d.to.Name
		out.Variant = "output"
	case !owns(d.to, d.sent.Addr):
		out = verdict.Say(verdict.Fail, "%s: %s does not have this address itself, so a NAT has to forward it",
			what, d.to.Name)
		out.Variant = "forwarded"
		if j.end(d.from, d.sent.Family) == d.sent.Addr {
			out.Variant = "hairpin"
		}
	default:
		out = verdict.Say(verdict.Fail, "%s: it was sent and did not arrive, and nothing on the two hosts was "+
			"found that drops it, so it is lost between them", what)
		out.Variant = "network"
	}
	out.Facts = facts
	return arrives, out
}

// source is the address that the sender's kernel sends from.
func (d *direction) source() netip.Addr {
	if way := d.from.RouteTo(d.sent.Addr); way != nil && way.Source.IsValid() {
		return way.Source
	}
	for _, link := range d.from.Outside() {
		for _, a := range d.from.Addresses {
			if addr := a.Prefix.Addr(); a.Link == link.Name && familyOf(addr) == d.sent.Family && !addr.IsLinkLocalUnicast() {
				return addr
			}
		}
	}
	return netip.Addr{}
}

// behindGateway reports whether the target is a private address that the sender
// reaches only by its default route, and not in its own network.
func behindGateway(d direction) bool {
	way := d.from.RouteTo(d.sent.Addr)
	byDefault := way != nil && way.Gateway.IsValid() && way.Destination.IsValid() && way.Destination.Bits() == 0
	return private(d.sent.Addr) && byDefault
}

// serversUseExternal reports whether the servers are configured to use the nodes'
// external addresses.
func (j *judging) serversUseExternal() bool {
	for _, n := range j.Graph.Nodes {
		if j.Profile.Configured(n).ExternalIP {
			return true
		}
	}
	return false
}

// external reports whether the API shows an external address of a node.
func external(n *graph.Node) bool {
	for _, a := range n.Node.Addresses {
		if a.Type == "ExternalIP" {
			return true
		}
	}
	return false
}

// fits judges whether an encrypted packet of full size passes.
func (j *judging) fits(d direction, subject verdict.Subject) verdict.Status {
	if j.Sizes.Path == 0 || d.seen.Largest < j.Sizes.Path {
		j.Sizes.Path = d.seen.Largest
	}
	link, needs := d.linkMTU(), j.fullSize(d)
	facts := map[string]string{
		"node": d.from.Name, "peer": d.to.Name,
		"mtu": fmt.Sprint(d.seen.Largest - overhead), "underlay": fmt.Sprint(d.seen.Largest),
	}
	switch {
	case link == 0 || d.seen.Largest >= needs:
		return verdict.Pass
	case d.sent.Largest < needs:
		out := verdict.Say(verdict.Inconclusive, "packets of %d bytes were not tried from %s to %s, whose link has an "+
			"MTU of %d", needs, d.from.Name, d.to.Name, link)
		out.Variant, out.Facts = "untried", facts
		j.say("WG0503", subject, out)
		return out.Status
	}
	out := verdict.Say(verdict.Fail, "packets of %d bytes arrive from %s at %s, larger ones do not: a tunnel by "+
		"the MTU of the link, %d, makes packets of %d bytes", d.seen.Largest, d.from.Name, d.to.Name, link, needs)
	out.Variant, out.Facts = "fits", facts
	if !j.needed[d.sent.Family] {
		out.Status = verdict.Warn
	}
	j.say("WG0503", subject, out)
	return out.Status
}

// fullSize is the size of an encrypted packet of full size, in bytes. Flannel
// subtracts 80 from the link's MTU, of which 20 are not used over IPv4.
func (j *judging) fullSize(d direction) int {
	const unused = 20
	if j.Profile.RunsAs != "calico" && d.sent.Family == 4 {
		return d.linkMTU() - unused
	}
	return d.linkMTU()
}

// linkMTU is the MTU of the link that leads to the other node, 0 if it is not known.
func (d *direction) linkMTU() int {
	if way := d.from.RouteTo(d.sent.Addr); way != nil {
		if link := d.from.Link(way.Link); link != nil {
			return link.MTU
		}
	}
	return linkMTU(d.from)
}
