package report

import (
	"crypto/sha256"
	_ "embed" // the page, its style sheet and its script
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

//go:embed page/page.html
var pageSource string

//go:embed page/page.css
var pageStyle string

//go:embed page/page.js
var pageScript string

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

// htmlPage is what the template of the page fills in. Everything in it but Style
// and Script is text, which the template escapes.
type htmlPage struct {
	Policy          string
	Style           template.CSS
	Script          template.JS
	Data            htmlData
	Verdict         verdict.Verdict
	Mark, Class     string
	Headline, Sum   string
	Notes           []string
	Parts           []htmlPart
	CausesTitle     string
	Causes          []htmlCause
	MoreCauses      string
	Steps           []htmlStep
	Legend          []htmlCell
	Meshes          []htmlMesh
	Unproven        []htmlNode
	MoreUnproven    string
	Classes         []htmlClass
	DirectionsAbout string
	Directions      []htmlDirection
	Warnings        []warned
	Advice          []advised
	Timeline        []htmlPhase
	Facts           []htmlFact
	Scope           []htmlScope
	Recompute       []htmlCommand
	Version         string
}

// htmlPart is a link to a part of the page.
type htmlPart struct{ ID, Title string }

// htmlFact is a name and a value.
type htmlFact struct{ Title, Value string }

// writeHTML writes one page without references to anything else. Its policy lets
// it run its own script and style sheet, by their sums, and load nothing.
func writeHTML(w io.Writer, j *check.Judgement, options Options) error {
	d := newDocument(j, options)
	b := &htmlBuilder{Judgement: j, d: &d, names: newNames(j)}
	var text strings.Builder
	if err := pageTemplate.Execute(&text, b.page()); err != nil {
		return fmt.Errorf("writing the report as html: %w", err)
	}
	_, err := io.WriteString(w, Printable(text.String()))
	return err
}

// contentPolicy is the page's Content-Security-Policy.
func contentPolicy() string {
	return fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'",
		sourceHash(pageStyle), sourceHash(pageScript))
}

func sourceHash(source string) string {
	sum := sha256.Sum256([]byte(source))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// htmlBuilder makes a page of a judgement, a part at a time.
type htmlBuilder struct {
	*check.Judgement
	d     *document
	names names
}

func (b *htmlBuilder) page() *htmlPage {
	d := b.d
	p := &htmlPage{
		Policy: contentPolicy(), Style: template.CSS(pageStyle), Script: template.JS(pageScript),
		Verdict: d.Verdict, Mark: marks[statusOf(d.Verdict)], Class: statusOf(d.Verdict).String(),
		Headline: clean(d.Headline), Sum: (&markdown{document: d}).sum(), Notes: d.Notes,
		Warnings: d.warned(), Advice: d.Advice, Version: clean(d.Run.Version),
	}
	if d.FailureKind == verdict.Plaintext {
		p.Class = classLeak
	}
	b.causes(p)
	b.proof(p)
	b.mesh(p)
	b.classes(p)
	b.directions(p)
	b.timeline(p)
	b.scope(p)
	b.recompute(p)
	p.Parts = parts(p)
	return p
}

// parts are the links to the parts that the page has.
func parts(p *htmlPage) (all []htmlPart) {
	for _, part := range []struct {
		has bool
		htmlPart
	}{
		{len(p.Causes) > 0, htmlPart{"causes", "Causes"}},
		{len(p.Steps) > 0, htmlPart{"proof", "Proof"}},
		{len(p.Meshes) > 0, htmlPart{"mesh", "Mesh"}},
		{len(p.Classes) > 0, htmlPart{"classes", "Endpoints"}},
		{len(p.Directions) > 0, htmlPart{"directions", "Directions"}},
		{len(p.Warnings)+len(p.Advice) > 0, htmlPart{"notes", "Warnings"}},
		{true, htmlPart{"timeline", "Run"}},
		{true, htmlPart{"scope", "Scope"}},
		{true, htmlPart{"recompute", "Recompute"}},
	} {
		if part.has {
			all = append(all, part.htmlPart)
		}
	}
	return all
}
