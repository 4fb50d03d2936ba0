package policy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// firstKernel is the first release of Linux with WireGuard (kernelnewbies.org, Linux 5.6).
const firstKernel = "5.6"

// maxProposed is how many findings a proposal has waivers for.
const maxProposed = 20

// Propose writes a policy to begin with, with comments: of a survey what the API
// says of the nodes, of a run also what was seen. It requires what is true now, and
// grants nothing: what is not fine becomes a waiver that is commented out.
func Propose(j *check.Judgement) []byte {
	p := &proposal{Judgement: j, seen: len(j.Graph.Nodes) > 0 && j.Graph.Nodes[0].Hello.Kernel != ""}
	p.head()
	p.families()
	p.sets()
	p.implementation()
	p.preshared()
	p.kernel()
	p.line("  # The oldest last handshake of a peer at the end of the run.")
	p.line("  maximumHandshakeAge: 3m")
	p.warnings()
	p.waivers()
	return []byte(p.String())
}

type proposal struct {
	strings.Builder
	*check.Judgement
	seen bool // nodes were looked at, not only surveyed
}

func (p *proposal) line(format string, args ...any) {
	fmt.Fprintf(p, format, args...)
	p.WriteByte('\n')
}

// quoted is a text of the cluster as YAML reads it: JSON's form is valid there, and
// keeps to one line.
func quoted(text string) string {
	encoded, _ := json.Marshal(text) // of a string it never fails
	return string(encoded)
}

func (p *proposal) head() {
	p.line("# An acceptance policy for kubectl wg verify --policy FILE. Review every line: it")
	p.line("# requires what is true of the cluster now. All fields: kubectl wg policy schema")
	p.line("#")
	p.line("# Network: %s", quoted(p.Profile.Title))
	if !p.seen {
		p.line("# Made of what the API server says; a recording says more: --from RECORDING")
	}
	p.line("apiVersion: %s", APIVersion)
	p.line("kind: %s", Kind)
	p.line("name: %s", quoted(cmp.Or(p.Graph.Cluster.Context, "cluster")))
	p.line("")
	p.line("# What must be true besides the verdict PASS. Remove what you do not require.")
	p.line("require:")
}

// families writes those that the run tested, or that nodes have pod ranges of.
func (p *proposal) families() {
	found := slices.Clone(p.Graph.Run.Families)
	for _, n := range p.Graph.Nodes {
		for _, prefix := range n.PodCIDRs {
			family := 6
			if prefix.Addr().Is4() {
				family = 4
			}
			if !p.seen && !slices.Contains(found, family) {
				found = append(found, family)
			}
		}
	}
	slices.Sort(found)
	p.line("  # Address families that must be tested.")
	if len(found) == 0 {
		p.line("  # families: [4]")
		return
	}
	p.line("  families: [%s]", strings.ReplaceAll(strings.Trim(fmt.Sprint(found), "[]"), " ", ", "))
	if len(found) == 2 {
		return
	}
	p.line("  # The pods of this cluster have one family only.")
}

func (p *proposal) sets() {
	p.line("  # Sets of nodes between which all directions must be tested. Besides all: true")
	p.line("  # there are names: [a, b] and selector: topology.kubernetes.io/zone=a")
	p.line("  nodes:")
	p.line("    - name: every node # %d now", len(p.Graph.Nodes)+len(p.Graph.Excluded))
	p.line("      all: true")
	if p.seen && !p.Graph.Pairs.All() {
		p.line("      pairs: tested # the run did not test all directions")
	}
}

func (p *proposal) implementation() {
	p.line("  # Only the kernel's WireGuard, no userspace program, carries pod traffic.")
	userspace := false
	known := p.seen
	for _, n := range p.Graph.Nodes {
		for _, family := range p.Graph.Run.Families {
			d := n.Carrier(family).Device
			known = known && d != nil
			userspace = userspace || d != nil && d.Userspace
		}
	}
	switch {
	case userspace:
		p.line("  # kernelImplementation: true # not true now")
	case known:
		p.line("  kernelImplementation: true")
	default:
		p.line("  # kernelImplementation: true # not known from a survey")
	}
}

func (p *proposal) preshared() {
	p.line("  # Every peer has a preshared key.")
	edges, without := 0, 0
	for _, n := range p.Graph.Nodes {
		for e := range p.Graph.EdgesFrom(n) {
			if edges++; e.Peer == nil || !e.Peer.Preshared {
				without++
			}
		}
	}
	if p.seen && edges > 0 && without == 0 {
		p.line("  presharedKeys: true")
		return
	}
	p.line("  # presharedKeys: true")
}

// kernel requires the oldest of the nodes' kernels, so that none is ever older.
func (p *proposal) kernel() {
	var oldest release
	text := ""
	for _, n := range p.Graph.Nodes {
		r, err := parseRelease(kernelOf(n))
		if err == nil && (text == "" || r.before(oldest)) {
			oldest, text = r, fmt.Sprintf("%d.%d", r[0], r[1])
		}
	}
	p.line("  # The oldest kernel of a node; %s is the first with WireGuard.", firstKernel)
	p.line("  minimumKernel: %s", quoted(cmp.Or(text, firstKernel)))
}

func kernelOf(n *graph.Node) string { return cmp.Or(n.Hello.Kernel, n.Kernel) }

func (p *proposal) warnings() {
	p.line("")
	p.line("# Warnings that count as failures, by code, or all.")
	var codes []string
	for _, t := range p.Totals.Checks {
		if p.seen && t.Statuses[verdict.Warn] > 0 {
			codes = append(codes, t.Code)
		}
	}
	p.line("warnings:")
	if len(codes) > 0 {
		p.line("  # There are now: %s", strings.Join(codes, ", "))
	}
	p.line("  fail: []")
}

func (p *proposal) waivers() {
	p.line("")
	p.line("# Exceptions. Each needs a reason, an owner and a last day, and stands in every")
	p.line("# report; one that is over fails. Plaintext cannot be waived.")
	p.line("waivers: []")
	day := endOf(p.Judgement).AddDate(0, 1, 0).Format(time.DateOnly)
	if !p.seen {
		p.example("WG0102", "", "waits for a new disk", day)
		return
	}
	for i := range p.Causes[:min(len(p.Causes), maxProposed)] {
		if c := &p.Causes[i]; c.Kind != verdict.Plaintext {
			node := c.Subject.Node
			if c.Count > 1 {
				node = ""
			}
			p.example(c.Code, node, c.Text, day)
		}
	}
}

func (p *proposal) example(code, node, reason, day string) {
	p.line("# - code: %s", code)
	if node != "" {
		p.line("#   node: %s", quoted(node))
	}
	p.line("#   reason: %s", quoted(strings.ToValidUTF8(reason[:min(len(reason), maxText)], "")))
	p.line("#   owner: \"\"")
	p.line("#   expires: %s", day)
}
