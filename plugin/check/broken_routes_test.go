package check

import (
	"net/netip"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// brokenRoutes are routes and rules that lead pods' packets past the tunnel, or nowhere.
var brokenRoutes = []breakage{
	{"the route leads past the tunnel", func(s map[string][]evidence.Message) {
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Route != nil && m.Route.For == podIP(1) {
				m.Route = &evidence.Route{For: podIP(1), Link: "flannel.1", Type: "unicast"}
			}
		})
		s["probe/node-1"] = append(s["probe/node-1"],
			evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx",
				Source: 0, Target: 1, Family: 4, By: "mark", Layers: "ethernet ipv4 udp:8472 vxlan ethernet ipv4 udp",
				Count: 7}})
	}, verdict.Failed, "WG0401"},
	{"a route that refuses", func(s map[string][]evidence.Message) {
		route(s["probe/node-1"], evidence.Route{For: podIP(1), Error: "invalid argument"})
		s["probe/node-1"] = append(s["probe/node-1"],
			entry("10.42.0.0/16", "flannel-wg", "unicast", 254), entry("10.42.1.0/24", "", "blackhole", 254))
		undelivered(s)
	}, verdict.Failed, "WG0401"},
	{"a route past the tunnel for a part of the pods, not for the test pod", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"],
			entry("10.42.0.0/16", "flannel-wg", "unicast", 254), entry("10.42.1.128/25", "eth0", "unicast", 254))
	}, verdict.Failed, "WG0401"},
	{"such a route in a table that no rule leads to", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"], entry("10.42.1.128/25", "eth0", "unicast", 77))
	}, verdict.Passed, ""},
	{"a route past the tunnel for a part of the own pods", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"], entry("10.42.0.128/25", "eth0", "unicast", 254))
	}, verdict.Failed, "WG0402"},
	{"a part of the pods is refused", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"], entry("10.42.1.128/25", "", "unreachable", 254))
	}, verdict.Failed, "WG0401"},
	{"no route into the tunnel", func(s map[string][]evidence.Message) {
		route(s["probe/node-1"], evidence.Route{For: podIP(1), Link: "eth0", Type: "unicast", Table: 254})
		s["probe/node-1"] = append(s["probe/node-1"], entry("0.0.0.0/0", "eth0", "unicast", 254))
		undelivered(s)
	}, verdict.Failed, "WG0401"},
	{"a rule that leads to another table", func(s map[string][]evidence.Message) {
		route(s["probe/node-1"], evidence.Route{For: podIP(1), Link: "eth0", Type: "unicast", Table: 52})
		s["probe/node-1"] = append(s["probe/node-1"],
			entry("10.42.0.0/16", "flannel-wg", "unicast", 254), entry("10.42.0.0/16", "eth0", "unicast", 52),
			evidence.Message{
				Rule: &evidence.Rule{Family: 4, Priority: 5210, To: netip.MustParsePrefix("10.42.0.0/16"), Table: 52},
			})
	}, verdict.Failed, "WG0401"},
}
