package check

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Cell is what was shown of the packets of a class between two nodes.
type Cell string

// The cells, the gravest first. What was seen decides, not what is configured.
const (
	CellLeak      Cell = "leak"          // seen in clear, though the network promises to encrypt it
	CellNotProven Cell = "notProven"     // nothing in clear was seen, nor all of it in the tunnel
	CellByDesign  Cell = "clearByDesign" // seen in clear, as is to be expected of this network
	CellDropped   Cell = "dropped"       // none left its node, in whatever form
	CellEncrypted Cell = "encrypted"     // all that arrived went through WireGuard, nothing was seen in clear
)

// Cells are all cells, the gravest first.
var Cells = []Cell{CellLeak, CellNotProven, CellByDesign, CellDropped, CellEncrypted}

// ClassCell is one class of one pair and family, with the reason for its cell.
type ClassCell struct {
	Class    evidence.Class `json:"class"`
	Cell     Cell           `json:"cell"`
	Promised bool           `json:"promised"` // the network promises to encrypt it
	Why      string         `json:"why"`
}

// ClassNames are the names of the classes for a reader.
var ClassNames = map[evidence.Class]string{
	evidence.ClassClusterIP:   "pod → ClusterIP of a remote pod",
	evidence.ClassNodePort:    "pod → NodePort at its own node",
	evidence.ClassNodePortFar: "pod → NodePort at the remote node",
	evidence.ClassPodNode:     "pod → remote node",
	evidence.ClassNodePod:     "node → remote pod",
	evidence.ClassNodeNode:    "node → remote node",
	evidence.ClassDNS:         "pod → remote pod of the DNS",
	evidence.ClassEnded:       "pod → remote pod that has ended",
}

// ClassesOf returns the cells of all classes that were asked for, of one edge.
func (j *Judgement) ClassesOf(e *graph.Edge) (cells []ClassCell) {
	for _, class := range e.AskedClasses() {
		c := classed(&j.Profile, e, class)
		cells = append(cells, ClassCell{class, c.cell, c.promise.Encrypted, c.why})
	}
	return cells
}

// judgedClass is one class of an edge as it is judged.
type judgedClass struct {
	*graph.ClassEdge
	promise profile.Promise
	cell    Cell
	why     string
	clear   []graph.Leak // of those seen in clear, what counts
}

// classed judges a class of an edge by what was seen of it.
func classed(p *profile.Profile, e *graph.Edge, class evidence.Class) *judgedClass {
	c := &judgedClass{ClassEdge: e.Class(class), promise: p.Promise(class)}
	c.clear = offPodLinks(e.Graph(), c.Clear)
	if class == evidence.ClassDNS {
		c.clear = slices.DeleteFunc(c.clear, c.passedOn)
	}
	untranslated := len(c.clear)
	if class == evidence.ClassClusterIP && c.Into >= c.Received && c.OutOf >= c.Received {
		c.clear = slices.DeleteFunc(c.clear, c.untranslated)
	}
	untranslated -= len(c.clear)
	podToPod := slices.ContainsFunc(c.clear, c.betweenPods)
	switch {
	case len(c.clear) > 0 && (c.promise.Encrypted || podToPod):
		c.cell, c.why = CellLeak, fmt.Sprintf("%s seen in clear", plural(c.inClear(), "packet"))
	case len(c.clear) > 0:
		c.cell = CellByDesign
		c.why = fmt.Sprintf("%s seen in clear: %s", plural(c.inClear(), "packet"), cmp.Or(c.promise.Why,
			"this network promises nothing of it"))
	default:
		c.cell, c.why = c.outOfSight(e, untranslated)
	}
	return c
}

