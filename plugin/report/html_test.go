package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// parsedPage is a page by its elements, as a browser reads it.
type parsedPage struct {
	elements []*html.Node
	ids      map[string]*html.Node
}

func parsePage(t *testing.T, name, text string) parsedPage {
	t.Helper()
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	p := parsedPage{ids: map[string]*html.Node{}}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		p.elements = append(p.elements, n)
		if id := attribute(n, "id"); id != "" {
			if p.ids[id] != nil {
				t.Errorf("%s: two elements have the id %s", name, id)
			}
			p.ids[id] = n
		}
	}
	return p
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func (p *parsedPage) all(tag string) (some []*html.Node) {
	for _, n := range p.elements {
		if n.Data == tag {
			some = append(some, n)
		}
	}
	return some
}

func content(n *html.Node) string {
	var b strings.Builder
	for one := range n.Descendants() {
		if one.Type == html.TextNode {
			b.WriteString(one.Data)
		}
	}
	return b.String()
}

// A page refers to nothing but its own parts, and its policy allows its own script
// and style sheet alone.
func TestPageLoadsNothing(t *testing.T) {
	forbidden := []string{"link", "img", "iframe", "object", "embed", "form", "base", "audio", "video", "image", "use", "foreignobject"}
	for name, text := range rendered(t, "html") {
		p := parsePage(t, name, text)
		for _, n := range p.elements {
			if slices.Contains(forbidden, strings.ToLower(n.Data)) {
				t.Errorf("%s: <%s>", name, n.Data)
			}
			for _, a := range n.Attr {
				switch {
				case a.Key == "href" && (!strings.HasPrefix(a.Val, "#") || p.ids[a.Val[1:]] == nil):
					t.Errorf("%s: a link to %q", name, a.Val)
				case a.Key == "src", a.Key == "srcset", a.Key == "style", a.Key == "action", strings.HasPrefix(a.Key, "on"):
					t.Errorf("%s: <%s %s=%q>", name, n.Data, a.Key, a.Val)
				}
			}
		}
		styles, scripts := p.all("style"), p.all("script")
		if len(styles) != 1 || len(scripts) != 2 || attribute(scripts[0], "type") != "application/json" {
			t.Fatalf("%s: %d style sheets, %d scripts", name, len(styles), len(scripts))
		}
		policy := ""
		for _, meta := range p.all("meta") {
			if attribute(meta, "http-equiv") == "Content-Security-Policy" {
				policy = attribute(meta, "content")
			}
		}
		want := fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'",
			sourceHash(content(styles[0])), sourceHash(content(scripts[1])))
		if policy != want {
			t.Errorf("%s: policy %q, want %q", name, policy, want)
		}
		if strings.Contains(content(styles[0]), "url(") || strings.Contains(content(styles[0]), "@import") {
			t.Errorf("%s: the style sheet refers to something", name)
		}
	}
}

// What a screen reader needs: a language, one title, headings without gaps, names
// for what can be reached, labels that exist, a caption and headers for each table.
func TestPageStructure(t *testing.T) {
	for name, text := range rendered(t, "html") {
		p := parsePage(t, name, text)
		if lang := attribute(p.all("html")[0], "lang"); lang != "en" {
			t.Errorf("%s: language %q", name, lang)
		}
		if len(p.all("h1")) != 1 || len(p.all("main")) != 1 || !strings.HasPrefix(content(p.all("title")[0]), string(verdicts(t)[name].Verdict)) {
			t.Errorf("%s: heading or title", name)
		}
		level := 0
		for _, n := range p.elements {
			if label := attribute(n, "aria-labelledby"); label != "" && p.ids[label] == nil {
				t.Errorf("%s: there is no label %s", name, label)
			}
			if attribute(n, "tabindex") == "0" && attribute(n, "aria-label") == "" {
				t.Errorf("%s: <%s> can be reached and has no name", name, n.Data)
			}
			if n.Data == "table" && (n.FirstChild == nil || n.FirstChild.NextSibling.Data != "caption") {
				t.Errorf("%s: a table without a caption", name)
			}
			if n.Data == "th" && attribute(n, "scope") == "" {
				t.Errorf("%s: a header of nothing: %s", name, content(n))
			}
			if len(n.Data) == 2 && n.Data[0] == 'h' && n.Data[1] >= '1' && n.Data[1] <= '6' {
				next := int(n.Data[1] - '0')
				if next > level+1 {
					t.Errorf("%s: <%s> %q follows a heading of level %d", name, n.Data, content(n), level)
				}
				level = next
			}
		}
		for _, part := range []string{"timeline", "scope", "recompute"} {
			if p.ids[part] == nil {
				t.Errorf("%s has no %s", name, part)
			}
		}
	}
}

