package check

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// passing are packets that pass a node's filters: the tunnel's datagrams, or
// those from one test pod to another. What is zero or nil is not known.
type passing struct {
	family   int // 4 or 6, of their addresses
	from, to netip.Addr
	in, out  []string // links by which they arrive and leave
	protocol uint8
	port     uint16 // that the tunnel's datagrams are for; 0 for pods' packets
	bridged  bool   // they pass a bridge before the host's own hooks
	toHost   bool   // they are for the host itself
}

// Numbers of IP protocols.
const (
	protocolTCP = 6
	protocolUDP = 17
)

// fit says of how many of some packets a condition is true.
type fit int

const (
	never  fit = iota
	maybe      // of some, or that is not known
	always     // of all
)

// fits reports which of the packets a rule applies to. Rules that were recorded
// before their conditions were name a port, or apply to everything.
func (p *passing) fits(f *evidence.Firewall) fit {
	other := map[int]string{4: "ip6", 6: "ip"}[p.family] // the tables that these packets never see
	if f.Family == other || f.Family == "bridge" && !p.bridged {
		return never
	}
	if ofProxy(f) {
		return never
	}
	s := f.When
	if s == nil {
		if f.Port != 0 && f.Port != p.port {
			return never
		}
		return always
	}
	result := always
	for _, condition := range []fit{
		ofAddress(p.from, s.From, s.NotFrom), ofAddress(p.to, s.To, s.NotTo),
		ofLinks(p.in, s.In, s.NotIn, f.Hook == "ingress"), ofLinks(p.out, s.Out, s.NotOut, f.Hook == "egress"),
		p.ofProtocol(s), p.ofPort(s), p.ofOther(s),
	} {
		result = min(result, condition)
	}
	return result
}

// ofProxy reports whether a rule is one of the two by which kube-proxy and the
// kubelet drop what conntrack finds invalid and what is for a Service without
// endpoints. Every node has them, and neither a new connection from pod to pod nor
// a tunnel's datagram is of that kind (pkg/proxy/iptables/proxier.go,
// pkg/kubelet/kubelet_network_linux.go).
func ofProxy(f *evidence.Firewall) bool {
	const unserved = 1 << 15 // the mark of what is for a Service without endpoints
	if f.Effect != "drop" || f.When == nil {
		return false
	}
	invalid := f.Chain == "KUBE-FORWARD" && slices.Contains(f.When.Other, "conntrack")
	return invalid || f.Chain == "KUBE-FIREWALL" && f.When.MarkMask == unserved
}

// ofAddress compares an end of the packets with a condition on it.
func ofAddress(addr netip.Addr, yes, no []netip.Prefix) fit {
	if len(yes)+len(no) == 0 {
		return always
	}
	// A condition that holds for a whole family is one on the family only.
	whole := func(p netip.Prefix) bool { return p.Bits() == 0 }
	if !addr.IsValid() && len(no) == 0 && slices.ContainsFunc(yes, whole) {
		return always
	}
	if !addr.IsValid() {
		return maybe
	}
	contains := func(p netip.Prefix) bool { return p.Contains(addr) }
	if len(yes) > 0 && !slices.ContainsFunc(yes, contains) || slices.ContainsFunc(no, contains) {
		return never
	}
	return always
}

// ofLinks compares the links that packets pass with a condition on them. Where a
// rule is attached to a link, any of them is one that all packets pass.
func ofLinks(links, yes, no []string, attached bool) fit {
	if len(yes)+len(no) == 0 {
		return always
	}
	if len(links) == 0 {
		return maybe
	}
	applies := 0
	for _, link := range links {
		if (len(yes) == 0 || slices.ContainsFunc(yes, named(link))) && !slices.ContainsFunc(no, named(link)) {
			applies++
		}
	}
	switch {
	case applies == 0:
		return never
	case applies == len(links) || attached:
		return always
	}
	return maybe
}

// named reports whether a condition's name of links, which can end with a *, is
// true of a link.
func named(link string) func(string) bool {
	return func(name string) bool {
		beginning, open := strings.CutSuffix(name, "*")
		return name == link || open && strings.HasPrefix(link, beginning)
	}
}

