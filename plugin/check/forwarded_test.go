package check

import (
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// forwardRule is a rule of node-2's iptables-nft in the forward hook.
func forwardRule(effect, rule string, when evidence.Selector) evidence.Message {
	return rewritten(inputRule(effect, "FORWARD", rule, when), func(f *evidence.Firewall) {
		f.Base, f.Hook = "FORWARD", "forward"
	})
}

// What pods send is dropped by a rule, a policy, a NetworkPolicy, or by what is
// not known; only what certainly drops it is blamed.
func TestForwarded(t *testing.T) {
	accepts := forwardRule("accept", "ip saddr 10.42.0.0/16 accept", evidence.Selector{From: prefixes("10.42.0.0/16")})
	kubeRouter := forwardRule("present", "jump KUBE-ROUTER-FORWARD", evidence.Selector{})
	for _, test := range []struct {
		name    string
		rules   []evidence.Message
		variant string
		says    string
		node    string // fact
	}{
		{"nothing", nil, "behind", "they leave flannel-wg of node-2 and do not reach the pod", "node-2"},
		{"a rule",
			[]evidence.Message{
				forwardRule("drop", "ip daddr 10.42.1.0/24 drop", evidence.Selector{To: prefixes("10.42.1.0/24")}),
			},
			"forward-iptables-rule", "a firewall rule of node-2 drops them (chain ip filter FORWARD)", "node-2"},
		{"a rule for all but TCP",
			[]evidence.Message{
				forwardRule("drop", "meta l4proto != tcp drop", evidence.Selector{Protocol: []byte{17}}),
			},
			"forward-iptables-rule", "a firewall rule of node-2 drops them", "node-2"},
		{"a rule for others",
			[]evidence.Message{
				forwardRule("drop", "ip saddr 172.17.0.0/16 drop", evidence.Selector{From: prefixes("172.17.0.0/16")}),
			},
			"behind", "", "node-2"},
		{"a policy", []evidence.Message{policy("FORWARD")}, "forward-policy",
			"the firewall of node-2 drops what it forwards and nothing accepts", "node-2"},
		{"a policy, and Flannel's accept", []evidence.Message{accepts, policy("FORWARD")}, "behind", "", "node-2"},
		{"network policies", []evidence.Message{kubeRouter, accepts},
			"policies", "node-2 enforces network policies (chain KUBE-ROUTER-FORWARD)", "node-2"},
		{"network policies before a policy", []evidence.Message{kubeRouter, policy("FORWARD")}, "policies",
			"one may select the test pods", "node-2"},
		{"a rule before network policies",
			[]evidence.Message{forwardRule("drop", "drop", evidence.Selector{}), kubeRouter},
			"forward-iptables-rule", "", "node-2"},
		{"a rule that is not understood",
			[]evidence.Message{forwardRule("drop", "(ct state) drop", evidence.Selector{Other: []string{"ct state"}})},
			"doubtful", "may drop them", "node-2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := healthy(3)
			undelivered(s)
			s["probe/node-2"] = append(s["probe/node-2"], test.rules...)
			f := Judge(record(t, s)).FirstCause
			if f == nil || f.Code != "WG0502" || f.Variant != test.variant || !strings.Contains(f.Text, test.says) ||
				f.Facts["node"] != test.node {
				t.Fatalf("%+v", f)
			}
			narrow := f.Facts["there"] == "10.42.0.0/24" && f.Facts["here"] == "10.42.1.0/24" &&
				f.Facts["handle"] == "7"
			behind := test.name == "a rule before network policies" // an accept before it would go past them
			if commands := f.Variant == "forward-iptables-rule" && !behind; commands != narrow &&
				f.Variant != "forward-policy" {
				t.Errorf("facts %v", f.Facts)
			}
			if hint, ok := remedy.For(*f, remedy.K3s); behind && (!ok || len(hint.Steps) > 0) {
				t.Errorf("prints %+v", hint.Steps)
			}
		})
	}
}