// Every cause, every listed direction with its eight steps, and every pair of the
// mesh is on the page.
func TestPageIsComplete(t *testing.T) {
	for name, text := range rendered(t, "html") {
		j := verdicts(t)[name]
		p := parsePage(t, name, text)
		if n := len(p.all("article")); n != min(len(j.Causes), maxPageCauses) {
			t.Errorf("%s: %d causes of %d", name, n, len(j.Causes))
		}
		details := p.all("details")
		if len(details) != min(len(j.Pairs), maxDirections) {
			t.Errorf("%s: %d directions of %d", name, len(details), len(j.Pairs))
		}
		for _, d := range details {
			if n := strings.Count(content(d), "not proven") + strings.Count(content(d), "holds") + strings.Count(content(d), "failed"); n < 8 {
				t.Errorf("%s: %d steps in %q", name, n, content(d))
			}
		}
		families := len(j.Graph.Run.Families)
		cells := 0
		for _, td := range p.all("td") {
			if td.FirstChild != nil && strings.Contains(attribute(td.FirstChild, "aria-label"), " to ") {
				cells++
			}
		}
		switch {
		case j.Totals.Pairs == 0:
		case len(j.Graph.Nodes) <= maxTable && cells != j.Totals.Pairs:
			t.Errorf("%s: %d cells for %d directions", name, cells, j.Totals.Pairs)
		case len(j.Graph.Nodes) > maxTable && len(p.all("canvas")) != families:
			t.Errorf("%s: %d maps", name, len(p.all("canvas")))
		}
	}
}

// Nothing that a node or a cluster says becomes an element or an attribute.
func TestPageOfHostileTexts(t *testing.T) {
	const bad = `</script></style><script>alert(1)</script>"><img src=x onerror=alert(1)>'><a href="javascript:alert(1)">{{.}}`
	j := judged(t, "host-stale-flannel-route")
	j.Graph.Cluster.Context, j.Graph.Cluster.User, j.Graph.Cluster.UID, j.Profile.Title = bad, bad, bad, bad
	j.Graph.Run.ID, j.Graph.Run.Version, j.Graph.Run.Revision = bad, bad, bad
	j.Graph.Run.Phases = append(j.Graph.Run.Phases, phaseNamed(bad))
	for _, n := range j.Graph.Nodes {
		n.Name += bad
	}
	for i := range j.Causes {
		j.Causes[i].Text, j.Causes[i].Title, j.Causes[i].Code = bad, bad, bad
	}
	for i := range j.Pairs {
		for step := range j.Pairs[i].Notes {
			j.Pairs[i].Notes[step] = bad
		}
	}
	for i := range j.Profile.Scope {
		j.Profile.Scope[i].What, j.Profile.Scope[i].Why = bad, bad
	}
	var b bytes.Buffer
	if err := Write(&b, "html", j, Options{Recording: Recording{Name: bad, SHA256: bad}}); err != nil {
		t.Fatal(err)
	}
	p := parsePage(t, "hostile", b.String())
	if len(p.all("script")) != 2 || len(p.all("img")) > 0 || len(p.all("style")) != 1 {
		t.Errorf("%d scripts, %d images", len(p.all("script")), len(p.all("img")))
	}
	for _, n := range p.elements {
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "href" && !strings.HasPrefix(a.Val, "#") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
	}
}

