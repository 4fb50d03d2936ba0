//go:build linux

package host

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Bounds on what of a packet filter is read: kube-proxy alone can have tens of
// thousands of chains.
const (
	maxChains = 256
	maxRules  = 64
)

// hookNames are the hooks that a tunnel's packets pass.
var hookNames = map[nftables.ChainHook]string{
	*nftables.ChainHookInput: "input", *nftables.ChainHookOutput: "output",
	*nftables.ChainHookForward: "forward", *nftables.ChainHookPrerouting: "prerouting",
}

var familyNames = map[nftables.TableFamily]string{
	nftables.TableFamilyIPv4: "ip", nftables.TableFamilyIPv6: "ip6", nftables.TableFamilyINet: "inet",
}

// Firewall returns what the host's packet filter does to the given UDP ports:
// base chains that drop what nothing accepts, and rules that accept, drop or
// reject one of the ports or, at the end of a chain, everything.
func (r Reader) Firewall(ports []uint16) ([]evidence.Firewall, []evidence.Problem) {
	found := r.legacyTables()
	if loaded, _ := r.filters(); !loaded {
		return found, nil
	}
	conn, err := nftables.New()
	if err != nil {
		return found, []evidence.Problem{problem("firewall", "", err)}
	}
	walk := filterWalk{conn: conn, ports: ports, sets: map[string][]nftables.SetElement{}}
	if err := walk.run(); err != nil {
		return append(found, walk.found...), []evidence.Problem{problem("firewall", "nftables", err)}
	}
	return append(found, walk.found...), nil
}

// legacyTables names the tables of the old iptables that exist; their rules
// cannot be read without its tools, and need not be, to say where to look.
func (r Reader) legacyTables() []evidence.Firewall {
	var found []evidence.Firewall
	for file, family := range map[string]string{"ip_tables_names": "ip", "ip6_tables_names": "ip6"} {
		names, err := os.ReadFile(r.path("proc/thread-self/net", file))
		if err != nil {
			continue
		}
		for _, table := range strings.Fields(string(names)) {
			found = append(found, evidence.Firewall{Tool: "iptables-legacy", Family: family, Table: table, Effect: "present"})
		}
	}
	slices.SortFunc(found, func(a, b evidence.Firewall) int {
		return strings.Compare(a.Family+a.Table, b.Family+b.Table)
	})
	return found
}

// filterWalk follows the jumps from the base chains.
type filterWalk struct {
	conn  *nftables.Conn
	ports []uint16
	sets  map[string][]nftables.SetElement
	found []evidence.Firewall
}

func (w *filterWalk) run() error {
	all, err := w.conn.ListChains()
	if err != nil {
		return fmt.Errorf("listing the chains: %w", err)
	}
	type visit struct {
		chain *nftables.Chain
		hook  string
	}
	var queue []visit
	byName := make(map[string]*nftables.Chain, len(all))
	for _, chain := range all {
		byName[chainKey(chain.Table, chain.Name)] = chain
		if chain.Hooknum == nil || chain.Type == nftables.ChainTypeNAT || familyNames[chain.Table.Family] == "" {
			continue
		}
		hook, ok := hookNames[*chain.Hooknum]
		if !ok {
			continue
		}
		queue = append(queue, visit{chain, hook})
		if chain.Policy != nil && *chain.Policy == nftables.ChainPolicyDrop {
			told := w.describe(chain, hook)
			told.Effect, told.Rule = "drop", "policy drop"
			w.add(told)
		}
	}
	seen := make(map[string]bool)
	for n := 0; len(queue) > 0 && n < maxChains && len(w.found) < maxRules; n++ {
		next := queue[0]
		queue = queue[1:]
		if key := next.hook + chainKey(next.chain.Table, next.chain.Name); seen[key] {
			continue
		} else {
			seen[key] = true
		}
		rules, err := w.conn.GetRules(next.chain.Table, next.chain)
		if err != nil {
			return fmt.Errorf("listing the rules of chain %s: %w", next.chain.Name, err)
		}
		for _, rule := range rules {
			read := w.read(rule)
			for _, jump := range read.jumps {
				if to := byName[chainKey(next.chain.Table, jump)]; to != nil && !strings.HasPrefix(jump, "KUBE-SVC") && !strings.HasPrefix(jump, "KUBE-SEP") {
					queue = append(queue, visit{to, next.hook})
				}
			}
			if port, ok := read.concerns(w.ports); ok {
				told := w.describe(next.chain, next.hook)
				told.Effect, told.Rule, told.Port, told.Packets = read.effect, read.text(), port, read.packets
				w.add(told)
			}
		}
	}
	return nil
}

func chainKey(table *nftables.Table, chain string) string {
	return fmt.Sprintf("%d/%s/%s", table.Family, table.Name, chain)
}

func (w *filterWalk) describe(chain *nftables.Chain, hook string) evidence.Firewall {
	told := evidence.Firewall{
		Tool: "nftables", Family: familyNames[chain.Table.Family], Table: chain.Table.Name, Chain: chain.Name, Hook: hook,
	}
	switch {
	case chain.Table.Name == "firewalld":
		told.Tool = "firewalld"
	case strings.HasPrefix(chain.Name, "ufw"):
		told.Tool = "ufw"
	}
	if chain.Policy != nil {
		told.Policy = map[nftables.ChainPolicy]string{nftables.ChainPolicyDrop: "drop", nftables.ChainPolicyAccept: "accept"}[*chain.Policy]
	}
	return told
}

func (w *filterWalk) add(told evidence.Firewall) {
	if len(w.found) < maxRules && !slices.Contains(w.found, told) {
		w.found = append(w.found, told)
	}
}

// elements returns a set's elements and remembers them; an unreadable set is empty.
func (w *filterWalk) elements(table *nftables.Table, lookup *expr.Lookup) []nftables.SetElement {
	key := chainKey(table, lookup.SetName)
	if known, ok := w.sets[key]; ok {
		return known
	}
	elements, _ := w.conn.GetSetElements(&nftables.Set{Table: table, Name: lookup.SetName})
	w.sets[key] = elements
	return elements
}
