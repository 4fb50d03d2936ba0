package profile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// What Cilium names in every version that has WireGuard (cilium pkg/wireguard/types,
// pkg/defaults, pkg/annotation).
const (
	ciliumConfig = "ConfigMap/kube-system/cilium-config"
	ciliumDevice = "cilium_wg0" // for both families
	ciliumHost   = "cilium_host"
	ciliumPort   = 51871 // no option changes it
)

// ciliumPrefixes begin the annotations of a CiliumNode; the second is that of
// releases before 1.14.
var ciliumPrefixes = []string{"network.cilium.io/", "io.cilium.network."}

// cilium recognises Cilium by what each agent writes to its CiliumNode and by the
// ConfigMap of the agents. Nodes keep the annotations of a network that they had
// before, so where they have another's too its link has to be there.
func cilium(g *graph.Graph) (Profile, bool) {
	config, configured := g.Cluster.Objects[ciliumConfig]
	marked := 0
	for _, n := range g.Nodes {
		if slices.ContainsFunc(ciliumPrefixes, func(prefix string) bool { return annotated(n, prefix) }) {
			marked++
		}
	}
	runs := slices.ContainsFunc(g.Nodes, func(n *graph.Node) bool { return n.Link(ciliumHost) != nil })
	another := leased(g) || slices.ContainsFunc(g.Nodes, func(n *graph.Node) bool { return annotated(n, calicoPrefix) })
	if !configured && marked == 0 || !runs && another {
		return Profile{}, false
	}
	c := ciliumCluster{g: g, config: config, read: configured}
	p := Profile{
		Encrypts: c.encrypts(), FailClosed: c.encrypts() && c.strict(), Backend: c.routing(),
		Device: routedTo(g, c.endpoint), Published: func(*graph.Node, int) string { return "" }, Endpoint: c.endpoint,
		Assigned: func(n *graph.Node) bool { return n.IPAM == evidence.IPAMCilium || config["ipam"] == "kubernetes" },
		RunsAs:   "cilium", EncryptsHosts: c.on("encrypt-node") && c.opted() < len(g.Nodes), OptedOut: c.optedOut,
		Scope: slices.Concat(c.scope(), commonScope),
	}
	p.Name, p.Title = c.name()
	if marked > 0 {
		p.Recognised = append(p.Recognised,
			fmt.Sprintf("annotations of Cilium on %d of %d nodes", marked, len(g.Nodes)))
	}
	if configured {
		p.Recognised = append(p.Recognised, "the ConfigMap kube-system/cilium-config")
	}
	if p.Encrypts && !c.wireguard() {
		p.Ends = "the ConfigMap kube-system/cilium-config has no enable-wireguard: \"true\""
	}
	if p.Encrypts {
		p.Device = func(*graph.Node, int) string { return ciliumDevice }
		p.Published = ciliumKey
		p.Port = func(*graph.Node, int) uint16 { return ciliumPort }
		p.Redirects = true
		p.RouteMTU = true
		p.AllowsPods = true
		p.Wraps = c.overlay()
		p.Misleads = ciliumMisleads
		return p, true
	}
	p.Backends = map[string]string{}
	for _, n := range g.Nodes {
		p.Backends[n.Name] = p.Backend
	}
	return p, true
}

// ciliumMarks are the bits of a mark by which Cilium's programs know packets that they
// have seen before: encrypted ones, which they let pass, and those of its overlay and
// its proxy (cilium bpf/lib/common.h, MARK_MAGIC_HOST_MASK; older
// releases had 0x1e00 for encrypted, cilium#33863).
const ciliumMarks = 0x1f00

// ciliumChains begin the names of the chains in which the agents set such marks.
const ciliumChains = "CILIUM_"

// ciliumMisleads reports whether a statement that is not the agents' own sets or
// clears bits of ciliumMarks. Clearing them all is what statements with a mark of
// their own do; it means something to packets of the overlay only.
func ciliumMisleads(d *evidence.Diversion) bool {
	if d.Effect != evidence.EffectMark || strings.HasPrefix(d.Chain, ciliumChains) {
		return false
	}
	changes := d.Mask&ciliumMarks != 0 || d.Unknown && d.Mask == 0
	return changes && (d.Unknown || d.Mark&ciliumMarks != 0 || d.Hook == "output")
}