// Names of nodes reach the script as data, whatever is in them.
func TestPageData(t *testing.T) {
	j := check.Judge(mesh.New(20))
	const bad = `</script><script>alert("x")</script>\`
	j.Graph.Nodes[7].Name = bad
	var b bytes.Buffer
	if err := Write(&b, "html", j, Options{}); err != nil {
		t.Fatal(err)
	}
	p := parsePage(t, "data", b.String())
	var data htmlData
	if err := json.Unmarshal([]byte(content(p.ids["data"])), &data); err != nil {
		t.Fatal(err)
	}
	if m := data.Meshes[0]; m.Nodes[7] != bad || len(m.Nodes) != 20 || m.Links != 4 {
		t.Errorf("%+v", m)
	}
}

// The letters of a map are those of all directions, sender by sender.
func TestMap(t *testing.T) {
	m := mesh.New(20)
	m.Leak(0, 2)
	m.LoseCanaries(1, 0)
	j := check.Judge(m)
	d := newDocument(j, Options{})
	b := &htmlBuilder{Judgement: j, d: &d, names: newNames(j)}
	got := b.forScript(0, b.leaks()).Cells
	// Nothing is sent to oneself: n.
	if want := "n1p1l1p17f1n1p20n1"; !strings.HasPrefix(got, want) {
		t.Errorf("%s, want %s…", got, want)
	}
	sum := 0
	for _, run := range regexp.MustCompile(`\d+`).FindAllString(got, -1) {
		n, err := strconv.Atoi(run)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	if sum != 20*20 {
		t.Errorf("%d letters", sum)
	}
}

// However many directions fail, the page stays one that a browser takes.
func TestPageIsBounded(t *testing.T) {
	m := mesh.New(60)
	for from := range 60 {
		for to := range 60 {
			if from != to && (from+to)%3 > 0 {
				m.LoseCanaries(from, to)
			}
		}
	}
	var b bytes.Buffer
	if err := Write(&b, "html", check.Judge(m), Options{}); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 1<<20 {
		t.Errorf("%d bytes", b.Len())
	}
}

// Every text can be read on what is behind it, in both themes (WCAG AA: 4.5).
func TestContrast(t *testing.T) {
	parts := strings.SplitN(pageStyle, "prefers-color-scheme: dark", 2)
	for theme, style := range map[string]string{"light": parts[0], "dark": parts[1]} {
		colours := map[string]string{}
		for _, found := range regexp.MustCompile(`--([a-z]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(style, -1) {
			if colours[found[1]] == "" {
				colours[found[1]] = found[2]
			}
		}
		for _, pair := range [][2]string{
			{"ink", "paper"}, {"ink", "sheet"}, {"soft", "paper"}, {"soft", "sheet"}, {"link", "paper"}, {"pass", "paper"},
			{"warn", "paper"}, {"inconclusive", "paper"}, {"fail", "paper"}, {"leak", "paper"}, {"pass", "sheet"}, {"leak", "sheet"},
			{"fail", "sheet"}, {"inconclusive", "sheet"}, {"on", "pass"}, {"on", "warn"}, {"on", "inconclusive"}, {"on", "fail"}, {"on", "leak"},
		} {
			if got := contrast(t, colours[pair[0]], colours[pair[1]]); got < 4.5 {
				t.Errorf("%s: %s on %s has a contrast of %.2f", theme, pair[0], pair[1], got)
			}
		}
	}
}

// contrast is that of two colours by WCAG 2.
func contrast(t *testing.T, a, b string) float64 {
	light := func(colour string) (sum float64) {
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			n, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			channel := float64(n) / 255
			if channel <= 0.04045 {
				sum += weight * channel / 12.92
			} else {
				sum += weight * math.Pow((channel+0.055)/1.055, 2.4)
			}
		}
		return sum
	}
	one, two := light(a), light(b)
	return (max(one, two) + 0.05) / (min(one, two) + 0.05)
}

func phaseNamed(name string) evidence.Phase { return evidence.Phase{Name: name, Took: 7} }

// The timeline has the phases in order, with the pods behind that in which they
// start, inside of the whole.
func TestTimeline(t *testing.T) {
	j := judged(t, "host-healthy-three")
	j.Graph.Run.Phases = []evidence.Phase{
		{Name: "reading cluster state", Began: 10, Took: 200}, {Name: placing, Began: 210, Took: 2000},
		{Name: "testing", Began: 2210, Took: 4000},
	}
	d := newDocument(j, Options{})
	var p htmlPage
	(&htmlBuilder{Judgement: j, d: &d, names: newNames(j)}).timeline(&p)
	var names []string
	for _, phase := range p.Timeline {
		names = append(names, phase.Name)
		x, _ := strconv.ParseFloat(phase.X, 64)
		width, _ := strconv.ParseFloat(phase.Width, 64)
		if x < 0 || width <= 0 || x+width > 100.02 {
			t.Errorf("%+v", phase)
		}
	}
	want := "reading cluster state, starting probe pods, first pod Ready, half of the pods Ready, last pod Ready, testing"
	if got := strings.Join(names, ", "); got != want {
		t.Errorf("%s", got)
	}
}
