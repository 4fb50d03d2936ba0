package report

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// The verdict is the first and the last line, of every report and at every width.
func TestVerdictIsFirstAndLast(t *testing.T) {
	for name, j := range screens(t) {
		for width := minWidth; width <= maxWidth; width += 20 {
			text := fit(j, Options{Width: width})
			begin := fmt.Sprintf("%s %s  ", marks[statusOf(j.Verdict)], j.Verdict)
			if strings.Count("\n"+text, "\n"+begin) != 2 || !strings.HasPrefix(text, begin) {
				t.Errorf("%s at %d columns:\n%s", name, width, text)
			}
			last := text[strings.LastIndex(text, "\n"+begin)+1:]
			if rows(last, width) > 3 {
				t.Errorf("%s at %d columns: after the verdict there is %q", name, width, last)
			}
		}
	}
}

// No line but a command is longer than the terminal is wide.
func TestLinesFitTheWidth(t *testing.T) {
	command := regexp.MustCompile(`^    .*[#$]  `)
	for name, j := range screens(t) {
		for width := 60; width <= maxWidth; width += 15 {
			for _, options := range []Options{{Width: width}, {Width: width, Details: true}} {
				for line := range strings.Lines(fit(j, options)) {
					line = strings.TrimSuffix(line, "\n")
					if rows(line, width) > 1 && !command.MatchString(line) {
						t.Errorf("%s at %d columns: %q", name, width, line)
					}
				}
			}
		}
	}
}

// Colours add nothing: without them the text is the same, and no style is left open.
func TestColours(t *testing.T) {
	escapes := regexp.MustCompile("\x1b\\[[0-9;]*m")
	for name, j := range screens(t) {
		plain := fit(j, Options{})
		coloured := fit(j, Options{Color: true})
		if plain == coloured || escapes.ReplaceAllString(coloured, "") != plain {
			t.Errorf("%s differs by more than colours", name)
		}
		for line := range strings.Lines(coloured) {
			if strings.Count(line, "\x1b[")%2 != 0 {
				t.Errorf("%s: a style is left open in %q", name, line)
			}
		}
	}
}

// The table of the proof counts what the totals count.
func TestTable(t *testing.T) {
	text := newText(twoFaults(), Options{}, full)
	text.table()
	want := "  Proof        P1    P2    P3    P4    P5    P6    P7    P8\n" +
		"  Holds for  ✓240  ✓240  ✗239  ?238  ?238  ✓240  ✗239  ✓240 of 240\n"
	if text.String() != want {
		t.Errorf("%s, want\n%s", text.String(), want)
	}
}

// The pairs that are not proven are named by what they share.
func TestAffected(t *testing.T) {
	m := mesh.New(14)
	for from := range 14 {
		if from != 4 {
			m.LoseCanaries(from, 4)
		}
	}
	text := fit(check.Judge(m), Options{})
	if !strings.Contains(text, "node-0004: all that it receives") {
		t.Error(text)
	}
}

// Where the nodes fail and no pair does, that is said.
func TestNoneAffected(t *testing.T) {
	text := fit(judged(t, "host-mixed-backends"), Options{})
	if !strings.Contains(text, "\n  Affected  no direction at present: all are proven\n") {
		t.Error(text)
	}
}

// A report of no pair has no table.
func TestNoPairs(t *testing.T) {
	if text := fit(judged(t, "host-node-not-ready"), Options{}); strings.Contains(text, "Proof") {
		t.Error(text)
	}
}

// Warnings of one kind are one line, whatever the number of nodes.
func TestWarnings(t *testing.T) {
	j := judged(t, "host-healthy-eight")
	text := newText(j, Options{}, full)
	text.warnings()
	if want := "\n  Warnings  ! WG0701 userspace WireGuard: encrypted, but slower (8 nodes)\n"; text.String() != want {
		t.Errorf("%q, want %q", text.String(), want)
	}
	one := judged(t, "host-node-not-ready")
	text = newText(one, Options{}, full)
	text.warnings()
	if !strings.Contains(text.String(), "! WG0701 flannel-wg of node-1 ") {
		t.Errorf("%q", text.String())
	}
	failing := judged(t, "host-vpn-unused")
	text = newText(failing, Options{}, packed)
	text.warnings()
	if want := "  Warnings  WG0101, WG0701 (--details)\n"; text.String() != want {
		t.Errorf("%q, want %q", text.String(), want)
	}
	text = newText(failing, Options{}, densest)
	text.warnings()
	text.scope()
	if !strings.HasPrefix(text.String(), "  Covered   pod to pod between these nodes, IPv4; 3 warnings; ") {
		t.Errorf("%q", text.String())
	}
}

