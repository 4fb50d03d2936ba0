package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// htmlMesh is the matrix of all directions in one family: as a table, or as a map
// that the page's script draws.
type htmlMesh struct {
	Title string
	Label string
	Names []string
	Rows  []htmlRow
	Index int // among the meshes of htmlData
	Size  int // blocks in a row of the map
}

type htmlRow struct {
	Name  string
	Cells []htmlCell
}

type htmlCell struct{ Class, Mark, Title, Label, Link string }

type htmlNode struct{ Node, Sending, Receiving string }

// htmlData is what the script reads.
type htmlData struct {
	Meshes []htmlMap `json:"meshes"`
}

// htmlMap is a mesh for the script: the names of the nodes, and a letter for each
// direction, sender by sender, in runs: p12f1.
type htmlMap struct {
	Nodes []string `json:"nodes"`
	Cells string   `json:"cells"`
	Links int      `json:"links"` // the family, in the IDs of directions
}

const (
	// maxTable is how many nodes a mesh may have to be a table.
	maxTable = 16
	// maxMap is how many blocks a row of a map has, as many as a screen shows: above,
	// each stands for several nodes and has the gravest of their statuses.
	maxMap = 500
	// maxUnproven is how many nodes with directions that are not proven are listed.
	maxUnproven = 15
)

// legend are the statuses of a direction on the mesh.
var legend = []htmlCell{
	{Class: "pass", Mark: "✓", Title: "proven"},
	{Class: classLeak, Mark: "✗", Title: "seen in plaintext"},
	{Class: "fail", Mark: "✗", Title: "failed"},
	{Class: "inconclusive", Mark: "?", Title: "not proven"},
	{Class: "none", Mark: "", Title: "not tested"},
}

func (b *htmlBuilder) mesh(p *htmlPage) {
	nodes := len(b.Graph.Nodes)
	if b.d.Totals.Pairs == 0 || len(b.Proofs) != nodes*nodes*len(b.Graph.Run.Families) {
		return
	}
	p.Legend = legend
	if b.Graph.Pairs.All() {
		p.Legend = legend[:len(legend)-1]
	}
	leaks := b.leaks()
	for f, family := range b.Graph.Run.Families {
		m := htmlMesh{Index: len(p.Data.Meshes)}
		if len(b.Graph.Run.Families) > 1 {
			m.Title = fmt.Sprintf("IPv%d", family)
		}
		if nodes <= maxTable {
			b.table(&m, p, f, leaks)
		} else {
			m.Size = min(nodes, maxMap)
			m.Label = fmt.Sprintf("%s of %s directions between %s proven.", grouped(good(b.d.Totals.Statuses)),
				grouped(b.d.Totals.Pairs), Count(nodes, "node"))
			p.Data.Meshes = append(p.Data.Meshes, b.forScript(f, leaks))
		}
		p.Meshes = append(p.Meshes, m)
	}
	b.unproven(p)
}

// leaks are the directions of which a packet was seen in clear, by their place in
// Proofs, as far as they are listed.
func (b *htmlBuilder) leaks() map[int]bool {
	leaks := map[int]bool{}
	for i := range b.d.Pairs {
		pair := &b.d.Pairs[i]
		from, to := b.Graph.Node(pair.Node), b.Graph.Node(pair.Peer)
		if from == nil || to == nil || pair.Steps[verdict.P3NoPlaintext] != verdict.Fail {
			continue
		}
		for f, family := range b.Graph.Run.Families {
			if family == pair.Family {
				leaks[b.place(from.Place(), to.Place(), f)] = true
			}
		}
	}
	return leaks
}

// place is that of a direction in Proofs.
func (b *htmlBuilder) place(from, to, family int) int {
	return (from*len(b.Graph.Nodes)+to)*len(b.Graph.Run.Families) + family
}

// table writes a mesh of a few nodes as a table whose cells lead to the proofs.
func (b *htmlBuilder) table(m *htmlMesh, p *htmlPage, f int, leaks map[int]bool) {
	listed := map[string]bool{}
	for i := range b.d.Pairs[:min(len(b.d.Pairs), maxDirections)] {
		listed[b.id(b.d.Pairs[i].Subject)] = true
	}
	for from, sender := range b.Graph.Nodes {
		m.Names = append(m.Names, sender.Name)
		row := htmlRow{Name: sender.Name}
		for to, receiver := range b.Graph.Nodes {
			cell := htmlCell{}
			if at := b.place(from, to, f); b.Proofs[at] != 0 {
				cell = cellOf(b.Proofs[at], leaks[at])
				cell.Label = fmt.Sprintf("%s to %s: %s", sender.Name, receiver.Name, cell.Title)
				if id := directionID(from, to, b.Graph.Run.Families[f]); listed[id] {
					cell.Link = id
				}
			}
			row.Cells = append(row.Cells, cell)
		}
		m.Rows = append(m.Rows, row)
	}
}

// cellOf is the line of the legend for a status.
func cellOf(status verdict.Status, leak bool) htmlCell {
	switch {
	case leak:
		return legend[1]
	case status == verdict.Fail:
		return legend[2]
	case status == verdict.Inconclusive:
		return legend[3]
	}
	return legend[0]
}

// letters are the statuses of a direction in what the script reads.
var letters = map[verdict.Status]byte{
	0: 'n', verdict.NotApplicable: 'n', verdict.Pass: 'p', verdict.Warn: 'w', verdict.Inconclusive: 'i', verdict.Fail: 'f',
}

func (b *htmlBuilder) forScript(f int, leaks map[int]bool) htmlMap {
	m := htmlMap{Links: b.Graph.Run.Families[f]}
	for _, n := range b.Graph.Nodes {
		m.Nodes = append(m.Nodes, clean(n.Name))
	}
	var runs strings.Builder
	var last byte
	length := 0
	flush := func() {
		if length > 0 {
			fmt.Fprintf(&runs, "%c%d", last, length)
		}
	}
	for place := f; place < len(b.Proofs); place += len(b.Graph.Run.Families) {
		letter := letters[b.Proofs[place]]
		if leaks[place] {
			letter = 'l'
		}
		if letter != last {
			flush()
			last, length = letter, 0
		}
		length++
	}
	flush()
	m.Cells = runs.String()
	return m
}

// unproven lists the nodes whose directions are not all proven, those with the most
// first.
func (b *htmlBuilder) unproven(p *htmlPage) {
	all := slices.Clone(b.d.Totals.Unproven)
	slices.SortStableFunc(all, func(one, other verdict.NodeTotal) int {
		return other.Sending + other.Receiving - one.Sending - one.Receiving
	})
	for _, n := range all[:min(len(all), maxUnproven)] {
		p.Unproven = append(p.Unproven, htmlNode{
			n.Node, fmt.Sprintf("%s of %s", grouped(n.Sending), grouped(n.Sends)),
			fmt.Sprintf("%s of %s", grouped(n.Receiving), grouped(n.Receives)),
		})
	}
	if left := len(all) - len(p.Unproven); left > 0 {
		p.MoreUnproven = "… and " + Count(left, "more node")
	}
}