// leased reports whether some node has a lease of Flannel.
func leased(g *graph.Graph) bool {
	return slices.ContainsFunc(g.Nodes, func(n *graph.Node) bool {
		return n.Annotations[flannelPrefix+"backend-type"] != ""
	})
}

// ciliumKey is the key that a node's agent publishes. There is one for both families.
func ciliumKey(n *graph.Node, _ int) string {
	for _, prefix := range ciliumPrefixes {
		if key := strings.TrimSpace(n.Annotations[prefix+"wg-pub-key"]); key != "" {
			return key
		}
	}
	return ""
}

// ciliumCluster is what was read of a cluster with Cilium.
type ciliumCluster struct {
	g      *graph.Graph
	config map[string]string // of the ConfigMap, empty if it was not read
	read   bool
}

func (c ciliumCluster) on(option string) bool { return c.config[option] == "true" }

// wireguard reports whether the agents are configured to encrypt with WireGuard. An
// agent that no longer does leaves its key behind, so keys count only where the
// ConfigMap could not be read.
func (c ciliumCluster) wireguard() bool {
	if c.read {
		return c.on("enable-wireguard")
	}
	return slices.ContainsFunc(c.g.Nodes, func(n *graph.Node) bool { return ciliumKey(n, 4) != "" })
}

// encrypts reports whether the agents encrypt: those that were configured to when
// they started go on until they restart.
func (c ciliumCluster) encrypts() bool { return c.wireguard() || c.runs() }

// runs reports whether the agents of all nodes that were read have a device for
// WireGuard: those that start without enable-wireguard remove it (cilium
// pkg/wireguard/agent).
func (c ciliumCluster) runs() bool {
	found := 0
	for _, n := range c.g.Nodes {
		switch {
		case len(n.Links) == 0:
		case n.Link(ciliumDevice) == nil:
			return false
		default:
			found++
		}
	}
	return found > 0
}

// strict reports whether a node drops what it would have to send in clear. Releases
// before 1.19 have one option for it, later ones one for each direction.
func (c ciliumCluster) strict() bool {
	return c.on("enable-encryption-strict-mode") || c.on("enable-encryption-strict-mode-egress")
}

// The ways in which Cilium brings packets to other nodes.
const (
	ciliumNative = "native"
	ciliumVXLAN  = "vxlan"
	ciliumGeneve = "geneve"
)

// routing is native, vxlan or geneve. Releases before 1.14 have the option tunnel for
// it; without a ConfigMap the links of the tunnels show it.
func (c ciliumCluster) routing() string {
	switch {
	case !c.read:
		return c.routingByLinks()
	case c.config["routing-mode"] == ciliumNative, c.config["tunnel"] == "disabled":
		return ciliumNative
	case c.config["tunnel-protocol"] == ciliumGeneve, c.config["tunnel"] == ciliumGeneve:
		return ciliumGeneve
	}
	return ciliumVXLAN // the default of both
}

func (c ciliumCluster) routingByLinks() string {
	for _, tunnel := range []string{ciliumVXLAN, ciliumGeneve} {
		if slices.ContainsFunc(c.g.Nodes, func(n *graph.Node) bool { return n.Link("cilium_"+tunnel) != nil }) {
			return tunnel
		}
	}
	return ciliumNative
}

// overlay is what wraps packets before they are encrypted, nil in native routing.
func (c ciliumCluster) overlay() *Overlay {
	if overlay, tunnel := overlays[c.routing()]; tunnel {
		return &overlay
	}
	return nil
}

// endpoint is a node's InternalIP, by which the others reach its device: in the
// family of the tunnel, else IPv4 where Cilium has that (pkg/wireguard/agent,
// updatePeer). It carries pods' packets of both.
func (c ciliumCluster) endpoint(n *graph.Node, _ int) netip.Addr {
	var four, six netip.Addr
	for _, a := range n.Node.Addresses {
		addr, err := netip.ParseAddr(a.Addr)
		switch {
		case err != nil || a.Type != "InternalIP":
		case addr.Is4() && !four.IsValid():
			four = addr
		case addr.Is6() && !six.IsValid():
			six = addr
		}
	}
	over6 := c.config["underlay-protocol"] == "ipv6" && c.routing() != ciliumNative
	if six.IsValid() && (!four.IsValid() || over6 || c.config["enable-ipv4"] == "false") {
		return six
	}
	return four
}

