package report

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// asText is a report in a format, in one line.
func asText(t *testing.T, j *check.Judgement, format string, options Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, format, j, options); err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// All formats say the same of a run: verdict, kind, exit code, causes, and how
// much is proven.
func TestFormatsAgree(t *testing.T) {
	for _, name := range recordings(t) {
		j := judged(t, name)
		document := parsed(t, j, "json", Options{})
		short := asText(t, j, "short", Options{})
		text := asText(t, j, "text", Options{})

		kind, _ := at(document, "failureKind").(string)
		if want := fmt.Sprintf("%s %s ", at(document, "verdict"), dash(kind)); !strings.HasPrefix(short, want) {
			t.Errorf("%s: short is %q, JSON %q", name, short, want)
		}
		if word := kindWords[verdict.Kind(kind)]; !strings.Contains(text, word) {
			t.Errorf("%s: the text does not say %s", name, word)
		}
		causes, _ := at(document, "causes").([]any)
		if strings.Count(short, "CAUSE ") != len(causes) {
			t.Errorf("%s: %d causes in JSON, other in short: %s", name, len(causes), short)
		}
		for _, c := range causes {
			if code, _ := at(c, "code").(string); !strings.Contains(text, code) {
				t.Errorf("%s: the text does not name %s", name, code)
			}
		}
		if headline, _ := at(document, "headline").(string); !strings.Contains(text, strings.Join(strings.Fields(clean(headline)), " ")) {
			t.Errorf("%s: the headline of the text is not %q", name, headline)
		}
		if proven := fmt.Sprintf("proven=%d/%d ", proven(j), j.Totals.Pairs); !strings.Contains(short, proven) {
			t.Errorf("%s: %s is not in short", name, proven)
		}
	}
}

// What a headline claims is true of the figures.
func TestHeadlinesAreTrue(t *testing.T) {
	for _, name := range recordings(t) {
		j := judged(t, name)
		line, figures := headline(j), totalOf(j.Graph)
		if strings.Contains(line, "no plaintext was seen") && figures.PlaintextFrames > 0 {
			t.Errorf("%s: %q, and %d frames in plaintext", name, line, figures.PlaintextFrames)
		}
		if strings.Contains(line, "in plaintext") && figures.PlaintextFrames == 0 && !classLeaks(j) {
			t.Errorf("%s: %q, and no frame in plaintext", name, line)
		}
		if plaintext := j.Kind() == verdict.Plaintext; plaintext != strings.HasPrefix(line, "PLAINTEXT") {
			t.Errorf("%s: %q, and its kind is %q", name, line, j.Kind())
		}
		if j.Verdict == verdict.Passed && figures.PlaintextFrames > 0 {
			t.Errorf("%s passes with %d frames in plaintext", name, figures.PlaintextFrames)
		}
	}
}

// Each level leaves out more than the one before, and never the verdict, a cause
// or a command.
func TestTerseness(t *testing.T) {
	for name, j := range screens(t) {
		before := 1 << 30
		for terse := full; terse <= densest; terse++ {
			text := newText(j, Options{}, terse).report()
			n := rows(text, defaultWidth)
			if n > before {
				t.Errorf("%s has %d rows at level %d, %d at the one before", name, n, terse, before)
			}
			before = n
			for i := range j.Decisive() {
				c := &j.Decisive()[i]
				hint, _ := fix(j, c)
				for _, step := range hint.Steps {
					if !strings.Contains(text, step.Command) {
						t.Errorf("%s at level %d lacks %q", name, terse, step.Command)
					}
				}
				if !strings.Contains(text, c.Code) {
					t.Errorf("%s at level %d lacks %s", name, terse, c.Code)
				}
			}
		}
	}
}

// fault is one thing that can be wrong in a generated run, and the code of its cause.
type fault struct {
	code string
	make func(m *mesh.Mesh, from, to int)
}

var faults = []fault{
	{"WG0601", func(m *mesh.Mesh, from, to int) { m.Leak(from, to) }},
	{"WG0401", func(m *mesh.Mesh, from, to int) { m.StaleRoute(from, to) }},
	{"WG0302", func(m *mesh.Mesh, from, to int) { m.MissingPeer(from, to) }},
	{"WG0502", func(m *mesh.Mesh, from, to int) { m.LoseCanaries(from, to) }},
}

// Of two faults at once on different nodes both are reported, with evidence and what
// is known to fix them, in every format, and a leak goes first.
func TestTwoRandomFaults(t *testing.T) {
	random := rand.New(rand.NewPCG(17, 0))
	for range 24 {
		nodes := random.Perm(8)
		a, b := faults[random.IntN(len(faults))], faults[random.IntN(len(faults))]
		if a.code == b.code {
			continue
		}
		m := mesh.New(8)
		a.make(m, nodes[0], nodes[1])
		b.make(m, nodes[2], nodes[3])
		j := check.Judge(m)
		var codes []string
		for _, c := range j.Decisive() {
			codes = append(codes, c.Code)
		}
		text, short := asText(t, j, "text", Options{}), asText(t, j, "short", Options{})
		for _, code := range []string{a.code, b.code} {
			if !slices.Contains(codes, code) || !strings.Contains(text, code+" ") || !strings.Contains(short, " "+code+" ") {
				t.Errorf("%s and %s: causes %q\n%s", a.code, b.code, codes, text)
			}
		}
		if slices.Contains(codes, "WG0601") && codes[0] != "WG0601" {
			t.Errorf("%s and %s: %s comes first", a.code, b.code, codes[0])
		}
		for i := range j.Decisive() {
			if want := strings.Join(strings.Fields(clean(j.Decisive()[i].Text)), " "); !strings.Contains(text, want) {
				t.Errorf("%s and %s: %q is not in the text", a.code, b.code, want)
			}
		}
	}
}

// The pairs of a run that tested not all of them are in its document, and the
// headline claims no others.
func TestAskedPairs(t *testing.T) {
	m := mesh.New(14)
	m.Ask("ring")
	j := check.Judge(m)
	document := parsed(t, j, "json", Options{})
	asked, _ := at(document, "run", "asked").(map[string]any)
	if len(asked) != 14 || at(document, "totals", "pairs") != 14.0 {
		t.Errorf("%d nodes sent, %v pairs", len(asked), at(document, "totals", "pairs"))
	}
	for _, to := range asked {
		if list, _ := to.([]any); len(list) != 1 {
			t.Errorf("%v", to)
		}
	}
	if want := "Pod traffic in the 14 tested of 182 directions between 14 nodes is encrypted by WireGuard"; headline(j) != want {
		t.Errorf("%q, want %q", headline(j), want)
	}
}

// Two families are named where they differ, in the header, the causes and the
// directions.
func TestFamilies(t *testing.T) {
	j := judged(t, "host-v6-stale-route-one-way")
	text := asText(t, j, "text", Options{Width: 120})
	for _, want := range []string{
		"IPv4 and IPv6, 2 nodes", "(node-1 → node-2 over IPv6)", "✗ failed: node-1 → node-2 over IPv6", "3 of 4 directions proven",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if details := asText(t, j, "text", Options{Details: true}); !strings.Contains(details, "node-1 → node-2 (IPv4)") {
		t.Error(details)
	}
}