// The scope is cut to a line where there is no room, and says why with details.
func TestScope(t *testing.T) {
	j := judged(t, "host-healthy-three")
	j.Profile.Scope = []profile.Scope{
		{Proven: true, What: "pod to pod"}, {What: "one thing", Why: "it is other"}, {What: strings.Repeat("long ", 12) + "thing"},
	}
	for _, test := range []struct {
		options Options
		terse   terseness
		want    string
	}{
		{Options{}, full, "\n  Covered   pod to pod\n            Not covered: one thing; long long long long long long long long long\n" +
			"            long long long thing\n"},
		{Options{}, densest, "  Covered   pod to pod; not: one thing; … (--details)\n"},
		{Options{Details: true, Width: 120}, full,
			"\n  Covered   pod to pod\n            Not covered:\n            - one thing: it is other\n            - " +
				strings.Repeat("long ", 12) + "thing\n"},
	} {
		text := newText(j, test.options, test.terse)
		text.scope()
		if text.String() != test.want {
			t.Errorf("%q, want %q", text.String(), test.want)
		}
	}
}

// Details have every step of every direction that is listed, and count the others.
func TestDetails(t *testing.T) {
	text := fit(judged(t, "host-healthy-three"), Options{Details: true})
	if n := strings.Count(text, "P4 ciphertext"); n != 6+1 {
		t.Errorf("%d directions", n-1)
	}
	text = fit(twoFaults(), Options{Details: true})
	if !strings.Contains(text, "… and 237 more directions") {
		t.Error(text)
	}
}

// However many pairs fail, the report stays one that a person and a pipeline can take.
func TestReportIsBounded(t *testing.T) {
	m := mesh.New(60)
	for from := range 60 {
		for to := range 60 {
			if from != to && (from+to)%3 > 0 {
				m.LoseCanaries(from, to)
			}
		}
	}
	j := check.Judge(m)
	if n := rows(fit(j, Options{}), defaultWidth); n > lines(j) {
		t.Errorf("%d rows", n)
	}
	for format, limit := range map[string]int{"text": 1 << 20, "short": 4 << 10, "json": 4 << 20} {
		var got bytes.Buffer
		if err := Write(&got, format, j, Options{Verbose: true}); err != nil {
			t.Fatal(err)
		}
		if got.Len() > limit {
			t.Errorf("%s: %d bytes of %d failed pairs, at most %d", format, got.Len(), len(j.Pairs), limit)
		}
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 9900: "9,900", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	if got := Count(1, "thing") + ", " + Count(2000, "thing"); got != "1 thing, 2,000 things" {
		t.Error(got)
	}
}

func TestListed(t *testing.T) {
	for want, names := range map[string][]string{"": nil, "a, b": {"a", "b"}, "a, b, c and 2 more": {"a", "b", "c", "d", "e"}} {
		if got := listed(names); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// What a hostile node writes reaches no part of any format as it is.
func TestHostileTexts(t *testing.T) {
	const bad = "\x1b[2J\x1b]0;owned\a\u202e\u200b\u2066\ufeff\U000e0041\u2028\x7f\u009b\r\xff"
	for _, name := range []string{"host-vxlan", "host-healthy-three", "host-stale-flannel-route"} {
		j := judged(t, name)
		j.Graph.Cluster.Context, j.Graph.Cluster.Server = bad, bad
		j.Graph.Run.ID += bad
		j.Graph.Run.Version += bad
		j.Profile.Title += bad
		for i := range j.Causes {
			c := &j.Causes[i]
			c.Text += bad
			c.Readings = append(c.Readings, verdict.Reading{Node: bad, What: bad, Text: bad, Raw: true})
			c.Subject.Node += bad
			for k := range c.Alike {
				c.Alike[k].Subject.Node += bad
				c.Alike[k].Text += bad
			}
			for k := range c.Leaks {
				c.Leaks[k].Node += bad
			}
			if c.Leak != nil {
				c.Leak.Text += bad
			}
		}
		for i := range j.Pairs {
			j.Pairs[i].Node += bad
			for step := range j.Pairs[i].Notes {
				j.Pairs[i].Notes[step] += bad
			}
		}
		for i := range j.Findings {
			j.Findings[i].Text += bad
			j.Findings[i].Subject.Peer += bad
			j.Findings[i].CausedBy.Node += bad
		}
		for _, format := range Formats() {
			for _, options := range []Options{{Recording: testRecording}, {Verbose: true, Details: true, Recording: testRecording}} {
				var b bytes.Buffer
				if err := Write(&b, format, j, options); err != nil {
					t.Fatal(err)
				}
				if strings.ContainsFunc(b.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
					t.Errorf("%s as %s: an escape came through:\n%q", name, format, b.String())
				}
			}
		}
	}
}