// name is the profile's name, and its title for a reader.
func (c ciliumCluster) name() (name, title string) {
	name, title = "cilium", "Cilium"
	switch {
	case c.encrypts():
		name, title = name+"-wireguard", title+", WireGuard"
	case c.on("enable-ipsec"):
		name, title = name+"-ipsec", title+", IPsec and not WireGuard"
	case c.on("enable-ztunnel"):
		name, title = name+"-ztunnel", title+", ztunnel and not WireGuard"
	case c.read:
		title += ", WireGuard off"
	default:
		title += ", whose configuration was not read"
	}
	how := map[string]string{
		ciliumNative: "native routing", ciliumVXLAN: "tunnel (VXLAN)", ciliumGeneve: "tunnel (Geneve)",
	}
	return name + "-" + c.routing(), title + ", " + how[c.routing()]
}

// scope is what Cilium's encryption leaves out by design (cilium
// Documentation/security/network/encryption-wireguard.rst).
func (c ciliumCluster) scope() []Scope {
	if !c.encrypts() {
		return nil
	}
	const programs = "; what its programs decide for other packets cannot be read, it was captured on every link"
	lines := []Scope{{
		What: "pods that a node does not know yet",
		Why:  "without strict mode a packet to an address that the agent has not learned leaves unencrypted" + programs,
	}}
	if c.strict() {
		lines[0] = Scope{
			What: "pods outside of the strict mode's range",
			Why:  "inside of " + c.strictRange() + " a node drops what it would have to send unencrypted" + programs,
		}
	}
	lines = append(lines, c.nodeScope())
	if c.config["enable-l7-proxy"] != "false" {
		lines[1].Why += "; what its L7 proxy sends to pods it encrypts, which was not tried"
	}
	if id := c.config["cluster-id"]; id != "" && id != "0" {
		lines = append(lines,
			Scope{What: "pods of other clusters of a mesh", Why: "only nodes of this cluster were tested"})
	}
	return lines
}

func (c ciliumCluster) strictRange() string {
	for _, option := range []string{"encryption-strict-egress-cidr", "encryption-strict-mode-cidr"} {
		if cidr := c.config[option]; cidr != "" {
			return cidr
		}
	}
	return "the range that is configured"
}

// optOutLabels selects the nodes that opt out of the encryption of their own traffic. It
// is a selector of labels, and an empty one selects all nodes.
func (c ciliumCluster) optOutLabels() string {
	if own, set := c.config["node-encryption-opt-out-labels"]; set {
		return own
	}
	return "node-role.kubernetes.io/control-plane" // pkg/wireguard/agent, the default
}

// optedOut reports whether a node does not encrypt its own traffic where the others
// do. Its agent publishes that; in recordings of earlier versions the selector says it,
// as far as the labels that it names were read.
func (c ciliumCluster) optedOut(n *graph.Node) bool {
	if !c.on("encrypt-node") {
		return false
	}
	if takesPart := n.Node.NodeEncryption; takesPart != nil {
		return !*takesPart
	}
	selector, err := labels.Parse(c.optOutLabels())
	return err == nil && selector.Matches(labels.Set(n.Labels))
}

// opted counts the nodes that opt out.
func (c ciliumCluster) opted() int { return counted(c.g, c.optedOut) }

// nodeScope is about traffic of the nodes themselves.
func (c ciliumCluster) nodeScope() Scope {
	why, opted := "", c.opted()
	switch {
	case !c.on("encrypt-node"):
		why = "encrypt-node is off: Cilium encrypts only what goes from pod to pod"
	case opted == len(c.g.Nodes):
		why = fmt.Sprintf("encrypt-node is on, and no agent takes part in it (node-encryption-opt-out-labels: %q)",
			c.optOutLabels())
	}
	if why != "" {
		return Scope{What: "pods to nodes, nodes to pods, NodePort's second hop", Why: why}
	}
	why = "encrypt-node is on, and was not tried: the test pods are not hosts"
	if slices.Contains(c.g.AskedClasses(), evidence.ClassNodeNode) {
		why = "encrypt-node is on: the table of classes shows what was seen of it"
	}
	if opted > 0 {
		why += fmt.Sprintf("; %d of %d nodes opt out of it (node-encryption-opt-out-labels), not of that of their pods",
			opted, len(c.g.Nodes))
	}
	return Scope{What: "nodes to nodes", Why: why}
}
