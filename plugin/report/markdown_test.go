package report

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// A comment of a pull request has the verdict in its first line, every cause with
// what fixes it, and fits a forge.
func TestMarkdown(t *testing.T) {
	const limit = 65536 // of a comment on GitHub, characters
	for name, text := range rendered(t, "markdown") {
		j := verdicts(t)[name]
		first, _, _ := strings.Cut(text, "\n")
		if !strings.HasPrefix(first, "## "+marks[statusOf(j.Verdict)]+" "+string(j.Verdict)+" — ") {
			t.Errorf("%s: %q", name, first)
		}
		if n := utf8.RuneCountInString(text); n > limit {
			t.Errorf("%s has %d characters", name, n)
		}
		for i := range j.Causes {
			if i < maxBlocks && !strings.Contains(text, "### "+marks[j.Causes[i].Status]+" "+j.Causes[i].Code) {
				t.Errorf("%s: %s is missing", name, j.Causes[i].Code)
			}
		}
		if strings.Count(text, "<details>") != strings.Count(text, "</details>") || strings.Count(text, "\n```")%2 != 0 {
			t.Errorf("%s: a block is left open", name)
		}
	}
}

// Nothing that a node or a cluster says is markup, a mention or an end of the block
// that it stands in.
func TestMarkdownOfHostileTexts(t *testing.T) {
	const bad = "</details><script>x</script> [a](http://b) ![c](d) **e** @team `f` ```\n# g\n| h |"
	j := judged(t, "host-stale-flannel-route")
	j.Graph.Cluster.Context, j.Graph.Cluster.User, j.Profile.Title = bad, bad, bad
	j.Causes[0].Text, j.Causes[0].Title = bad, bad
	j.Causes[0].Leak.Text = bad
	j.Findings[0].Text = bad
	var b bytes.Buffer
	if err := Write(&b, "markdown", j, Options{}); err != nil {
		t.Fatal(err)
	}
	spans := regexp.MustCompile("(?m)(`+)[^`].*?[^`](`+)|\\\\.")
	outside := spans.ReplaceAllString(b.String(), "")
	for _, markup := range []string{"<script", "](", "![", "**e", "@team", "\n# g"} {
		if strings.Contains(outside, markup) {
			t.Errorf("%q came through:\n%s", markup, outside)
		}
	}
	if strings.Count(outside, "</details>") != 2 {
		t.Errorf("a block was ended:\n%s", outside)
	}
}

func TestCode(t *testing.T) {
	for text, want := range map[string]string{
		"a": "`a`", "a`b": "``a`b``", "`a": "`` `a ``", "a|b": "`a\\|b`", "two\nlines": "`two\\u000alines`",
	} {
		if got := code(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestShellWord(t *testing.T) {
	for text, want := range map[string]string{
		"evidence.ndjson.gz": "evidence.ndjson.gz", "": "''", "-x": "'-x'", "a b": "'a b'", "it's": `'it'\''s'`, "$(x)": "'$(x)'",
	} {
		if got := shellWord(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