// outOfSight judges a class of which nothing was seen in clear.
func (c *judgedClass) outOfSight(e *graph.Edge, untranslated int) (cell Cell, why string) {
	if why := c.lacks(e, untranslated); why != "" {
		return CellNotProven, why
	}
	switch {
	case c.Class != evidence.ClassEnded:
		return CellEncrypted, fmt.Sprintf("%s and %s seen in the tunnel, entering and leaving",
			plural(uint64(c.Received), "packet"), plural(uint64(c.Answered), "answer"))
	case c.Into == 0:
		return CellDropped, fmt.Sprintf("none of %s left %s", plural(uint64(c.Sent), "packet"), c.From.Name)
	case c.Into < c.Sent:
		return CellEncrypted, fmt.Sprintf("%d of %s seen entering the tunnel, the others did not leave %s", c.Into,
			plural(uint64(c.Sent), "packet"), c.From.Name)
	}
	return CellEncrypted, fmt.Sprintf("%s seen entering the tunnel", plural(uint64(c.Into), "packet"))
}

// passedOn reports whether a question was seen leaving the node of the server that it
// was for, or the answer coming there: the server asks another one, which is no pod of
// the two nodes.
func (c *judgedClass) passedOn(leak graph.Leak) bool {
	return leak.On == c.To.Name && leak.Answer == (leak.Direction == evidence.DirectionRX) && !c.betweenPods(leak)
}

// untranslated reports whether a packet was seen in clear with the address of the
// Service itself, before a node knew what it stands for. No pod got it. Only where
// all that arrived was seen in the tunnel is it known that none was taken on from
// there.
func (c *judgedClass) untranslated(leak graph.Leak) bool {
	return !leak.Answer && leak.OuterTarget == c.Addr.Addr() && encapsulation(leak.Layers) == ""
}

// betweenPods reports whether a packet has the addresses of pods of both nodes, as a
// hop to a Service can have where nothing masquerades it. It is pod traffic then,
// whatever is promised of its class.
func (c *judgedClass) betweenPods(leak graph.Leak) bool {
	source, target := leak.OuterSource, leak.OuterTarget
	if leak.InnerSource.IsValid() && leak.InnerTarget.IsValid() {
		source, target = leak.InnerSource, leak.InnerTarget
	}
	at := func(n *graph.Node, ip netip.Addr) bool {
		return ip.IsValid() && slices.ContainsFunc(podRanges(n, family(ip)), func(p netip.Prefix) bool {
			return p.Contains(ip)
		})
	}
	return at(c.From, source) && at(c.To, target) || at(c.To, source) && at(c.From, target)
}

// inClear counts the frames that were seen in clear.
func (c *judgedClass) inClear() (sum uint64) {
	for _, leak := range c.clear {
		sum += leak.Count
	}
	return sum
}

// lacks reports what of a class that was not seen in clear is not proven, empty if all
// of it went through the tunnel.
func (c *judgedClass) lacks(e *graph.Edge, untranslated int) string {
	from, to := c.From.Name, c.To.Name
	switch {
	case unverifiedEnd(e) != "":
		return unverifiedEnd(e)
	case uncontrolledEnd(e) != "":
		return "no control packet was seen on " + uncontrolledEnd(e) + ": a leak there could have been missed"
	case c.Class == evidence.ClassEnded && !c.Ended:
		return "the new pod on " + to + " had not ended"
	case c.Sent == 0 && c.Error != "":
		return fmt.Sprintf("nothing could be sent: %s", c.Error)
	case c.Sent == 0:
		return "nothing was sent" + noTarget(e.Graph(), c.Class)
	case c.Class == evidence.ClassEnded && c.IntoOther > c.Into:
		return fmt.Sprintf("%s seen entering a tunnel of %s that is not WireGuard's",
			plural(uint64(c.IntoOther), "packet"), from)
	case c.Class == evidence.ClassEnded:
		return "" // nobody is there to receive or to answer
	case c.Received == 0 && untranslated > 0:
		return fmt.Sprintf("the address of the Service was not translated on %s: is there a kube-proxy?", from)
	case c.Received == 0 && classScope(c.Class) == evidence.ScopeServices:
		return fmt.Sprintf("none of %d packets arrived: is the Service's address translated on %s?", c.Sent, from)
	case c.Received == 0 && c.Class == evidence.ClassDNS:
		return fmt.Sprintf("none of %d questions to %s was answered", c.Sent, c.Addr)
	case c.Received == 0:
		return fmt.Sprintf("none of %d packets arrived", c.Sent)
	case c.Answered == 0:
		return fmt.Sprintf("%d packets arrived, and no answer came back", c.Received)
	case c.Into < c.Received || c.OutOf < c.Received:
		return fmt.Sprintf("%d packets arrived at %s, only %d were seen entering WireGuard on %s and %d leaving "+
			"it on %s", c.Received, to, c.Into, from, c.OutOf, to)
	case c.AnswersInto < c.Answered || c.AnswersOutOf < c.Answered:
		return fmt.Sprintf("%d answers came back to %s, only %d were seen entering WireGuard on %s and %d leaving "+
			"it on %s", c.Answered, from, c.AnswersInto, to, c.AnswersOutOf, from)
	}
	return ""
}