func (p *passing) ofProtocol(s *evidence.Selector) fit {
	if len(s.Protocol) == 0 || slices.Contains(s.Protocol, p.protocol) {
		return always
	}
	return never
}

func (p *passing) ofPort(s *evidence.Selector) fit {
	switch {
	case len(s.Target) == 0:
		return always
	case p.port == 0:
		return maybe
	case slices.ContainsFunc(s.Target, func(r evidence.Ports) bool { return r.From <= p.port && p.port <= r.To }):
		return always
	}
	return never
}

// toHost is a condition that the reader of filters writes and that is understood.
const toHost = "daddr type local"

// ofOther judges the conditions that are not understood, or not known of the packets.
func (p *passing) ofOther(s *evidence.Selector) fit {
	for _, text := range s.Other {
		if text == toHost && !p.toHost {
			return never
		}
	}
	doubtful := func(text string) bool { return text != toHost }
	if s.MarkMask != 0 || len(s.Source)+len(s.DSCP) > 0 || slices.ContainsFunc(s.Other, doubtful) {
		return maybe
	}
	return always
}

// names reports whether a rule names the port of the packets.
func (p *passing) names(f *evidence.Firewall) bool { return p.port != 0 && f.Port == p.port }

// dropped is what is known of the rules of a node that some packets meet.
type dropped struct {
	certain  *evidence.Firewall   // the first that drops all of them
	doubtful []*evidence.Firewall // those that may, what names the port first
	policies []*evidence.Firewall // jumps to chains of NetworkPolicies
}

// chainOf is a base chain; a packet that one accepts still meets the others.
type chainOf struct {
	legacy                          bool
	family, table, base, hook, link string
}

// rulesOf returns the rules that are judged: a probe reports no more.
func rulesOf(n *graph.Node) []*evidence.Firewall {
	const most = 512
	return n.Firewall[:min(len(n.Firewall), most)]
}

// meets follows the packets through the rules of a node in some hooks. What a
// rule before accepted, a later one of the same base chain does not drop; what
// it may have accepted, a later one may.
func (p *passing) meets(n *graph.Node, hooks ...string) (d dropped) {
	accepted := map[chainOf]fit{}
	for _, hook := range hooks {
		for _, f := range rulesOf(n) {
			at := chainOf{f.Tool == "iptables-legacy", f.Family, f.Table, cmp.Or(f.Base, f.Chain), f.Hook, f.Link}
			applies := never
			if f.Hook == hook {
				applies = p.fits(f)
			}
			switch {
			case applies == never:
			case f.Effect == "present":
				d.policies = append(d.policies, f)
				accepted[at] = max(accepted[at], maybe)
			case f.Effect == "accept":
				accepted[at] = max(accepted[at], applies)
			case f.Effect == "drop" && accepted[at] != always && !excused(n, f, p.port):
				d.drop(p, f, min(applies, always-accepted[at]))
			}
		}
	}
	return d
}

// drop notes a rule that drops some or all of the packets.
func (d *dropped) drop(p *passing, f *evidence.Firewall, applies fit) {
	switch {
	case applies == always && d.certain == nil:
		d.certain = f
	case applies == always:
	case p.names(f):
		d.doubtful = slices.Insert(d.doubtful, 0, f)
	default:
		d.doubtful = append(d.doubtful, f)
	}
}

// excused reports whether a chain that drops what nothing accepts has a rule that
// accepts the port: of recordings of earlier versions, which lack the order of rules.
func excused(n *graph.Node, f *evidence.Firewall, port uint16) bool {
	return f.When == nil && f.Port == 0 && slices.ContainsFunc(n.Firewall, func(other *evidence.Firewall) bool {
		return other.Effect == "accept" && other.Port == port && other.Family == f.Family &&
			other.Table == f.Table && other.Chain == f.Chain
	})
}

// translated returns the first rule that gives all of the packets another target.
func (p *passing) translated(n *graph.Node) *evidence.Firewall {
	for _, f := range rulesOf(n) {
		if f.Effect == "dnat" && p.fits(f) == always {
			return f
		}
	}
	return nil
}
