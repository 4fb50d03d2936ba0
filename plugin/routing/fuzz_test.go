package routing

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Whatever a node says of itself: no panic, and a bounded walk whose samples
// take their ways.
func FuzzWalk(f *testing.F) {
	f.Add([]byte(`{"Rules":[{"family":4,"priority":50,"not":true,"mark":119,"mask":255,"table":77,"sourcePorts":{"from":1,"to":9}}],
		"Entries":[{"destination":"10.42.1.128/25","link":"eth0","table":77,"tos":16},{"destination":"10.42.0.0/16","link":"wg0","table":254,"hop":1},
		{"destination":"10.42.0.0/16","link":"eth0","table":254,"hop":2}],
		"Diversions":[{"by":"nftables","effect":"mark","hook":"prerouting","mark":119,"mask":255,"selector":{"protocol":[6],"target":[{"from":1,"to":80}]}}]}`))
	f.Add([]byte(`{"Rules":[{"family":4,"priority":1,"action":"goto","goto":1,"users":[0,0],"l3mdev":true,"suppressLength":0,"suppressGroup":1}],"Links":[{"name":"cni0","role":"inside","master":"cni0","kind":"vrf"}]}`))
	f.Fuzz(func(t *testing.T, said []byte) {
		var node struct {
			Rules      []*evidence.Rule
			Entries    []*evidence.Route
			Diversions []*evidence.Diversion
			Links      []*evidence.Link
		}
		if json.Unmarshal(said, &node) != nil {
			return
		}
		for _, family := range []int{4, 6} {
			h := Host{Family: family, Pods: []netip.Prefix{netip.MustParsePrefix("10.42.0.0/24")}, MarksRead: true}
			to := netip.MustParsePrefix("10.42.1.0/24")
			if family == 6 {
				h.Pods, to = []netip.Prefix{netip.MustParsePrefix("2001:db8:42::/64")},
					netip.MustParsePrefix("2001:db8:42:1::/64")
			}
			h.Rules, h.Entries, h.Diversions, h.Links = clean(node.Rules), clean(node.Entries), clean(node.Diversions),
				clean(node.Links)
			for _, own := range []bool{false, true} {
				h.Own = own
				plan := Compile(h)
				ways, _ := plan.Ways(to)
				if len(ways) > maxWays {
					t.Fatalf("%d ways", len(ways))
				}
				for i := range ways {
					w := &ways[i]
					if !w.To.Has(w.Sample.To) || w.Certainty != Doubtful && plan.meetsAll(&w.Sample, w.when) != yes {
						t.Fatalf("the sample %+v does not take its way", w.Sample)
					}
				}
				plan.Has(254, to, to.Addr())
				for _, d := range h.Diversions {
					plan.Touch(d, to)
				}
			}
		}
	})
}

// clean leaves out what JSON's null makes: a message has a value or is none.
func clean[T any](all []*T) (some []*T) {
	for _, one := range all {
		if one != nil {
			some = append(some, one)
		}
	}
	return some
}
