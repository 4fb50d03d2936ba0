//go:build linux

package host

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Each selector that a policy routing rule can have, in a namespace without links
// but lo, and what is reported of it as JSON without the family.
var ruleSelectors = []struct{ add, want string }{
	{"to 10.42.1.0/24 lookup 77", `{"priority":50,"to":"10.42.1.0/24","table":77,"action":"lookup"}`},
	{"from 10.42.0.0/25 lookup 77", `{"priority":50,"from":"10.42.0.0/25","table":77,"action":"lookup"}`},
	{"not from 10.42.0.0/16 lookup 77",
		`{"priority":50,"not":true,"from":"10.42.0.0/16","table":77,"action":"lookup"}`},
	{"fwmark 0x77 lookup 77", `{"priority":50,"mark":119,"mask":4294967295,"table":77,"action":"lookup"}`},
	{"fwmark 0x100000/0x100000 lookup 77",
		`{"priority":50,"mark":1048576,"mask":1048576,"table":77,"action":"lookup"}`},
	{"fwmark 0/0xff lookup 77", `{"priority":50,"mask":255,"table":77,"action":"lookup"}`},
	{"iif cni0 lookup 77", `{"priority":50,"table":77,"action":"lookup","in":"cni0","detached":true}`},
	{"iif lo lookup 78", `{"priority":50,"table":78,"action":"lookup","in":"lo"}`},
	{"oif eth9 lookup 77", `{"priority":50,"table":77,"action":"lookup","out":"eth9"}`},
	{"tos 0x10 lookup 77", `{"priority":50,"table":77,"action":"lookup","tos":16}`},
	{"dscp 46 lookup 77", `{"priority":50,"table":77,"action":"lookup","dscp":46}`},
	{"ipproto tcp dport 5432 lookup 77",
		`{"priority":50,"table":77,"action":"lookup","protocol":6,"targetPorts":{"from":5432,"to":5432}}`},
	{"ipproto udp sport 1000-2000 lookup 77",
		`{"priority":50,"table":77,"action":"lookup","protocol":17,"sourcePorts":{"from":1000,"to":2000}}`},
	{"uidrange 1000-1999 lookup 77", `{"priority":50,"table":77,"action":"lookup","users":[1000,1999]}`},
	{"lookup 77 suppress_prefixlength 0", `{"priority":50,"table":77,"action":"lookup","suppressLength":0}`},
	{"lookup 77 suppress_ifgroup 3", `{"priority":50,"table":77,"action":"lookup","suppressGroup":3}`},
	{"l3mdev", `{"priority":50,"action":"lookup","l3mdev":true}`},
	{"goto 32766", `{"priority":50,"action":"goto","goto":32766}`},
	{"blackhole", `{"priority":50,"action":"blackhole"}`},
	{"unreachable", `{"priority":50,"action":"unreachable"}`},
	{"prohibit", `{"priority":50,"action":"prohibit"}`},
	{"nop", `{"priority":50,"action":"nop"}`},
	{"tun_id 7 lookup 77", `{"priority":50,"table":77,"action":"lookup","other":["tun_id 0x0000000000000007"]}`},
	{"lookup 77 realms 3", `{"priority":50,"table":77,"action":"lookup"}`},
	{"lookup 4000", `{"priority":50,"table":4000,"action":"lookup"}`},
}

func TestRuleSelectors(t *testing.T) {
	for _, test := range ruleSelectors {
		t.Run(test.add, func(t *testing.T) {
			enter(t)
			run(t, "ip rule add pref 50 "+test.add)
			rules, inventories, problems := Reader{}.Rules()
			if len(problems) > 0 {
				t.Error(problems)
			}
			var lines []evidence.Rule
			for _, rule := range rules {
				if rule.Family == 4 {
					lines = append(lines, rule)
				}
			}
			if len(lines) != 4 || lines[0].Table != 255 || lines[2].Table != 254 || lines[3].Table != 253 {
				t.Fatalf("%+v", lines)
			}
			if inventories[0] != (evidence.Inventory{What: "rules", Family: 4, Count: 4, Complete: true}) {
				t.Errorf("%+v", inventories[0])
			}
			rule := lines[1]
			rule.Family = 0
			if got, _ := json.Marshal(rule); string(got) != `{"family":0,`+test.want[1:] {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// The rules of IPv6 are read as well.
func TestRulesV6(t *testing.T) {
	enter(t)
	run(t, "ip -6 rule add pref 50 to 2001:db8:1::/48 dport 53 lookup 77")
	rules, _, _ := Reader{}.Rules()
	found := false
	for _, rule := range rules {
		found = found || rule.Family == 6 && rule.To.String() == "2001:db8:1::/48" && rule.TargetPorts.To == 53
	}
	if !found {
		t.Errorf("%+v", rules)
	}
}

// More rules than are reported make the inventory incomplete.
func TestTooManyRules(t *testing.T) {
	enter(t)
	var batch strings.Builder
	for n := range maxPolicyRules {
		fmt.Fprintf(&batch, "rule add pref %d from 10.42.0.0/24 lookup 77\n", 100+n)
	}
	runInput(t, "ip -batch -", batch.String())
	rules, inventories, _ := Reader{}.Rules()
	if i := inventories[0]; i.Complete || i.Count != maxPolicyRules+3 || i.Text == "" || len(rules) > maxPolicyRules+3 {
		t.Errorf("%+v, %d rules", inventories[0], len(rules))
	}
}

func FuzzRule(f *testing.F) {
	f.Add([]byte{2, 24, 0, 0, 77, 0, 0, 1, 2, 0, 0, 0, 8, 0, 1, 0, 10, 42, 1, 0})
	f.Fuzz(func(t *testing.T, message []byte) {
		rule := parseRule(message, 4)
		if line, err := json.Marshal(evidence.Message{Rule: &rule}); err != nil || len(line) > evidence.MaxMessage &&
			len(message) < 1024 {
			t.Error(err, len(line))
		}
	})
}
