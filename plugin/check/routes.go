package check

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// routeChecks are WG04xx: where the kernel sends the pods' packets.
func (v view) routeChecks() []verdict.Check {
	return []verdict.Check{{
		Code: "WG0401", Title: "the route to the other nodes' pods leads into the tunnel",
		Why:   "A healthy tunnel that no route leads into encrypts nothing. A more specific route, left over from another backend or added by another network, wins over the tunnel's without a word.",
		Reads: "the kernel's own answer for the pod's address (RTM_GETROUTE), then the routing tables to explain it",
		Scope: verdict.PerPair, Needs: []verdict.Need{verdict.NeedProbe},
		After: []string{"WG0103", "WG0101", "WG0104", "WG0201"}, Judge: v.route,
	}}
}

func (v view) route(c *verdict.Case, s verdict.Subject) verdict.Outcome {
	from, to := c.Node(s.Node), c.Node(s.Peer)
	device := v.Device(from, s.Family)
	ip := to.PodIP(s.Family)
	answer := from.Answers[ip]
	switch {
	case !v.Encrypts && device == "":
		return skip("%s does not route pod traffic into a tunnel of its own", v.Title)
	case !ip.IsValid():
		return unknown("the test pod on %s has no IPv%d address", to.Name, s.Family)
	case answer == nil:
		return unknown("the kernel of %s was not asked for its route to %s", from.Name, ip)
	case answer.Link == device:
		return pass("%s reaches %s through %s", from.Name, ip, device)
	}
	facts := map[string]string{"node": from.Name, "peer": to.Name, "device": device, "link": answer.Link}
	if answer.Link == "" {
		out := fail("%s has no route to %s, a pod on %s: %s%s", from.Name, ip, to.Name, answer.Error, answer.Type)
		out.Variant, out.Facts = "none", facts
		return out
	}
	out := fail("%s sends what is for %s, a pod on %s, through %s and not into %s", from.Name, ip, to.Name, answer.Link, device)
	out.Facts = facts
	out.Readings = append(out.Readings, verdict.Reading{Node: from.Name, What: "ip route get " + ip.String(), Text: describe(answer)})
	winner := &evidence.Route{}
	for _, entry := range from.Table {
		if !entry.Destination.IsValid() || !entry.Destination.Contains(ip) || entry.Destination.Bits() == 0 {
			continue
		}
		out.Readings = append(out.Readings, verdict.Reading{Node: from.Name, What: "routing table", Text: describe(entry)})
		if entry.Link == answer.Link && (!winner.Destination.IsValid() || entry.Destination.Bits() > winner.Destination.Bits()) {
			winner = entry
		}
	}
	if winner.Destination.IsValid() {
		facts["route"] = winner.Destination.String()
		out.Text += fmt.Sprintf(": the route %s over %s is the more specific one", winner.Destination, winner.Link)
	}
	if link := from.Link(answer.Link); link != nil {
		facts["kind"] = kind(link)
		out.Variant = kind(link)
		out.Readings = append(out.Readings, verdict.Reading{Node: from.Name, What: "link " + link.Name, Text: kind(link) + ", " + string(link.Role)})
	}
	slices.SortStableFunc(out.Readings[1:], func(a, b verdict.Reading) int { return strings.Compare(a.Text, b.Text) })
	return out
}

func describe(r *evidence.Route) string {
	text := "default"
	switch {
	case r.For.IsValid():
		text = r.For.String()
	case r.Destination.IsValid() && r.Destination != netip.PrefixFrom(r.Destination.Addr(), 0):
		text = r.Destination.String()
	}
	if r.Type != "" && r.Type != "unicast" {
		text = r.Type + " " + text
	}
	if r.Gateway.IsValid() {
		text += " via " + r.Gateway.String()
	}
	if r.Link != "" {
		text += " dev " + r.Link
	}
	if r.Table != 0 && r.Table != 254 { // RT_TABLE_MAIN
		text += fmt.Sprintf(" table %d", r.Table)
	}
	return text
}
