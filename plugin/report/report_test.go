package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
)

var update = flag.Bool("update", false, "write the golden files anew")

// judged returns the judgement of a recording of package check.
func judged(t *testing.T, name string) *check.Judgement {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "check", "testdata", "v1", name+".ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	said, err := recording.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return check.Judge(said)
}

func TestGolden(t *testing.T) {
	for _, name := range []string{"host-healthy-wireguard", "host-vxlan", "host-host-gw", "host-stale-flannel-route", "host-udp-blocked"} {
		for _, format := range Formats() {
			var got bytes.Buffer
			if err := Write(&got, format, judged(t, name), Options{}); err != nil {
				t.Fatal(err)
			}
			compare(t, name+"."+format, got.Bytes())
		}
	}
}

// What a reader sees of two families, and of many pairs.
func TestGoldenFamilies(t *testing.T) {
	for _, name := range []string{"host-healthy-dual-one-family", "host-v6-stale-route-one-way", "host-healthy-eight", "host-eight-leak-one-way"} {
		var got bytes.Buffer
		if err := Write(&got, "text", judged(t, name), Options{}); err != nil {
			t.Fatal(err)
		}
		compare(t, name+".text", got.Bytes())
	}
}

// compare holds what was written against a golden file.
func compare(t *testing.T, name string, got []byte) {
	t.Helper()
	golden := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; if that is meant: go test ./plugin/report -update\n%s", golden, got)
	}
}

// The same data in JSON and YAML, and the fields that scripts rely on.
func TestDocuments(t *testing.T) {
	var asJSON, asYAML bytes.Buffer
	j := judged(t, "host-vxlan")
	for format, b := range map[string]*bytes.Buffer{"json": &asJSON, "yaml": &asYAML} {
		if err := Write(b, format, j, Options{}); err != nil {
			t.Fatal(err)
		}
	}
	converted, err := yaml.YAMLToJSON(asYAML.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	var one, two any
	if json.Unmarshal(asJSON.Bytes(), &one) != nil || json.Unmarshal(converted, &two) != nil {
		t.Fatal("no JSON")
	}
	left, _ := json.Marshal(one)
	right, _ := json.Marshal(two)
	if !bytes.Equal(left, right) {
		t.Error("JSON and YAML differ")
	}
	var document struct {
		Verdict    string
		ExitCode   int
		FirstCause struct {
			Code   string
			Remedy struct {
				Steps []struct{ On, Command string }
			}
		}
	}
	if err := json.Unmarshal(asJSON.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	if document.Verdict != "FAIL" || document.ExitCode != 1 || document.FirstCause.Code != "WG0601" || len(document.FirstCause.Remedy.Steps) < 3 {
		t.Errorf("%+v", document)
	}
}

// What a hostile node writes reaches no terminal as it is.
func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"plain → text":       "plain → text",
		"\x1b[31mred\x1b[0m": `\u001b[31mred\u001b[0m`,
		"two\nlines\r":       `two\u000alines\u000d`,
		"bell\a\x00\x7f":     `bell\u0007\u0000\u007f`,
		"\u202eright":        `\u202eright`,
		"broken \xff\xfe":    `broken \xff\xfe`,
		"replaced \ufffd":    "replaced \ufffd",
		"tag \U000e0041":     `tag \udb40\udc41`,
		"C1 \u009b31m":       `C1 \u009b31m`,
	} {
		if got := clean(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := Printable("two\n\tlines\x1b"); got != "two\n\tlines\\u001b" {
		t.Errorf("%q", got)
	}
}

func TestHostileNamesAreCleaned(t *testing.T) {
	j := judged(t, "host-vxlan")
	j.FirstCause.Text += "\x1b[2J"
	j.FirstCause.Readings[0].Text += "\x1b]0;owned\a"
	for i := range j.Pairs {
		j.Pairs[i].Node += "\x1b[31m"
		for step := range j.Pairs[i].Notes {
			j.Pairs[i].Notes[step] += "\x1b[31m"
		}
	}
	for i := range j.Findings {
		j.Findings[i].Text += "\x1b[31m"
		j.Findings[i].Subject.Peer += "\x1b[31m"
	}
	j.FirstCause.Text += "\u202e\u200b\u2066\ufeff\U000e0041\u2028\x7f\u009b"
	for _, format := range Formats() {
		var b bytes.Buffer
		if err := Write(&b, format, j, Options{Verbose: true}); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(b.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			t.Errorf("%s: an escape came through:\n%q", format, b.String())
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	if err := Write(&bytes.Buffer{}, "word", nil, Options{}); err == nil || !strings.Contains(err.Error(), "text, json, yaml") {
		t.Errorf("%v", err)
	}
}
