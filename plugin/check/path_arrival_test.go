package check

import (
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A copy that the receiver makes of what came out of the tunnel is one as well.
func TestPathsAtArrival(t *testing.T) {
	s := healthy(2)
	s["probe/node-2"] = append(s["probe/node-2"],
		evidence.Message{Diversion: &evidence.Diversion{By: "nftables", Effect: "copy", Hook: "forward", To: "eth0",
			Selector: evidence.Selector{In: []string{"flannel-wg"}}}})
	if f := pathFinding(t, s); f.Status != verdict.Fail || f.Facts["node"] != "node-2" {
		t.Errorf("%s: %s", f.Status, f.Text)
	}
}

// What comes out of the tunnel is routed once more, by the receiver: it must stay
// there, whichever of its pods it is for.
func TestPathsBehindTheTunnel(t *testing.T) {
	away := past("0.0.0.0/0", 77)
	rule := func(r evidence.Rule) evidence.Message {
		r.Priority, r.Table = 50, 77
		return ruled(r)
	}
	database := evidence.Rule{In: "flannel-wg", Protocol: 6, TargetPorts: &evidence.Ports{From: 5432, To: 5432}}
	arrived := func(m *evidence.Message) {
		m.Run.Tries = []evidence.Try{{ID: 1, Node: 1, Target: 0, Family: 4, Transport: "tcp", Port: 5432}}
	}
	uplink := evidence.Message{
		Link: &evidence.Link{Index: 60, Name: "veth60", Kind: "veth",
			PeerNS: true, Up: true, Role: evidence.RoleOutside},
	}
	own := evidence.Message{Address: &evidence.Address{Link: "veth60", Prefix: cidr("198.51.100.1/24")}}
	route := func(to, link string) evidence.Message {
		return evidence.Message{Route: &evidence.Route{Destination: cidr(to), Link: link, Table: 254, Type: "unicast"}}
	}
	for _, test := range []struct {
		name    string
		run     func(*evidence.Message)
		with    []evidence.Message
		want    verdict.Status
		variant string
	}{
		{"nothing", nil, nil, verdict.Pass, ""},
		{"a rule for a part of the own pods", nil,
			[]evidence.Message{rule(evidence.Rule{To: cidr("10.42.0.128/25")}), away}, verdict.Fail, "rule"},
		{"a rule for what a part of the other pods send", nil,
			[]evidence.Message{rule(evidence.Rule{From: cidr("10.42.1.128/25")}), away}, verdict.Fail, "rule"},
		{"a rule for what comes out of the tunnel for a port", nil, []evidence.Message{rule(database), away},
			verdict.Inconclusive, "rule"},
		{"the same, and it arrived", arrived,
			[]evidence.Message{rule(database), away, {Tried: &evidence.Tried{ID: 1, Received: 1}}}, verdict.Pass, ""},
		{"a rule for what comes in by a card", nil, []evidence.Message{rule(evidence.Rule{In: "eth0"}), away},
			verdict.Pass, ""},
		{"a rule for what others send", nil,
			[]evidence.Message{rule(evidence.Rule{From: cidr("203.0.113.0/24")}), away}, verdict.Pass, ""},
		{"a route for one of the own pods", nil, []evidence.Message{past("10.42.0.77/32", 254)}, verdict.Fail, "route"},
		{"one for an address of the node", nil,
			[]evidence.Message{past("10.42.0.77/32", 254),
				{Address: &evidence.Address{Link: "cni0", Prefix: cidr("10.42.0.77/24")}}}, verdict.Pass, ""},
		{"a route for a part into an overlay", nil,
			[]evidence.Message{insideLink("vx", "vxlan"), route("10.42.0.128/25", "vx")}, verdict.Fail, "route"},
		{"a route for a part to another bridge", nil,
			[]evidence.Message{insideLink("br7", "bridge"), route("10.42.0.128/25", "br7")}, verdict.Pass, ""},
		{"a route for a part into the tunnel", nil, []evidence.Message{route("10.42.0.128/25", "flannel-wg")},
			verdict.Pass, ""},
		{"a link of a pod that was not proven", nil,
			[]evidence.Message{
				uplink, {
					Capture: &evidence.Capture{Link: "veth60", Role: evidence.RoleOutside, Started: true, Alive: true},
				}, route("10.42.0.9/32", "veth60"),
			}, verdict.Pass, ""},
		{"a pair that is a card", nil, []evidence.Message{uplink, own, route("10.42.0.9/32", "veth60")},
			verdict.Fail, "route"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := healthy(2)
			if test.run != nil {
				each(s["plugin"], func(m *evidence.Message) {
					if m.Run != nil {
						test.run(m)
					}
				})
			}
			for _, m := range test.with {
				stream := "probe/node-1"
				if m.Tried != nil {
					stream = "pod/node-1"
				}
				s[stream] = append(s[stream], m)
			}
			f := pathFindingOf(t, s, "node-2", "node-1")
			if f.Status != test.want || f.Variant != test.variant {
				t.Errorf("%s %q: %s, want %s %q", f.Status, f.Variant, f.Text, test.want, test.variant)
			}
		})
	}
}
