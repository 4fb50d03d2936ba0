package report

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
)

func page1(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := Document(&b, check.Documented()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The page begins with a table of contents, each line of which leads to a section.
func TestContents(t *testing.T) {
	text := page1(t)
	for _, c := range check.Documented() {
		link := "- [" + c.Code + "](#" + strings.ToLower(c.Code) + ") " + c.Title + "\n"
		if strings.Count(text, link) != 1 || strings.Count(text, "\n## "+c.Code+"\n") != 1 {
			t.Errorf("%s is not in the contents, or has no section", c.Code)
		}
		if c.Failed == "" {
			t.Errorf("%s does not say what is wrong when it fails", c.Code)
		}
	}
}

// Neither placeholders of the table nor names of variants are for a reader: a
// variant has a sentence in variants.go.
func TestPageIsForReaders(t *testing.T) {
	text := page1(t)
	if found := regexp.MustCompile(`\{[a-z]+\}`).FindString(text); found != "" {
		t.Errorf("%s is a placeholder", found)
	}
	if found := regexp.MustCompile("In the case “.*”").FindString(text); found != "" {
		t.Errorf("%s: say it in words, in variants.go", found)
	}
}

// A remedy stands on the page once; where it fits again there is a link.
func TestNoRemedyTwice(t *testing.T) {
	seen := map[string]string{}
	for _, section := range strings.Split(page1(t), "\n## ")[1:] {
		code := section[:6]
		for _, part := range strings.Split(section, "\n*")[1:] {
			_, remedy, found := strings.Cut(part, ":* ")
			remedy = strings.TrimSpace(remedy)
			if !found || strings.Contains(remedy, ", as under [") {
				continue
			}
			if before := seen[remedy]; before != "" {
				t.Errorf("under %s as under %s:\n%s", code, before, remedy)
			}
			seen[remedy] = code
		}
	}
}

// A case is said once for all systems to which its remedy belongs.
func TestAbout(t *testing.T) {
	for _, test := range []struct {
		of   []remedy.Entry
		want string
	}{
		{nil, ""},
		{[]remedy.Entry{{}}, ""},
		{[]remedy.Entry{{Distribution: remedy.K3s}}, "On K3s"},
		{[]remedy.Entry{{Variant: "down"}}, "If the device is down"},
		{[]remedy.Entry{{Variant: "down", Distribution: remedy.K3s}, {Variant: "down", Distribution: remedy.RKE2}},
			"If the device is down, on K3s or RKE2"},
		{[]remedy.Entry{{Variant: "down"}, {Variant: "port"}}, "If the device is down; If another device holds its port"},
		{[]remedy.Entry{{Variant: "strange", Distribution: remedy.Flannel}},
			"In the case “strange”, on Flannel by its own manifest"},
	} {
		var e entry
		for _, of := range test.of {
			e.add(cases["WG0201"][of.Variant], of)
		}
		if got := e.about(); got != test.want {
			t.Errorf("%+v: %q, want %q", test.of, got, test.want)
		}
	}
}

// In commands placeholders are written as manuals do, in Markdown's prose so that
// they are seen.
func TestShown(t *testing.T) {
	got := shown(remedy.Hint{
		Title: "on {node}", Note: "{a} and {b}", Steps: []remedy.Step{{On: "{node}", Command: "ip {link} {X}", Note: "{n}"}},
	}, "`<$1>`")
	if got.Title != "on `<node>`" || got.Note != "`<a>` and `<b>`" || got.Steps[0] !=
		(remedy.Step{On: "`<node>`", Command: "ip <link> {X}", Note: "`<n>`"}) {
		t.Errorf("%+v", got)
	}
}
