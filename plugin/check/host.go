package check

import (
	"fmt"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func (v *view) deviceUp(n *graph.Node, family int) verdict.Outcome {
	if !v.intended() {
		return skip("%s has no WireGuard device of its own", v.Title)
	}
	if !hasFamily(n, family) {
		return skip("the pods on %s have no IPv%d addresses", n.Name, family)
	}
	if v.apart(n) {
		return skip("by design no traffic of the pods on %s is encrypted", n.Name)
	}
	carrier := n.Carrier(family)
	if v.Below != nil {
		return v.deviceBelow(n, carrier)
	}
	if carrier.Name != carrier.Expected {
		return carriedByAnother(n, carrier, family)
	}
	name := carrier.Name
	if name == "" {
		out := fail("%s has no tunnel for IPv%d: the network plugin is configured to encrypt the other family only",
			n.Name, family)
		out.Variant = fmt.Sprintf("ipv%d", family)
		out.Facts = map[string]string{"node": n.Name}
		return out
	}
	link := n.Link(name)
	facts := map[string]string{"node": n.Name, "device": name}
	switch {
	case link == nil:
		out := fail("%s has no %s", n.Name, name)
		out.Variant = "missing"
		out.Facts = facts
		facts["system"] = n.OSImage
		if n.Module != nil {
			out.Readings = append(out.Readings, verdict.Reading{Node: n.Name, What: "kernel module wireguard",
				Text: loaded(n.Module)})
		}
		if other := v.holdsPort(v.Graph, n, family); other != nil {
			out.Add(": the UDP port %d of its tunnel is taken by %s", other.Port, other.Name)
			out.Variant = "port"
			facts["link"] = other.Name
			out.After = ofTheRun
		}
		v.addThrown(&out, n, family)
		return out
	case link.Role != evidence.RoleWireGuard, link.Kind != "tun" && !isWireGuard(n, link):
		out := fail("%s of %s is a %s link, not WireGuard: %s", name, n.Name, kind(link), link.Why)
		out.Variant = "impostor"
		out.Facts = facts
		out.After = ofTheRun
		return out
	case !link.Up:
		out := fail("%s of %s is down", name, n.Name)
		out.Variant = "down"
		out.Facts = facts
		out.After = ofTheRun
		if other := sharesPort(n, name); other != nil {
			out.Add(": its UDP port %d is taken by %s", other.Port, other.Name)
			out.Variant = "port"
			facts["link"] = other.Name
			out.After = ofTheRun
		}
		return out
	}
	if assigned := v.Address(n, family); assigned.IsValid() && !slices.ContainsFunc(n.Addresses,
		func(a *evidence.Address) bool { return a.Link == name && a.Prefix.Addr() == assigned }) {
		out := warn("%s of %s has not the address %s that was assigned to it", name, n.Name, assigned)
		out.Variant = "unaddressed"
		out.Facts = facts
		return out
	}
	return pass("%s of %s is up, kind %s, MTU %d", name, n.Name, kind(link), link.MTU)
}

// carriedByAnother warns that another WireGuard link does the expected one's
// work. That it does all of it is for the checks of the wire to find.
func carriedByAnother(n *graph.Node, carrier *graph.Carrier, family int) verdict.Outcome {
	out := warn("%s has no %s: its %s saw the IPv%d traffic of the pods",
		n.Name, carrier.Expected, carrier.Name, family)
	if n.Link(carrier.Expected) != nil {
		out = warn("%s of %s saw no IPv%d traffic of the pods, its %s did",
			carrier.Expected, n.Name, family, carrier.Name)
	}
	out.Variant = "another"
	out.Facts = map[string]string{"node": n.Name, "device": carrier.Expected, "carrier": carrier.Name}
	return out
}

func (v *view) deviceRead(n *graph.Node, family int) verdict.Outcome {
	name := n.Carrier(family).Name
	if name == "" {
		return skip("no WireGuard device carries this node's pod traffic")
	}
	if d := n.Device(name); d != nil {
		how := "kernel"
		if d.Userspace {
			how = "userspace"
		}
		return pass("%s of %s was read: %s, UDP %d, %s", d.Name, n.Name, how, d.Port, plural(uint64(d.Peers), "peer"))
	}
	for _, p := range n.Problems {
		if p.What == "device" && (p.On == "" || p.On == name) {
			out := unknown("%s of %s could not be read: %s", name, n.Name, p.Text)
			out.Variant = string(p.Class)
			if link := n.Link(name); p.Class == evidence.ProblemTimeout && link != nil && link.Kind == "tun" &&
				v.cutOff(v.Graph, n, family) {
				out = fail("the program behind %s of %s does not answer on its control socket, and no pod reaches "+
					"another through it: it hangs", name, n.Name)
				out.Variant = "hangs"
				out.Facts = map[string]string{"node": n.Name, "device": name}
			}
			return out
		}
	}
	if n.Link(name) == nil && !v.Encrypts {
		return skip("no WireGuard device carries this node's pod traffic")
	}
	return unknown("%s of %s was not read", name, n.Name)
}

// cutOff reports whether no canary of this family arrived from or at the node,
// though some were sent.
func (v *view) cutOff(c *graph.Graph, n *graph.Node, family int) bool {
	sent := uint64(0)
	for _, other := range c.Nodes {
		if other == n {
			continue
		}
		for _, way := range [][2]*graph.Node{{n, other}, {other, n}} {
			sender, receiver := c.Canaries(way[0], way[1], family)
			sent += sender.UDP.Sent + sender.TCP.Sent
			if receiver.UDP.Received+receiver.TCP.Received > 0 {
				return false
			}
		}
	}
	return sent > 0
}

// holdsPort returns a WireGuard device of the node on the port that the other
// nodes' peers have for it, which the missing one needs.
func (v *view) holdsPort(c *graph.Graph, n *graph.Node, family int) *evidence.Device {
	key := v.Published(n, family)
	for _, other := range c.Nodes {
		peer := c.Peer(other, other.Carrier(family).Name, key)
		for _, d := range n.Devices {
			if peer != nil && d.Port == peer.Endpoint.Port() && d.Port != 0 {
				return d
			}
		}
	}
	return nil
}

// sharesPort returns another WireGuard device with the same port, of which
// only one can be up.
func sharesPort(n *graph.Node, name string) *evidence.Device {
	device := n.Device(name)
	for _, other := range n.Devices {
		if device != nil && other.Name != name && other.Port == device.Port {
			return other
		}
	}
	return nil
}

func kind(l *evidence.Link) string {
	if l.Kind == "" {
		return "hardware"
	}
	return l.Kind
}

func loaded(m *evidence.Module) string {
	if m.Loaded {
		return "loaded"
	}
	return "not loaded"
}
