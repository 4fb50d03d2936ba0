//go:build linux

package filter

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// Bounds on what Firewall reads and reports: kube-proxy alone can have tens of
// thousands of chains.
const (
	maxFirewallVisits = 512 // of chains
	maxFirewallRules  = 128
	maxDoubtful       = 16 // rules whose conditions are not understood and that name no port
)

// Traffic is what may not be dropped.
type Traffic struct {
	Ports []uint16       // UDP ports of the tunnels
	Pods  []netip.Prefix // pod ranges of all nodes
}

// Firewall returns what packet filters do to the tunnels' UDP datagrams and to
// packets from pods to pods, in the order in which a packet meets the rules of a
// hook: rules that accept, drop or reject them, or give them another target
// address, and base chains whose policy drops what nothing accepted.
func (r Reader) Firewall(traffic Traffic, links []evidence.Link) ([]evidence.Firewall, []evidence.Problem) {
	w := newFirewall(traffic, links)
	var problems []evidence.Problem
	for _, kind := range []struct {
		on   string
		read func(*firewall) error
	}{{"nftables", r.nftFirewall}, {"iptables", r.legacyFirewall}, {"tc", r.tcFirewall}} {
		if err := kind.read(w); err != nil {
			problems = append(problems, kernel.Problem("firewall", kind.on, err))
		}
	}
	return w.found, problems
}

// firewall follows the jumps from base chains, with the conditions of all of them.
type firewall struct {
	Traffic
	links map[uint32]string
	// outer are the links that a tunnel's datagrams can pass: not bridges and pods' own.
	outer []string

	// Of the tables at hand.
	tool  string
	rules func(at chainName) ([]numberedRule, error)
	set   func(at chainName, name string) set

	visits   int
	visited  map[firewallVisit]int
	doubtful int
	partial  bool // not all rules from the base chain at hand were read
	found    []evidence.Firewall
}

// numberedRule is a rule with its handle in nf_tables and its place in its chain.
type numberedRule struct {
	rule
	handle uint64
	number int
}

// firewallBase is a base chain.
type firewallBase struct {
	baseChain
	nat    bool
	policy uint32
}

type firewallVisit struct {
	chainName
	base, hook string
}

func newFirewall(traffic Traffic, links []evidence.Link) *firewall {
	w := &firewall{Traffic: traffic, links: map[uint32]string{}, visited: map[firewallVisit]int{}}
	for _, link := range links {
		w.links[uint32(link.Index)] = link.Name
		if link.Role != evidence.RoleInside || link.Kind == "tun" {
			w.outer = append(w.outer, link.Name)
		}
	}
	return w
}

// enter reads a base chain and all that it leads to, and its policy.
func (w *firewall) enter(from firewallBase) error {
	start := condition{family: from.version()}
	switch {
	case len(from.links) == 0:
	case from.hook == "ingress":
		start.links(fieldIn, from.links, false)
	case from.hook == "egress":
		start.links(fieldOut, from.links, false)
	}
	w.partial = false
	if err := w.visit(from.chainName, from, start, 0); err != nil {
		return err
	}
	if from.policy != codeDrop {
		return nil
	}
	rules, err := w.rules(from.chainName)
	if err != nil {
		return err
	}
	policy := evidence.Firewall{Effect: "drop", Rule: "policy drop", Number: len(rules) + 1}
	w.add(from.chainName, from, policy, start)
	return nil
}

// visit reads a chain for packets of a condition.
func (w *firewall) visit(at chainName, from firewallBase, reached condition, depth int) error {
	key := firewallVisit{at, from.chain, from.hook}
	w.visited[key]++
	w.visits++
	if w.visited[key] > maxVisits || w.visits > maxFirewallVisits || depth > maxDepth {
		w.partial = true
		return nil
	}
	rules, err := w.rules(at)
	if err != nil {
		return err
	}
	for _, rule := range rules {
		if reached.never || len(w.found) >= maxFirewallRules {
			return nil
		}
		r := w.read(rule.rule, reached)
		if from.nat {
			w.translates(rule, from, r)
		}
		for i, d := range r.decisions {
			if err := w.follow(rule, i, from, d, depth); err != nil {
				return err
			}
		}
		w.leave(rule, from, r, &reached)
	}
	return nil
}

