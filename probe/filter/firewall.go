//go:build linux

package filter

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// Bounds on what Firewall reads: kube-proxy alone can have tens of thousands of
// chains.
const (
	maxFirewallChains = 256
	maxFirewallRules  = 64
)

// tunnelHooks are the hooks that a tunnel's packets pass, of ip, ip6 and inet.
var tunnelHooks = map[uint32]string{0: "prerouting", 1: "input", 2: "forward", 3: "output"}

// Firewall returns what the host's packet filter does to the given UDP ports:
// base chains that drop what nothing accepts, and rules that accept, drop or
// reject one of the ports or everything.
func (r Reader) Firewall(ports []uint16) ([]evidence.Firewall, []evidence.Problem) {
	found := r.legacyTables()
	if loaded, _ := r.loaded(); !loaded {
		return found, nil
	}
	var w firewall
	conn, err := openNft()
	if err == nil {
		defer conn.Close()
		w = firewall{nft: conn, ports: ports, seen: map[visited]bool{}}
		err = w.run()
	}
	found = append(found, w.found...)
	if err != nil {
		return found, []evidence.Problem{kernel.Problem("firewall", "nftables", err)}
	}
	return found, nil
}

// legacyTables names the tables of iptables-legacy that exist, to say where to
// look: which of their rules bear on the ports is not read.
func (r Reader) legacyTables() (found []evidence.Firewall) {
	for _, family := range xtFamilies {
		tables, _ := r.tables(family)
		slices.Sort(tables)
		for _, table := range tables {
			found = append(found, evidence.Firewall{
				Tool: "iptables-legacy", Family: familyNames[family.family], Table: table, Effect: "present",
			})
		}
	}
	return found
}

// firewall follows the jumps from the base chains, whatever their conditions.
type firewall struct {
	*nft
	ports []uint16
	queue []baseChain // with the hook that it is reached from
	seen  map[visited]bool
	found []evidence.Firewall
}

func (w *firewall) run() error {
	chains, err := kernel.Retry(w.chains)
	if err != nil {
		return err
	}
	for _, chain := range chains {
		hook := tunnelHooks[chain.hook]
		ip := chain.version() != 0 || chain.family == unix.NFPROTO_INET
		if !chain.base || chain.kind == "nat" || hook == "" || !ip {
			continue
		}
		from := baseChain{chainName: chain.chainName, hook: hook}
		w.queue = append(w.queue, from)
		if chain.policy == codeDrop {
			w.add(from, evidence.Firewall{Effect: "drop", Rule: "policy drop"})
		}
	}
	for n := 0; len(w.queue) > 0 && n < maxFirewallChains && len(w.found) < maxFirewallRules; n++ {
		next := w.queue[0]
		w.queue = w.queue[1:]
		if err := w.visit(next); err != nil {
			return err
		}
	}
	return nil
}

// visit reads the rules of a chain once for each hook.
func (w *firewall) visit(at baseChain) error {
	key := visited{at.chainName, at.hook}
	if w.seen[key] {
		return nil
	}
	w.seen[key] = true
	rules, err := kernel.Retry(func() ([]nftRule, error) { return w.rulesOf(at.chainName) })
	if err != nil {
		return err
	}
	for _, body := range rules {
		r := rule{at.chainName, body}.read(condition{}, nil, func(name string, of field) set {
			if of != fieldTargetPort {
				return set{} // of no interest, and can be large
			}
			return w.set(at.chainName, name)
		})
		for _, d := range r.decisions {
			w.follow(at, r, d)
		}
	}
	return nil
}

// follow goes on in the chain that a rule leads to, or reports what it does to
// one of the ports.
func (w *firewall) follow(at baseChain, r *reading, d decision) {
	port, bounded := d.condition.udpTo(w.ports)
	ofService := strings.HasPrefix(d.chain, "KUBE-SVC") || strings.HasPrefix(d.chain, "KUBE-SEP")
	switch {
	case d.chain != "" && !ofService && (bounded || !r.mapped):
		at.chain = d.chain
		w.queue = append(w.queue, at)
	case !bounded && (r.hidden || !d.condition.all(at.version())):
	case d.code == codeAccept && bounded:
		w.add(at, evidence.Firewall{Effect: "accept", Rule: words(d, "accept"), Port: port, Packets: r.packets})
	case d.code == codeDrop:
		w.add(at, evidence.Firewall{Effect: "drop", Rule: words(d, "drop"), Port: port, Packets: r.packets})
	case d.code == codeReject:
		w.add(at, evidence.Firewall{Effect: "drop", Rule: words(d, "reject"), Port: port, Packets: r.packets})
	}
}

func (w *firewall) add(at baseChain, f evidence.Firewall) {
	f.Tool = "nftables"
	switch {
	case at.table == "firewalld":
		f.Tool = "firewalld"
	case strings.HasPrefix(at.chain, "ufw"):
		f.Tool = "ufw"
	}
	f.Family = familyNames[at.family]
	f.Table = at.table
	f.Chain = at.chain
	f.Hook = at.hook
	if len(w.found) < maxFirewallRules && !slices.Contains(w.found, f) {
		w.found = append(w.found, f)
	}
}

// ofUDP reports whether a packet of UDP can meet the condition.
func (c condition) ofUDP() bool {
	return !c.never && (len(c.Protocol) == 0 || slices.Contains(c.Protocol, unix.IPPROTO_UDP))
}

// udpTo returns the first of some ports that the condition names.
func (c condition) udpTo(ports []uint16) (port uint16, ok bool) {
	for _, port := range ports {
		contains := func(r evidence.Ports) bool { return r.From <= port && port <= r.To }
		if c.ofUDP() && slices.ContainsFunc(c.Target, contains) {
			return port, true
		}
	}
	return 0, false
}

// all reports whether every packet of UDP of a table meets the condition.
func (c condition) all(version int) bool {
	several := lists(c.Selector)+len(c.Target)+len(c.Source)+len(c.DSCP)+len(c.Other) > 0
	return c.ofUDP() && !several && c.MarkMask == 0 && c.family == version
}

// words renders a rule for a reader; conditions beside links and ports are
// shown as "…".
func words(d decision, does string) string {
	s := d.condition.Selector
	var list []string
	for _, links := range []struct {
		word  string
		names []string
	}{{"iifname", s.In}, {"iifname !=", s.NotIn}, {"oifname", s.Out}, {"oifname !=", s.NotOut}} {
		for _, name := range links.names {
			list = append(list, fmt.Sprintf("%s %q", links.word, name))
		}
	}
	if len(s.From)+len(s.NotFrom)+len(s.To)+len(s.NotTo)+len(s.Source)+len(s.DSCP)+len(s.Other) > 0 || s.MarkMask != 0 {
		list = append(list, "…")
	}
	if len(s.Target) > 0 {
		list = append(list, "udp dport "+ranges(s.Target))
	}
	text := strings.Join(append(list, does), " ")
	return strings.ToValidUTF8(text[:min(len(text), 200)], "")
}

// ranges renders ports as nft does, the first eight of them.
func ranges(ports []evidence.Ports) string {
	const shown = 8
	list := portTexts(ports[:min(len(ports), shown)])
	if len(ports) == 1 {
		return list[0]
	}
	if len(ports) > shown {
		list = append(list, "…")
	}
	return "{ " + strings.Join(list, ", ") + " }"
}