// noTarget is why there may be nothing to send to, empty if that is not known.
func noTarget(g *graph.Graph, class evidence.Class) string {
	of := map[string]string{evidence.ScopeServices: "service", evidence.ScopeDNS: "DNS"}
	for _, p := range g.Problems {
		if p.What == of[classScope(class)] {
			return ": " + p.Text
		}
	}
	return ""
}

func classScope(class evidence.Class) string { return evidence.Classes[class.Number()-1].Scope }

// uncontrolledEnd names the link of one of the two nodes on which no control was
// seen, empty if there is none.
func uncontrolledEnd(e *graph.Edge) string {
	for _, n := range [...]*graph.Node{e.From, e.To} {
		if n.Uncontrolled != "" {
			return n.Uncontrolled + " of " + n.Name
		}
	}
	return ""
}

// classes judges the packets of an edge that are not from pod to pod. What the
// network does not promise to encrypt fails nothing.
func (v *view) classes(e *graph.Edge) verdict.Outcome {
	var leaking, lacking *judgedClass
	encrypted, dropped, clear, unproven := 0, "", 0, 0
	for _, class := range e.AskedClasses() {
		c := classed(&v.Profile, e, class)
		switch {
		case c.cell == CellEncrypted:
			encrypted++
		case c.cell == CellDropped:
			dropped = ", one dropped"
		case c.cell == CellByDesign:
			clear++
		case c.cell == CellLeak && leaking == nil:
			leaking = c
		case c.cell == CellNotProven && c.promise.Encrypted && lacking == nil:
			lacking = c
		case c.cell == CellNotProven:
			unproven++
		}
	}
	switch {
	case leaking != nil:
		return v.classLeak(leaking)
	case lacking != nil:
		return unknown("%s, from %s to %s: %s", ClassNames[lacking.Class], e.From.Name, e.To.Name, lacking.why)
	}
	return pass("%d classes encrypted%s, %d in clear by design, %d of which nothing is promised not proven",
		encrypted, dropped, clear, unproven)
}

// classLeak describes packets of a class in clear that the network promises to
// encrypt.
func (v *view) classLeak(c *judgedClass) verdict.Outcome {
	what := fmt.Sprintf("traffic of the class %q from %s to %s", ClassNames[c.Class], c.From.Name, c.To.Name)
	out := leaked(v.Graph, what, c.clear)
	if c.Class == evidence.ClassEnded {
		out.Variant = "ended"
		if c.OutOf > 0 && !slices.ContainsFunc(c.clear, c.beforeTunnel) {
			out.Variant = "forwarded"
		}
	}
	return out
}

// beforeTunnel reports whether a packet was seen in clear elsewhere than where it leaves
// the node again that it came to through the tunnel.
func (c *judgedClass) beforeTunnel(leak graph.Leak) bool {
	return leak.On != c.To.Name || leak.Direction != evidence.DirectionTX
}