func (w *firewall) read(r rule, reached condition) *reading {
	return r.read(reached, w.links, func(name string, _ field) set {
		if w.set == nil {
			return set{}
		}
		return w.set(r.chainName, name)
	})
}

// follow goes on in the chain that a rule leads to, or reports what it decides.
func (w *firewall) follow(rule numberedRule, i int, from firewallBase, d decision, depth int) error {
	bears, port := w.concerns(from.hook, d.condition)
	switch {
	case !bears:
		return nil
	case d.chain == "":
		w.decides(rule, i, from, d, port)
		return nil
	case evidence.OfPolicies(rule.table, d.chain) && from.hook == "forward":
		present := evidence.Firewall{Effect: "present", Rule: "jump " + d.chain, Number: rule.number,
			Handle: rule.handle}
		w.add(rule.chainName, from, present, d.condition)
		return nil
	case ofService(d.chain):
		if from.nat && port != 0 {
			w.add(rule.chainName, from, w.shown(rule, i, "dnat", "jump "+d.chain, port), d.condition)
		}
		return nil
	}
	return w.visit(chainName{rule.family, rule.table, d.chain}, from, d.condition, depth+1)
}

// ofService reports whether a chain is one of kube-proxy's for a single Service:
// there are too many of them to read.
func ofService(chain string) bool {
	return slices.ContainsFunc([]string{"KUBE-SVC-", "KUBE-SEP-", "KUBE-EXT-", "KUBE-XLB-", "KUBE-FW-", "KUBE-SVL-"},
		func(prefix string) bool { return strings.HasPrefix(chain, prefix) })
}

// decided are the decisions that are reported.
var decided = map[int32]string{codeAccept: "accept", codeDrop: "drop", codeReject: "reject"}

// decides reports a rule that accepts, drops or rejects. What accepts only some
// packets for reasons that are not understood is not worth it unless it names
// the port.
func (w *firewall) decides(rule numberedRule, i int, from firewallBase, d decision, port uint16) {
	does := decided[d.code]
	if does == "" || from.nat {
		return
	}
	f := w.shown(rule, i, does, does, port)
	if does == "reject" {
		f.Effect = "drop"
	}
	s := d.condition.selector()
	if port == 0 && (len(understood(s).Other) > 0 || s.MarkMask != 0) {
		w.doubtful++
		if does == "accept" || w.doubtful > maxDoubtful {
			return
		}
	}
	w.add(rule.chainName, from, f, d.condition)
}

// shown is a rule with its own conditions rendered for a reader.
func (w *firewall) shown(rule numberedRule, i int, effect, statement string, port uint16) evidence.Firewall {
	own := w.read(rule.rule, condition{family: rule.version()})
	c := own.condition
	if i >= 0 && i < len(own.decisions) {
		c = own.decisions[i].condition
	}
	return evidence.Firewall{
		Effect: effect, Rule: words(c, rule.version(), statement), Port: port, Packets: own.packets,
		Handle: rule.handle, Number: rule.number,
	}
}

// translates reports the statements of a rule that give the tunnel's datagrams
// another target.
func (w *firewall) translates(rule numberedRule, from firewallBase, r *reading) {
	for _, s := range r.statements {
		redirects := s.text == "redirect" || s.text == "REDIRECT"
		bears, port := w.concerns(from.hook, s.condition)
		if s.effect != evidence.EffectDNAT && !redirects || !bears || !s.condition.ofUDP() {
			continue
		}
		if port == 0 && len(understood(s.condition.selector()).Other) > 0 {
			continue
		}
		w.add(rule.chainName, from, w.shown(rule, -1, "dnat", s.text, port), s.condition)
	}
}

// leave narrows what goes on in a chain behind a rule that returns from it, or
// goes to another for good.
func (w *firewall) leave(rule numberedRule, from firewallBase, r *reading, reached *condition) {
	leaves := slices.ContainsFunc(r.decisions, func(d decision) bool {
		bears, _ := w.concerns(from.hook, d.condition)
		return bears && (d.code == codeReturn || d.code == codeGoto)
	})
	if !leaves {
		return
	}
	alone := w.read(rule.rule, condition{family: reached.family})
	if !alone.settles || !reached.without(alone.condition) {
		reached.other("no earlier rule of %s applies", rule.chain)
	}
}

