//go:build linux

package filter

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
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

// Firewall returns what nf_tables does to the given UDP ports: base chains that
// drop what nothing accepts, and rules that accept, drop or reject one of the
// ports or everything.
func (r Reader) Firewall(ports []uint16) ([]evidence.Firewall, []evidence.Problem) {
	if loaded, _ := r.loaded(); !loaded {
		return nil, nil
	}
	var w firewall
	conn, err := openNft()
	if err == nil {
		defer conn.Close()
		w = firewall{nft: conn, ports: ports, seen: map[visited]bool{}}
		err = w.run()
	}
	if err != nil {
		return w.found, []evidence.Problem{kernel.Problem("firewall", "nftables", err)}
	}
	return w.found, nil
}

// firewall follows the jumps from the base chains, whatever their conditions. A
// list that a change interrupted serves as well: kube-proxy may write all the time.
type firewall struct {
	*nft
	ports []uint16
	queue []baseChain // with the hook that it is reached from
	seen  map[visited]bool
	found []evidence.Firewall
}

func (w *firewall) run() error {
	chains, err := kernel.Retry(w.chains)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
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
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
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

// decided are the decisions that are reported.
var decided = map[int32]string{codeAccept: "accept", codeDrop: "drop", codeReject: "reject"}

// follow goes on in the chain that a rule leads to, or reports what it does to
// one of the ports, or drops of everything.
func (w *firewall) follow(at baseChain, r *reading, d decision) {
	port, bounded := d.condition.udpTo(w.ports)
	if d.chain != "" {
		ofService := strings.HasPrefix(d.chain, "KUBE-SVC") || strings.HasPrefix(d.chain, "KUBE-SEP")
		if !ofService && (bounded || !r.mapped) {
			at.chain = d.chain
			w.queue = append(w.queue, at)
		}
		return
	}
	does := decided[d.code]
	every := does != "accept" && !r.hidden && d.condition.everyUDP(at.version())
	if does == "" || !bounded && !every {
		return
	}
	f := evidence.Firewall{Effect: does, Rule: words(d.condition, at.version(), does), Port: port, Packets: r.packets}
	if does == "reject" {
		f.Effect = "drop"
	}
	w.add(at, f)
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

// everyUDP reports whether every packet of UDP that a table sees meets the condition.
func (c condition) everyUDP(version int) bool {
	return c.ofUDP() && len(c.Target)+len(c.In)+len(c.NotIn)+len(c.Out)+len(c.NotOut) == 0 && !c.several(version)
}

// several reports whether there are conditions other than those on links,
// protocol and target port.
func (c condition) several(version int) bool {
	n := len(c.From) + len(c.NotFrom) + len(c.To) + len(c.NotTo) + len(c.Source) + len(c.DSCP) + len(c.Other)
	return n > 0 || c.MarkMask != 0 || c.family != version
}

// words renders a rule for a reader; conditions other than those on links and
// ports are shown as "…".
func words(c condition, version int, does string) string {
	var list []string
	for _, links := range []struct {
		word  string
		names []string
	}{{"iifname", c.In}, {"iifname !=", c.NotIn}, {"oifname", c.Out}, {"oifname !=", c.NotOut}} {
		for _, name := range links.names {
			list = append(list, fmt.Sprintf("%s %q", links.word, name))
		}
	}
	if c.several(version) {
		list = append(list, "…")
	}
	const most = 8
	ports := portTexts(c.Target[:min(len(c.Target), most)])
	if len(c.Target) > most {
		ports = append(ports, "…")
	}
	switch len(ports) {
	case 0:
	case 1:
		list = append(list, "udp dport "+ports[0])
	default:
		list = append(list, "udp dport { "+strings.Join(ports, ", ")+" }")
	}
	text := strings.Join(append(list, does), " ")
	return strings.ToValidUTF8(text[:min(len(text), 200)], "")
}
