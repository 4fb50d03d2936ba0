package check

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func (v *view) absent(f *verdict.Focus) verdict.Outcome {
	from, to := f.Node, f.Peer
	if leaks := leaks(f); len(leaks) > 0 {
		if f.Quiet {
			return verdict.Outcome{Status: verdict.Fail}
		}
		return leaked(f.Case, "pod traffic from "+from.Name+" to "+to.Name, leaks)
	}
	if why := unsoundEnd(f); why != "" {
		return unknown("nothing was seen in clear, but %s", why)
	}
	if f.Sender.Sent == 0 {
		return unknown("%s sent nothing to %s that could have been seen", from.Name, to.Name)
	}
	return f.Say(verdict.Pass, func() string {
		frames, links := uint64(0), []string{}
		for _, n := range []*verdict.Node{from, to} {
			for _, l := range n.Outside() {
				frames += n.Capture(l.Name).Frames
				links = append(links, l.Name+" of "+n.Name)
			}
		}
		return fmt.Sprintf("0 of %d frames on %s", frames, list(links))
	})
}

func (v *view) strays(f *verdict.Focus) verdict.Outcome {
	if strays := offPodLinks(f.Case, f.Strays); len(strays) > 0 {
		return leaked(f.Case, "traffic with this run's mark", strays)
	}
	return pass("")
}

// leaked describes sightings, the most telling first.
func leaked(c *verdict.Case, what string, leaks []verdict.Leak) verdict.Outcome {
	leaks = slices.Clone(leaks)
	slices.SortStableFunc(leaks, func(a, b verdict.Leak) int {
		if a.By != b.By { // the mark is more telling than the addresses
			return -strings.Compare(a.By, b.By)
		}
		if a.Direction != b.Direction { // where it left is where it went wrong
			return -strings.Compare(a.Direction, b.Direction)
		}
		return int(int64(b.Count) - int64(a.Count))
	})
	first := leaks[0]
	total := uint64(0)
	readings := []verdict.Reading{}
	for i, leak := range leaks {
		total += leak.Count
		if i < 4 {
			readings = append(readings, verdict.Reading{
				Node: leak.On, What: fmt.Sprintf("%s %s, by %s", leak.Link, leak.Direction, leak.By),
				Text: fmt.Sprintf("%s: %s, %s → %s", plural(leak.Count, "frame"), leak.Layers, leak.OuterSource, leak.OuterTarget),
			})
		}
	}
	readings = append(readings, verdict.Reading{Node: first.On, What: "header of the first", Text: hex.EncodeToString(first.Sample)})
	way := map[string]string{evidence.DirectionTX: "leaving", evidence.DirectionRX: "arriving on"}[first.Direction]
	inside := encapsulation(first.Layers)
	how := "inside " + inside
	switch {
	case inside == "" && first.OuterSource.IsValid() && !ofPods(c, first.OuterSource) && !ofPods(c, first.OuterTarget):
		inside, how = "unknown", "inside packets between the nodes, in a format that is not known"
	case inside == "":
		inside, how = "bare", "without any encapsulation"
	}
	out := fail("%s crosses the wire in clear %s: seen %s, first %s %s of %s",
		what, how, plural(total, "time"), way, first.Link, first.On)
	out.Variant, out.Readings = strings.ToLower(inside), readings
	out.Facts = map[string]string{"node": first.On, "link": first.Link, "direction": first.Direction, "count": fmt.Sprint(total)}
	return out
}

// ofPods says whether an address is in some node's pod range.
func ofPods(c *verdict.Case, ip netip.Addr) bool {
	return slices.ContainsFunc(c.Nodes, func(n *verdict.Node) bool { return rangeOf(n, ip).IsValid() || slices.Contains(n.PodIPs, ip) })
}

// encapsulation names what wraps the pod's packet in a Layers text.
func encapsulation(layers string) string {
	names := []struct{ word, name string }{
		{"wireguard", "a datagram shaped like WireGuard"}, {"vxlan", "VXLAN"}, {"geneve", "Geneve"}, {"gre", "GRE"},
	}
	words := strings.Fields(layers)
	for _, n := range names {
		if slices.Contains(words, n.word) {
			return n.name
		}
	}
	ips := 0
	for _, word := range words {
		if word == "ipv4" || word == "ipv6" {
			ips++
		}
	}
	if ips > 1 {
		return "IP-in-IP"
	}
	return ""
}