// concerns reports whether packets of a condition can be datagrams of a tunnel,
// with the port that the condition names, or packets from pods to pods.
func (w *firewall) concerns(hook string, c condition) (bears bool, port uint16) {
	if c.never {
		return false, 0
	}
	if hook != "forward" && c.ofUDP() && w.ofTunnel(c.In) && w.ofTunnel(c.Out) {
		if port, named := c.udpTo(w.Ports); named {
			return true, port
		}
		if len(c.Target) == 0 {
			return true, 0
		}
	}
	passed := hook == "forward" || hook == "prerouting" || hook == "postrouting"
	return passed && len(c.Target) == 0 && w.ofPods(c.From) && w.ofPods(c.To), 0
}

// ofTunnel reports whether a tunnel's datagrams can pass one of the links that a
// condition names: programs for network policies write rules for each pod's link.
func (w *firewall) ofTunnel(names []string) bool {
	if len(names) == 0 || len(w.outer) == 0 {
		return true
	}
	return slices.ContainsFunc(names, func(name string) bool {
		beginning, open := strings.CutSuffix(name, "*")
		return slices.ContainsFunc(w.outer, func(link string) bool {
			return link == name || open && strings.HasPrefix(link, beginning)
		})
	})
}

// ofPods reports whether some pod's address is in prefixes that a condition
// names; without prefixes there is no condition.
func (w *firewall) ofPods(prefixes []netip.Prefix) bool {
	return len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(p netip.Prefix) bool {
		return slices.ContainsFunc(w.Pods, p.Overlaps)
	})
}

func (w *firewall) add(at chainName, from firewallBase, f evidence.Firewall, c condition) {
	f.Tool = w.tool
	switch {
	case at.table == "firewalld":
		f.Tool = "firewalld"
	case strings.HasPrefix(at.chain, "ufw"):
		f.Tool = "ufw"
	}
	f.Family = familyNames[at.family]
	f.Table = at.table
	f.Chain = at.chain
	f.Base = from.chain
	f.Hook = from.hook
	f.Link = strings.Join(from.links[:min(len(from.links), 8)], " ")
	if w.partial && f.Effect == "drop" {
		c.other("not all rules before it were read")
	}
	when := understood(c.selector())
	if line, err := json.Marshal(when); err != nil || len(line) > evidence.MaxMessage/2 {
		when = evidence.Selector{Other: []string{"more conditions than can be reported"}}
	}
	f.When = &when
	if len(w.found) < maxFirewallRules {
		w.found = append(w.found, f)
	}
}

// mattering are the protocols of test packets and of the tunnel.
var mattering = []uint8{unix.IPPROTO_ICMP, unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_ICMPV6}

// understood returns a selector in which a condition on protocols that a packet
// may not be of stands as one on those that it may be of.
func understood(s evidence.Selector) evidence.Selector {
	var other []string
	for _, text := range s.Other {
		numbers, ok := protocolsNotIn(text)
		if !ok {
			other = append(other, text)
			continue
		}
		if len(s.Protocol) == 0 {
			s.Protocol = mattering
		}
		s.Protocol = slices.DeleteFunc(slices.Clone(s.Protocol), func(n uint8) bool {
			return slices.Contains(numbers,
				n)
		})
		if len(s.Protocol) == 0 {
			s.Protocol = []uint8{unix.IPPROTO_RAW} // none of those that matter
		}
	}
	s.Other = other
	return s
}

// protocolsNotIn reads the text that condition.protocols writes of a negation.
func protocolsNotIn(text string) (numbers []uint8, ok bool) {
	list, ok := strings.CutPrefix(text, "protocol not in [")
	if !ok {
		return nil, false
	}
	for _, word := range strings.Fields(strings.TrimSuffix(list, "]")) {
		var n uint8
		if _, err := fmt.Sscan(word, &n); err != nil {
			return nil, false
		}
		numbers = append(numbers, n)
	}
	return numbers, true
}

// ofUDP reports whether a packet of UDP can meet the condition.
func (c condition) ofUDP() bool {
	for _, text := range c.Other {
		if numbers, ok := protocolsNotIn(text); ok && slices.Contains(numbers, unix.IPPROTO_UDP) {
			return false
		}
	}
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
