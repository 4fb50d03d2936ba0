package report

import (
	"fmt"
	"strconv"

	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// htmlCause is one cause.
type htmlCause struct {
	Class, Code, Failed, Expected, Found, Where string
	Seen                                        []string
	Follows, Fix, Impact, Note                  string
	Commands                                    []htmlCommand
}

// htmlCommand is a command and where to run it.
type htmlCommand struct{ Where, Command string }

// htmlStep is one step of the proof, over all directions or of one.
type htmlStep struct {
	Class, Mark, Step, Title, Good, Total, Figures, Word, Note string
	Value, Max                                                 int
}

// htmlDirection is the proof of one direction.
type htmlDirection struct {
	Class, Mark, Name, Word, ID string
	Steps                       []htmlStep
	Figures                     []htmlFact
}

type htmlClass struct{ Class, Mark, Title, Words, Why string }

type htmlScope struct{ Class, Word, What, Why string }

const (
	classLeak = "leak"
	// maxDirections is how many directions have their proof on the page.
	maxDirections = 200
	// maxPageCauses is how many causes are on the page: more than on a terminal.
	maxPageCauses = 20
)

// statusWords are the statuses as the page writes them.
var statusWords = map[verdict.Status]string{
	verdict.Pass: "holds", verdict.Warn: "holds, with a warning", verdict.Fail: "failed",
	verdict.Inconclusive: "not proven", verdict.NotApplicable: "not applicable",
}

func (b *htmlBuilder) causes(p *htmlPage) {
	p.CausesTitle = "The cause"
	if len(b.d.Causes) > 1 {
		p.CausesTitle = "The causes, the gravest first"
	}
	for i := range b.d.Causes {
		if i == maxPageCauses {
			p.MoreCauses = fmt.Sprintf("… and %s, see -o json.", Count(len(b.d.Causes)-i, "further cause"))
			return
		}
		p.Causes = append(p.Causes, b.cause(&b.d.Causes[i]))
	}
}

func (b *htmlBuilder) cause(c *cause) htmlCause {
	one := htmlCause{
		Class: c.Status.String(), Code: c.Code, Failed: c.Failed, Expected: sentence(c.Title), Found: sentence(c.Text),
	}
	if c.Kind == verdict.Plaintext {
		one.Class = classLeak
	}
	if c.Count > 1 {
		one.Where = b.names.of(c.Subjects, c.Count)
	}
	if c.Leak != nil {
		one.Seen = append(one.Seen, sentence(c.Leak.Text))
	}
	for _, r := range c.Readings {
		if !r.Raw {
			one.Seen = append(one.Seen, inWords(r))
		}
	}
	follows := 0
	for _, consequence := range c.Consequences {
		follows += consequence.Count
	}
	if follows > 0 {
		one.Follows = Count(follows, "more finding")
	}
	if c.Remedy == nil {
		one.Fix = "none is known; kubectl wg explain " + c.Code + " says what the check reads"
		return one
	}
	one.Fix, one.Note = sentence(c.Remedy.Title), c.Remedy.Note
	if c.Remedy.Disruption != "" {
		one.Impact = sentence(c.Remedy.Disruption)
	}
	one.Commands = commandsOf(c)
	return one
}

// commandsOf are the steps of a fix, a bounded number, and what verifies it.
func commandsOf(c *cause) (all []htmlCommand) {
	for i, s := range joined(c.Remedy.Steps) {
		if i == maxSteps {
			break
		}
		where := stepPlace(s)
		if len(s.on) > 2*few && s.on[0] != remedy.Operator {
			where = fmt.Sprintf("on %s and %d more, as root", listed(s.on[:few]), len(s.on)-few)
		}
		all = append(all, htmlCommand{where, s.command})
	}
	return append(all, htmlCommand{"to verify again", c.Verify})
}

// proof writes how many directions each step holds for; of a PASS with what it
// rests on.
func (b *htmlBuilder) proof(p *htmlPage) {
	if b.d.Totals.Pairs == 0 {
		return
	}
	figures := map[verdict.Proof]string{}
	if b.d.Verdict == verdict.Passed {
		figures = newText(b.Judgement, Options{}, full).figures()
	}
	for _, step := range b.d.Totals.Steps {
		status := worst(step.Statuses)
		class := status.String()
		if step.Step == verdict.P3NoPlaintext && status == verdict.Fail {
			class = classLeak
		}
		holds := good(step.Statuses)
		p.Steps = append(p.Steps, htmlStep{
			Class: class, Mark: marks[status], Step: string(step.Step), Title: step.Title, Good: grouped(holds),
			Total: grouped(b.d.Totals.Pairs), Figures: figures[step.Step], Value: holds, Max: b.d.Totals.Pairs,
		})
	}
}

func (b *htmlBuilder) classes(p *htmlPage) {
	for i := range b.d.Classes {
		row := &b.d.Classes[i]
		status := cellStatuses[row.Cell]
		p.Classes = append(p.Classes, htmlClass{status.String(), marks[status], row.Title, row.words(), row.Why})
	}
}

// directions writes the proof of those directions that the report lists.
func (b *htmlBuilder) directions(p *htmlPage) {
	shown := b.d.Pairs[:min(len(b.d.Pairs), maxDirections)]
	for i := range shown {
		p.Directions = append(p.Directions, b.direction(&shown[i]))
	}
	p.DirectionsAbout = fmt.Sprintf("The eight steps and what was counted, of all %s.", Count(len(shown), "direction"))
	if all := b.d.Totals.Pairs; len(shown) < all {
		p.DirectionsAbout = fmt.Sprintf("The eight steps and what was counted, of %s of %s: those that are not proven, "+
			"as far as there is room.", grouped(len(shown)), Count(all, "direction"))
	}
}

func (b *htmlBuilder) direction(p *pair) htmlDirection {
	one := htmlDirection{
		Class: p.Status.String(), Mark: marks[p.Status], Name: b.names.one(p.Subject), ID: b.id(p.Subject),
		Word: "proven", Figures: p.Figures.facts(),
	}
	switch {
	case p.Steps[verdict.P3NoPlaintext] == verdict.Fail:
		one.Class, one.Word = classLeak, "seen in plaintext"
	case p.Status >= verdict.Inconclusive:
		one.Word = statusWords[p.Status]
	}
	for _, proof := range verdict.Proofs {
		status := p.Steps[proof.Step]
		one.Steps = append(one.Steps, htmlStep{
			Class: status.String(), Mark: marks[status], Step: string(proof.Step), Title: proof.Title,
			Word: statusWords[status], Note: p.Notes[proof.Step],
		})
	}
	return one
}

// id is the place of a direction on the page, "" for what the run does not have.
func (b *htmlBuilder) id(s verdict.Subject) string {
	from, to := b.Graph.Node(s.Node), b.Graph.Node(s.Peer)
	if from == nil || to == nil {
		return ""
	}
	return directionID(from.Place(), to.Place(), s.Family)
}

func directionID(from, to, family int) string { return fmt.Sprintf("d-%d-%d-%d", from, to, family) }

// facts are the figures of a direction, in the order of the proof.
func (f *figures) facts() []htmlFact {
	return []htmlFact{
		{"Test packets sent", grouped(f.PacketsSent)},
		{"Answered", grouped(f.PacketsAnswered)},
		{"Received", grouped(f.PacketsReceived)},
		{"Largest answered", strconv.Itoa(f.LargestPacket) + " B"},
		{"Entering the tunnel", grouped(f.InTunnelSent)},
		{"Leaving the tunnel", grouped(f.InTunnelReceived)},
		{"Plaintext frames", grouped(f.PlaintextFrames)},
		{"WireGuard data sent", grouped(f.DataMessagesSent)},
		{"WireGuard data received", grouped(f.DataMessagesReceived)},
		{"Captured, sent", grouped(f.CapturedBytesSent) + " B"},
		{"Captured, received", grouped(f.CapturedBytesRecv) + " B"},
		{"Counted by the sender", grouped(f.CounterBytesSent) + " B"},
		{"Counted by the receiver", grouped(f.CounterBytesRecv) + " B"},
		{"Last handshake", fmt.Sprintf("%.0f s before", f.HandshakeAge)},
	}
}

func (b *htmlBuilder) scope(p *htmlPage) {
	for _, s := range b.d.Scope {
		one := htmlScope{"", "Not covered", s.What, s.Why}
		switch {
		case s.Proven:
			one.Class, one.Word = verdict.Pass.String(), "Proven"
		case s.Covered:
			one.Class, one.Word = statusOf(b.d.Verdict).String(), "Not proven"
		}
		p.Scope = append(p.Scope, one)
	}
}

// recompute says how to come to the same verdict from the recording.
func (b *htmlBuilder) recompute(p *htmlPage) {
	command := b.d.recompute()
	if command == "" {
		return
	}
	sum := shellWord(b.d.Recording.SHA256 + "  " + b.d.Recording.Name)
	p.Recompute = []htmlCommand{
		{"check that it is the recording of this report", "echo " + sum + " | sha256sum --check"},
		{"judge it again", command},
		{"make this page again", command + " -o html > report.html"},
	}
}
